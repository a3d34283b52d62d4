"""What explains the difference between what engines counted and what gateways reported. Pure.

The identities, by class (source: the engines' own code and issues, see docs/witnesses.md):

- input: an engine counts a prompt once per parallel answer (n) where the usage of a request counts it once; it counts
  the prompt of a request that was aborted, of which the gateway knows nothing; some engines leave cached tokens out.
- output: an engine counts what an aborted request had made.
- requests: an engine counts each parallel answer as a request, and an aborted one not at all.

What then is left in one hour and is missing in the next was in flight at the edge. The rest is unexplained.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from metering.checks import Cause, Explained, Residual, residual

HOUR: Final = timedelta(hours=1)

PROMPT_COPIES: Final = {"vllm": (1, 0), "sglang": (1, 1), "tensorrt_llm": (0, 0)}
"""For n parallel answers an engine counts the prompt `1 + a * (n - 1) + b` times: its (a, b).

vLLM counts n times (issue 56361, PR 56923), SGLang n + 1 times since it warms the prefix up first, TensorRT-LLM once
(`sequence_index == 0`). Others are not known: there the copies explain no more than the difference that is there.
"""

CACHED_EXCLUDED: Final = frozenset({"llamacpp"})
"""Engines whose prompt counter leaves cached tokens out; where they show them apart the agent adds them."""


class Sampled(msgspec.Struct, frozen=True):
    """Requests of a stretch that asked for several answers (n > 1) or were aborted, as their gateway reported them.

    `repeated_input` is the sum of input × (n - 1), `input` that of their input, `answers` that of n - 1.
    """

    requests: int = 0
    input: int = 0
    repeated_input: int = 0
    answers: int = 0
    aborted: int = 0


NOTHING: Final = Sampled()


class Stretch(msgspec.Struct, frozen=True):
    """Both witnesses of one deployment, model and class over one stretch, an hour or a whole window.

    `finished` is what the engine counts of requests that came to their end, None where it does not tell;
    `uncounted_cached` are cached tokens that the gateway reports and the engine's input may leave out.
    """

    at: datetime
    engine: int
    gateway: int
    finished: int | None = None
    uncounted_cached: int = 0
    sampled: Sampled = NOTHING

    @property
    def is_bare(self) -> bool:
        """Whether nothing is known that could explain a difference, but the stretches beside it."""
        return self.finished is None and not self.uncounted_cached and self.sampled == NOTHING


def explain(quantity: str, engines: frozenset[str], stretches: Sequence[Stretch]) -> list[Residual]:
    """Compare the witnesses over stretches in order; `engines` are the kinds that served the deployment."""
    if all(stretch.is_bare for stretch in stretches) and not _crosses(stretches):
        # Most of what one witness counted alone: thousands of series of a large provider.
        return [residual(engine=stretch.engine, gateway=stretch.gateway) for stretch in stretches]
    return explain_in_full(quantity, engines, stretches)


def _crosses(stretches: Sequence[Stretch]) -> bool:
    """Whether the engine counted more in one stretch and less in another, so that one can cancel the other."""
    differences = [stretch.engine - stretch.gateway for stretch in stretches]
    return min(differences, default=0) < 0 < max(differences, default=0)


def explain_in_full(quantity: str, engines: frozenset[str], stretches: Sequence[Stretch]) -> list[Residual]:
    """Do the same without looking first whether there is anything that could explain."""
    parts = [_identities(quantity, engines, stretch) for stretch in stretches]
    _explain_aborted(quantity, stretches, parts)
    left = _left(stretches, parts)
    moved = in_flight([(stretch.at, rest) for stretch, rest in zip(stretches, left, strict=True)])
    return [
        residual(
            engine=stretch.engine,
            gateway=stretch.gateway,
            explained=[*explained, *([Explained(Cause.IN_FLIGHT, tokens)] if tokens else [])],
        )
        for stretch, explained, tokens in zip(stretches, parts, moved, strict=True)
    ]


def in_flight(differences: Sequence[tuple[datetime, int]]) -> list[int]:
    """Return for each hour what of its difference its neighbours cancel; these sum to zero.

    `differences` are (hour, engine minus gateway) in order; an hour that is not there had none.
    """
    left = [difference for _, difference in differences]
    for index, ((hour_at, _), (next_at, _)) in enumerate(pairwise(differences)):
        here, there = left[index], left[index + 1]
        if next_at - hour_at == HOUR and here * there < 0:
            moved = min(abs(here), abs(there)) * (1 if here > 0 else -1)
            left[index] -= moved
            left[index + 1] += moved
    return [difference - rest for (_, difference), rest in zip(differences, left, strict=True)]


def _left(stretches: Sequence[Stretch], parts: Sequence[Sequence[Explained]]) -> list[int]:
    return [
        stretch.engine - stretch.gateway - sum(part.tokens for part in explained)
        for stretch, explained in zip(stretches, parts, strict=True)
    ]


def _explain_aborted(quantity: str, stretches: Sequence[Stretch], parts: Sequence[list[Explained]]) -> None:
    """Add what the engine counted of requests that never came to their end: neither finished nor in flight.

    Where all stretches together bear it out, each hour's part stands as the engine tells it, and what ran over an
    hour's edge is left to cancel. Else gateways report aborted requests too, and no part exceeds what is left.
    """
    if quantity not in ("input", "output"):
        return
    unfinished = [(one.at, 0 if one.finished is None else one.engine - one.finished) for one in stretches]
    aborted = [max(0, rest - edge) for (_, rest), edge in zip(unfinished, in_flight(unfinished), strict=True)]
    left = _left(stretches, parts)
    whole = sum(aborted) <= sum(left)
    cause = Cause.ABORTED_PREFILL if quantity == "input" else Cause.ABORTED
    for explained, tokens, rest in zip(parts, aborted, left, strict=True):
        proved = tokens if whole else min(tokens, max(0, rest))
        if proved:
            explained.append(Explained(cause, proved))


def _identities(quantity: str, engines: frozenset[str], stretch: Stretch) -> list[Explained]:
    """What each stretch explains by itself; a part that nothing bounds never exceeds the difference that is left."""
    left = stretch.engine - stretch.gateway
    copies = _copies(quantity, engines, stretch.sampled, left)
    left -= copies
    fewer = _excluded(quantity, engines, stretch)
    cause = Cause.CACHED_EXCLUDED
    if quantity == "requests":
        cause, fewer = Cause.ABORTED, -stretch.sampled.aborted
    found = [Explained(Cause.REPEATED_PROMPT, copies), Explained(cause, max(fewer, min(0, left)))]
    return [part for part in found if part.tokens]


def _copies(quantity: str, engines: frozenset[str], sampled: Sampled, difference: int) -> int:
    known = PROMPT_COPIES.get(next(iter(engines))) if len(engines) == 1 else None
    per_answer, per_request = known or (1, 0)
    if quantity == "input":
        copies = per_answer * sampled.repeated_input + per_request * sampled.input
    elif quantity == "requests":
        copies = per_answer * sampled.answers + per_request * sampled.requests
    else:
        return 0
    return copies if known else min(copies, max(0, difference))


def leaves_cached_out(quantity: str, engines: frozenset[str]) -> bool:
    """Whether cached tokens are missing from what engines of these kinds count: else they explain nothing."""
    return quantity == "input" and bool(engines) and engines <= CACHED_EXCLUDED


def _excluded(quantity: str, engines: frozenset[str], stretch: Stretch) -> int:
    return -stretch.uncounted_cached if leaves_cached_out(quantity, engines) else 0
