"""What three inference servers do in two hours, from a seed: the ground truth of the fault runs, to the token. Pure.

Time goes in ticks. Every request lies within one tick, so that what a server has counted at a tick is exactly what it
did before it. A server's register begins a new life after a tick that must be read; faults leave those ticks alone, as
tokens that nobody could have seen are not what is tested here.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from forecourt.demo.workload import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK_MS: Final = 30_000
TICKS: Final = 240
HOUR_MS: Final = 3_600_000
KINDS: Final = ("vllm", "sglang", "llamacpp")
LIFE_TICKS_MIN: Final = 70
"""A life this long has counted more than the next one can within any fault, so that a fall is seen as one."""

Figures = Counter[tuple[str, str, int]]
"""Tokens by (server, quantity, hour)."""


@dataclass(frozen=True)
class Life:
    """One life of a server's registers: from after tick `after` on; `reset` says that the process stayed the same."""

    after: int
    reset: bool = False


@dataclass(frozen=True)
class Workload:
    """Requests by server and tick, and each server's lives; `start_ms` is tick 0, a full hour."""

    start_ms: int
    requests: dict[str, list[list[Request]]]
    lives: dict[str, list[Life]]

    def at_ms(self, tick: int) -> int:
        """The instant of a tick."""
        return self.start_ms + tick * TICK_MS

    def all_requests(self) -> Iterator[tuple[str, Request]]:
        """Every request with its server."""
        for kind in KINDS:
            for at_tick in self.requests[kind]:
                for request in at_tick:
                    yield kind, request


def make_workload(seed: int, start_ms: int) -> Workload:
    """The workload of a seed."""
    draw = random.Random(f"workload {seed}")
    requests = {kind: [_requests(draw, kind, tick, start_ms) for tick in range(TICKS + 1)] for kind in KINDS}
    return Workload(start_ms, requests, make_lives(seed))


def make_lives(seed: int) -> dict[str, list[Life]]:
    """Each server's lives under a seed."""
    draw = random.Random(f"lives {seed}")
    return {kind: _lives(draw, kind) for kind in KINDS}


def must_read(seed: int) -> set[int]:
    """Ticks that must be read: the first two, the last of every life, and the one after it."""
    ends = {life.after for lives in make_lives(seed).values() for life in lives}
    return {0, 1, *ends, *(tick + 1 for tick in ends)}


def _requests(draw: random.Random, kind: str, tick: int, start_ms: int) -> list[Request]:
    """What a server does between the tick before and this one."""
    found = []
    for number in range(0 if tick == 0 else draw.choice((0, 1, 1, 2, 3))):
        at_ms = start_ms + (tick - 1) * TICK_MS + draw.randrange(1_000, 20_000)
        tokens = draw.randrange(1, 2_000)
        cached = draw.choice((0, 0, tokens // 2, tokens - 1))
        request_id = f"{kind}-{tick}-{number}"
        output = draw.randrange(0, 400)
        found.append(Request(request_id, kind, at_ms, at_ms + 500, at_ms + 5_000, tokens, cached, output))
    return sorted(found, key=lambda one: one.at_ms)


def _lives(draw: random.Random, kind: str) -> list[Life]:
    lives = [Life(0)]
    while len(lives) < 3 and draw.random() < 0.6:
        after = lives[-1].after + LIFE_TICKS_MIN + draw.randrange(40)
        if after > TICKS - 5:
            break
        lives.append(Life(after, reset=kind == "vllm" and draw.random() < 0.5))
    return lives


def truth(workload: Workload) -> Figures:
    """What must come out, for either witness."""
    figures: Figures = Counter()
    for kind, request in workload.all_requests():
        hour = (request.at_ms - workload.start_ms) // HOUR_MS
        figures[kind, "input", hour] += request.input
        figures[kind, "cached_input", hour] += request.cached_input
        figures[kind, "output", hour] += request.output
    return +figures
