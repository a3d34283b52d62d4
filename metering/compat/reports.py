"""What another program reports of one request, in our words: who, which model, how many tokens. Pure.

Every foreign shape is read into a `Report` or an `Unusable`. Only counts and names pass: prompts, answers and
addresses of people are never read from a body, so that nothing later can store or log them.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from metering.checks import EVENT_TOKENS_MAX
from metering.event_items import NAME_CHARS_MAX

_DIGITS: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_SAMPLE_CHARS_MAX: Final = 200

INPUT_NAMES: Final = ("prompt_tokens", "input_tokens", "input")
OUTPUT_NAMES: Final = ("completion_tokens", "output_tokens", "output")
CACHED_NAMES: Final = ("cached_input", "cached_tokens", "cached_input_tokens", "cache_read_input_tokens")
CACHE_WRITE_NAMES: Final = ("cache_write", "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
REASONING_NAMES: Final = ("reasoning", "reasoning_tokens")
INPUT_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details")
OUTPUT_DETAILS: Final = ("completion_tokens_details", "output_tokens_details")
KINDS: Final = {"input": 0, "prompt": 0, "output": 3, "completion": 3}
"""`{"type": "input", "tokens": 5}`: one class of tokens an event, as OpenMeter's own examples send them."""

Counts = tuple[int, int, int, int, int]
"""`input, cached_input, cache_write, output, reasoning`."""


@dataclass(frozen=True, slots=True)
class Report:
    """One request's tokens as another program tells of them; `subject` is its name for whose they are.

    Where the program told no time, `occurred_at` is when the report came in, and it is not `timed`.
    """

    source: str
    event_id: str
    occurred_at: datetime
    subject: str
    model: str
    counts: Counts
    label: str = ""
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Unusable:
    """An item that is no usage: a stable code, what was found, and a sample of it without content."""

    code: str
    detail: str
    event_id: str = ""
    subject: str = ""

    @property
    def sample(self) -> dict[str, str]:
        """What of the item may be kept to look at."""
        return {
            "id": self.event_id[:_SAMPLE_CHARS_MAX],
            "subject": self.subject[:_SAMPLE_CHARS_MAX],
            "detail": self.detail[:_SAMPLE_CHARS_MAX],
        }


class TokensUnreadable(Exception):
    """The data of an item tells no tokens that can be counted: a stable code and what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_counts(data: Mapping[str, object]) -> Counts:
    """Read the tokens of an item by the names that OpenAI's, LiteLLM's and OpenMeter's clients use.

    Cached tokens are a part of input and reasoning a part of output. What is not told is 0 here; a source that never
    tells it cannot be billed by it. Raises TokensUnreadable.
    """
    kind = KINDS.get(str(data.get("type", "")))
    if kind is not None and "tokens" in data:
        told = _count(data["tokens"], "tokens")
        return (told, 0, 0, 0, 0) if kind == 0 else (0, 0, 0, told, 0)
    tokens, output = _first(data, INPUT_NAMES), _first(data, OUTPUT_NAMES)
    if tokens is None and output is None:
        raise TokensUnreadable("no_tokens", f"none of {', '.join((*INPUT_NAMES[:2], *OUTPUT_NAMES[:2]))} is there")
    cached = _first(data, CACHED_NAMES) or _first(_details(data, INPUT_DETAILS), CACHED_NAMES) or 0
    cache_write = _first(data, CACHE_WRITE_NAMES) or _first(_details(data, INPUT_DETAILS), CACHE_WRITE_NAMES) or 0
    reasoning = _first(data, REASONING_NAMES) or _first(_details(data, OUTPUT_DETAILS), REASONING_NAMES) or 0
    counts = (tokens or 0, cached, cache_write, output or 0, reasoning)
    if cached > counts[0]:
        raise TokensUnreadable("cached_exceeds_input", f"{cached} cached of {counts[0]} input tokens")
    if reasoning > counts[3]:
        raise TokensUnreadable("reasoning_exceeds_output", f"{reasoning} reasoning of {counts[3]} output tokens")
    return counts


def read_report(
    *,
    source: str,
    event_id: str,
    occurred_at: datetime | None,
    subject: str,
    data: Mapping[str, object],
    now: datetime,
) -> Report | Unusable:
    """Make the report of one item from its data: `model` and the tokens. Without a time it occurred just now."""
    model = data.get("model")
    faults = {"id": event_id, "source": source, "model": model, "subject": subject or "-"}
    for name, text in faults.items():
        if not isinstance(text, str) or not text:
            return Unusable("missing", f"{name} is missing", event_id, subject)
        if len(text) > NAME_CHARS_MAX or "\0" in text:
            return Unusable("bad_length", f"{name} has more than {NAME_CHARS_MAX} characters", event_id, subject)
    try:
        counts = read_counts(data)
    except TokensUnreadable as refused:
        return Unusable(refused.code, refused.detail, event_id, subject)
    at = occurred_at or now
    return Report(source, event_id, at, subject, str(model), counts, timed=occurred_at is not None)


def _details(data: Mapping[str, object], names: tuple[str, ...]) -> Mapping[str, object]:
    for name in names:
        found = data.get(name)
        if isinstance(found, Mapping):
            return found
    return {}


def _first(data: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    for name in names:
        if data.get(name) is not None:
            return _count(data[name], name)
    return None


def _count(value: object, name: str) -> int:
    """Whole tokens: an integer, its decimal digits, or a float without a fraction."""
    number: int | None = None
    if (isinstance(value, str) and _DIGITS.fullmatch(value)) or (
        isinstance(value, float) and math.isfinite(value) and value.is_integer()
    ):
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None:
        raise TokensUnreadable("not_a_number", f"{name} is no whole number of tokens")
    if not 0 <= number <= EVENT_TOKENS_MAX:
        raise TokensUnreadable("absurd", f"{name} is not within 0 and {EVENT_TOKENS_MAX}")
    return number
