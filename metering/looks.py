"""When a node looked: the stretches of time that its batches cover, hour by hour, and the holes between them. Pure.

A node looks every few seconds and says so in what it ships, whether it found something or not. Two looks close together
cover the time between them. A longer pause is a hole: the node did not look, whatever its registers did meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from metering.hours import HOUR_MS, hour_of

HOLE_MS_MIN: Final = 120_000
"""No shorter pause between two looks is a hole."""
HOLE_PAUSES: Final = 3
"""A pause this many times as long as the node's usual one is a hole."""
PAUSE_MS_MAX: Final = 310_000
"""The longest pause that an agent may be set to (300 s), with some slack: what is usual until a node has shown it."""
PAUSE_WEIGHT: Final = 8


@dataclass(slots=True)
class HourLooks:
    """How long of an hour is covered, in ms, and at how many instants the node looked."""

    observed_ms: int = 0
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch `[from_ms, to_ms)` in which the node did not look."""

    from_ms: int
    to_ms: int


@dataclass(slots=True)
class Looks:
    """A node's looks being folded in order; `to_ms` is the last one so far, None before the first.

    `usual_ms` is the pause that the node makes between looks: a shorter one counts at once, a longer one by and by. It
    is never learnt to be longer than an agent can be set to; one given longer stays while the node keeps to it.
    """

    to_ms: int | None
    usual_ms: int | None = None
    hours: dict[int, HourLooks] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)

    def add(self, instants_ms: Iterable[int]) -> None:
        """Add instants, ascending; those at or before the last one were covered already or came out of order."""
        for at_ms in instants_ms:
            if self.to_ms is not None:
                if at_ms <= self.to_ms:
                    continue
                if at_ms - self.to_ms > self._longest_ms():
                    self.holes.append(Hole(self.to_ms, at_ms))
                else:
                    self._cover(self.to_ms, at_ms)
                self._learn(min(at_ms - self.to_ms, max(PAUSE_MS_MAX, self.usual_ms or 0)))
            self.hours.setdefault(hour_of(at_ms), HourLooks()).looks += 1
            self.to_ms = at_ms

    def _longest_ms(self) -> int:
        return PAUSE_MS_MAX if self.usual_ms is None else max(HOLE_MS_MIN, HOLE_PAUSES * self.usual_ms)

    def _learn(self, pause_ms: int) -> None:
        if self.usual_ms is None or pause_ms < self.usual_ms:
            self.usual_ms = pause_ms
        else:
            self.usual_ms += (pause_ms - self.usual_ms) // PAUSE_WEIGHT

    def _cover(self, from_ms: int, to_ms: int) -> None:
        while from_ms < to_ms:
            hour_ms = hour_of(from_ms)
            ends_ms = min(to_ms, hour_ms + HOUR_MS)
            self.hours.setdefault(hour_ms, HourLooks()).observed_ms += ends_ms - from_ms
            from_ms = ends_ms


def instants_of(columns_ms: Sequence[Sequence[int]], *more_ms: int) -> list[int]:
    """Return the instants at which a batch's columns were read, ascending; not every one of every column.

    The longest column holds nearly every look; of the others the ends are enough to miss no look for long.
    """
    found = {at_ms for column in columns_ms for at_ms in (column[0], column[-1])} | set(more_ms)
    longest: Sequence[int] = ()
    for column in columns_ms:
        longest = column if len(column) > len(longest) else longest
    return sorted(found.union(longest))
