"""How long a request was, in bands: as far as price lists that charge more for long requests tell them apart. Pure.

Such a price holds for the whole request, input and output, so usage of requests of different length must stay apart
where it is summed. A request's length is everything that the model was given to read: its input (what came from a cache
is a part of it) and what was written to a cache, which stands beside the input. A request lies in the band of the
largest threshold that its length exceeds.
"""

from typing import Final

CONTEXT_BANDS: Final = (0, 32_000, 128_000, 200_000, 256_000, 272_000, 512_000, 1_000_000)
"""Thresholds in tokens, ascending; 0 is the band of all other requests, and of usage of which no length is known.

All that public price lists used in September 2026: LiteLLM's list of model prices names 128k, 200k, 256k, 272k and 512k
in its fields `*_above_<n>_tokens` (Google, Anthropic, xAI and OpenAI among them), and 32,000, 128,000, 256,000 and
1,000,000 as ends of ranges of `tiered_pricing` (Alibaba Cloud Model Studio). A `k` is 1,000 there. A threshold may be
added, and then tells usage apart from that time on; one that was used must stay."""


def band_of(tokens: int) -> int:
    """Return the largest threshold that a request of so many tokens exceeds."""
    assert tokens >= 0
    return max((threshold for threshold in CONTEXT_BANDS if threshold < tokens), default=0)


def tier_id(context_over: int) -> str:
    """Return the name in code of what costs more above a threshold: `over_200k`, `over_1m`; empty for 0."""
    if not context_over:
        return ""
    for size, unit in ((1_000_000, "m"), (1_000, "k")):
        if context_over % size == 0:
            return f"over_{context_over // size}{unit}"
    return f"over_{context_over}"
