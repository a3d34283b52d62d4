"""Which faults befall a run, from its seed. Pure: the same seed gives the same plan, and a run can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

from tests.faults.metering.workload import TICKS, must_read

ReadFault = Literal[
    "page_refused",
    "page_malformed",
    "page_truncated",
    "page_repeats_series",
    "page_says_nan",
    "agent_down",
    "spool_full",
    "clock_ahead",
    "clock_behind",
]
KillFault = Literal["before_store", "after_store", "after_seal", "after_sending"]
SendFault = Literal[
    "request_lost",
    "answer_lost",
    "server_error",
    "corrupted",
    "truncated",
    "forged",
    "sent_again",
    "out_of_order",
    "older_server",
]
ServerFault = Literal["ingest_killed", "rollup_killed", "events_killed", "event_rollup_killed", "two_workers"]
EventFault = Literal["twice", "shuffled", "answer_lost", "request_lost", "altered"]

READ_FAULTS: Final[tuple[ReadFault, ...]] = ReadFault.__args__  # type: ignore[attr-defined]  # a Literal's choices
KILL_FAULTS: Final[tuple[KillFault, ...]] = KillFault.__args__  # type: ignore[attr-defined]
SEND_FAULTS: Final[tuple[SendFault, ...]] = SendFault.__args__  # type: ignore[attr-defined]
SERVER_FAULTS: Final[tuple[ServerFault, ...]] = ServerFault.__args__  # type: ignore[attr-defined]
EVENT_FAULTS: Final[tuple[EventFault, ...]] = EventFault.__args__  # type: ignore[attr-defined]
CUT_TICKS_MAX: Final = 100
STATEMENTS_MAX: Final = 12
"""A sweep or a call is killed at one of its first so many statements."""


@dataclass(frozen=True)
class Window:
    """A fault of reading for some ticks; `kind` names the server, "" all."""

    fault: ReadFault
    from_tick: int
    to_tick: int
    kind: str = ""

    def holds(self, tick: int, kind: str = "") -> bool:
        """Whether it is on at a tick, for a server."""
        return self.from_tick <= tick < self.to_tick and kind in {self.kind, ""}


@dataclass(frozen=True)
class Plan:
    """Everything that goes wrong in one run. Numbers beside a fault are the statement at which it strikes."""

    windows: tuple[Window, ...] = ()
    cuts: tuple[tuple[int, int], ...] = ()
    """Spans of ticks in which nothing reaches the server."""
    kills: tuple[tuple[int, KillFault], ...] = ()
    sends: tuple[tuple[int, SendFault], ...] = ()
    server: tuple[tuple[int, ServerFault, int], ...] = ()
    events: tuple[tuple[int, EventFault], ...] = ()
    rollups: frozenset[int] = frozenset()
    """Ticks after which the sweeps run."""

    @property
    def loses_readings(self) -> bool:
        """Whether a reading can be missing, so that only totals are exact and an hour's share is estimated."""
        return bool(self.windows) or any(fault == "before_store" for _, fault in self.kills)

    def cut(self, tick: int) -> bool:
        """Whether the network is cut at a tick."""
        return any(start <= tick < end for start, end in self.cuts)

    def window(self, fault: ReadFault, tick: int, kind: str = "") -> bool:
        """Whether a fault of reading is on."""
        return any(one.fault == fault and one.holds(tick, kind) for one in self.windows)


UNDISTURBED: Final = Plan(rollups=frozenset(range(0, TICKS, 40)))


def make_plan(seed: int) -> Plan:
    """The plan of a seed; every third one loses no reading, so that its hours must be exact too."""
    draw = random.Random(f"faults {seed}")
    lossless = seed % 3 == 0
    kills = KILL_FAULTS[1:] if lossless else KILL_FAULTS
    ticks = range(2, TICKS)
    kept = must_read(seed)
    return Plan(
        windows=() if lossless else _windows(draw, kept),
        cuts=tuple(_spans(draw, draw.randrange(3), CUT_TICKS_MAX)),
        kills=tuple(
            (tick, draw.choice(kills)) for tick in sorted(draw.sample(ticks, draw.randrange(5))) if tick not in kept
        ),
        sends=tuple((tick, draw.choice(SEND_FAULTS)) for tick in sorted(draw.sample(ticks, draw.randrange(8)))),
        server=tuple(
            (tick, draw.choice(SERVER_FAULTS), draw.randrange(STATEMENTS_MAX))
            for tick in sorted(draw.sample(ticks, draw.randrange(8)))
        ),
        events=tuple((tick, draw.choice(EVENT_FAULTS)) for tick in sorted(draw.sample(ticks, draw.randrange(12)))),
        rollups=frozenset(draw.sample(ticks, draw.randrange(1, 12))),
    )


def _windows(draw: random.Random, kept: set[int]) -> tuple[Window, ...]:
    found = []
    for start, end in _spans(draw, draw.randrange(1, 5), 20):
        fault = draw.choice(READ_FAULTS)
        kind = draw.choice(("vllm", "sglang", "llamacpp")) if fault.startswith("page_") else ""
        if not kept.intersection(range(start, end)):
            found.append(Window(fault, start, end, kind))
    return tuple(found)


def _spans(draw: random.Random, count: int, longest: int) -> list[tuple[int, int]]:
    starts = sorted(draw.sample(range(2, TICKS - 1), count))
    return [(start, min(start + draw.randrange(1, longest), TICKS - 1)) for start in starts]
