"""Requests to the simulated engines, known beforehand to the token: a seeded sample, or the Azure traces replayed.

Pure: instants are Unix milliseconds of the sample world's clock, and the same arguments give the same requests.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from forecourt.demo.quantiles import (
    CODE_INPUT,
    CODE_OUTPUT,
    CONVERSATION_INPUT,
    CONVERSATION_OUTPUT,
    draw,
)
from metering.checks import EVENT_TOKENS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CHAT: Final = "chat"
CODE: Final = "code"
SMALL: Final = "small"
CHAT_MODEL: Final = "llama-3-70b"
CODE_MODEL: Final = "qwen3-coder-30b"
SMALL_MODEL: Final = "qwen3-4b"

# llama.cpp prints six significant digits: its registers are exact below a million, which this keeps them under.
SMALL_EVERY: Final = 25
SMALL_INPUT_MAX: Final = 900_000

QUIET_HOURS: Final = 2
PREFILL_TOKENS_PER_S: Final = 15_000
DECODE_TOKENS_PER_S: Final = 34
TRACE_FILES: Final = {
    CHAT: "AzureLLMInferenceTrace_conv.csv",
    CODE: "AzureLLMInferenceTrace_code.csv",
}
# Rows of the public traces of 2023; a trace of one's own has other numbers and needs only the same columns.
PUBLIC_ROWS: Final = {CHAT: 19_366, CODE: 8_819}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TraceUnusable(Exception):
    """The folder given does not hold the traces: says which file, line and column."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it came, when its prompt was read and its last token made, and its tokens."""

    id: str
    stream: str
    """chat, code or small: whose service it is."""
    at_ms: int
    prefilled_ms: int
    done_ms: int
    input: int
    cached_input: int
    output: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a set of requests adds up to."""

    requests: int
    input: int
    cached_input: int
    output: int


def totals(requests: Iterable[Request]) -> Totals:
    """Add requests up."""
    chosen = list(requests)
    return Totals(
        requests=len(chosen),
        input=sum(one.input for one in chosen),
        cached_input=sum(one.cached_input for one in chosen),
        output=sum(one.output for one in chosen),
    )


def seeded(*, seed: int, from_at: datetime, to_at: datetime, count: int, name: str) -> list[Request]:
    """Return `count` requests done within `[from_at, to_at)`, more by day than by night and fewer at weekends.

    `name` begins their ids.
    """
    source = random.Random(seed)
    hours = int((to_at - from_at) / timedelta(hours=1))
    # The gateway posts once an hour: what is done two hours before the end is posted before anyone passes it.
    starts = [from_at + timedelta(hours=hour) for hour in range(hours - QUIET_HOURS)]
    weights = [_busyness(start) for start in starts]
    last_ms = _ms(to_at) - QUIET_HOURS * 3_600_000
    made = []
    for number, start in enumerate(sorted(source.choices(starts, weights, k=count))):
        stream = CHAT if source.random() < 0.62 else CODE
        inputs, outputs = (CONVERSATION_INPUT, CONVERSATION_OUTPUT) if stream == CHAT else (CODE_INPUT, CODE_OUTPUT)
        size = draw(inputs, source.uniform(0, 100))
        cached = size * source.randrange(0, 80) // 100 // 16 * 16 if source.random() < 0.45 else 0
        at_ms = min(_ms(start) + source.randrange(3_600_000), last_ms)
        output = draw(outputs, source.uniform(0, 100))
        made.append(_request(f"{name}-{number:07d}", stream, at_ms, size=size, cached=cached, output=output))
    return made


def replayed(folder: Path, from_at: datetime) -> list[Request]:
    """Return every request of the Azure conversation and code traces, the first one arriving at `from_at`.

    Raises TraceUnusable.
    """
    rows = {stream: list(_trace_rows(folder / name)) for stream, name in TRACE_FILES.items()}
    first = min((at for found in rows.values() for at, _, _ in found), default=None)
    if first is None:
        raise TraceUnusable(f"{folder}: no request in {' or '.join(TRACE_FILES.values())}; expected at least one")
    made = [
        _request(
            f"{stream}-{number:07d}",
            stream,
            _ms(from_at) + (at - first) // timedelta(milliseconds=1),
            size=size,
            cached=0,
            output=output,
        )
        for stream, found in rows.items()
        for number, (at, size, output) in enumerate(found)
    ]
    return sorted(made, key=lambda one: (one.at_ms, one.id))


def trace_rows(folder: Path) -> dict[str, int]:
    """Return how many rows each trace file of a folder has, counted by its lines and not by what we read of them."""
    return {
        stream: sum(1 for line in (folder / name).read_bytes().splitlines() if line.strip()) - 1
        for stream, name in TRACE_FILES.items()
    }


def model_of(stream: str) -> str:
    """Return the served model's name of a stream."""
    return {CHAT: CHAT_MODEL, CODE: CODE_MODEL, SMALL: SMALL_MODEL}[stream]


def _trace_rows(path: Path) -> Iterable[tuple[datetime, int, int]]:
    try:
        with path.open(newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                try:
                    # Seven decimals of a second; Python keeps six.
                    at = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
                    yield at, _tokens(row["ContextTokens"]), _tokens(row["GeneratedTokens"])
                except (KeyError, TypeError, ValueError) as wrong:
                    raise TraceUnusable(
                        f"{path.name} line {number}: {wrong}; expected TIMESTAMP,ContextTokens,GeneratedTokens"
                    ) from wrong
    except OSError as absent:
        raise TraceUnusable(f"{path}: {absent.strerror}; expected {' and '.join(TRACE_FILES.values())}") from absent
    except (UnicodeDecodeError, csv.Error) as broken:
        raise TraceUnusable(f"{path}: {broken}; expected a CSV file in UTF-8") from broken


def _tokens(text: str) -> int:
    tokens = int(text)
    if not 0 <= tokens <= EVENT_TOKENS_MAX:
        raise ValueError(f"{tokens} tokens in one request; at most {EVENT_TOKENS_MAX}")
    return tokens


def _request(name: str, stream: str, at_ms: int, *, size: int, cached: int, output: int) -> Request:
    prefilled_ms = at_ms + 20 + (size - cached) * 1000 // PREFILL_TOKENS_PER_S
    done_ms = prefilled_ms + output * 1000 // DECODE_TOKENS_PER_S + 1
    return Request(name, stream, at_ms, prefilled_ms, done_ms, size, cached, output)


def with_small(requests: Sequence[Request]) -> list[Request]:
    """Send every 25th code request of a world to its small model, as long as that one's registers stay exact."""
    used = made = seen = 0
    sent = []
    for one in requests:
        chosen = one
        if one.stream == CODE:
            seen += 1
            fits = max(used + one.input, made + one.output) <= SMALL_INPUT_MAX
            if seen % SMALL_EVERY == 0 and fits:
                used, made = used + one.input, made + one.output
                chosen = Request(
                    one.id, SMALL, one.at_ms, one.prefilled_ms, one.done_ms, one.input, one.cached_input, one.output
                )
        sent.append(chosen)
    return sent


def _busyness(start: datetime) -> float:
    by_day = 0.35 + 0.65 * max(0.0, 1 - abs(start.hour - 14) / 9)
    growth = 1 + start.day * 0.012
    return by_day * growth * (0.55 if start.weekday() >= 5 else 1.0)


def _ms(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)
