"""Which instants of a node can be true. Pure.

A node stamps its readings with its own clock. A clock that is off by more than a limit would put usage into wrong
hours, so its readings are held: nothing of them is counted, and since registers only rise, the first reading
after the clock is right carries the whole rise. Within the limit nothing is shifted: it can move units between
neighbouring hours, never change a total.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from metering.hours import unix_ms_of

CLOCK_SKEW_MS_MAX: Final = 300_000


@dataclass(frozen=True, slots=True)
class ClockLimits:
    """The instants, Unix ms, that readings of one batch may have; `off` says that the node's clock was wrong."""

    earliest_ms: int
    latest_ms: int
    off: bool = False

    def trusts(self, read_at_ms: int) -> bool:
        """Whether a reading of this instant may be counted."""
        return not self.off and self.earliest_ms <= read_at_ms <= self.latest_ms

    def trusts_all(self, read_at_ms: list[int]) -> bool:
        """Whether every one of these instants, which do not fall, may be counted."""
        return self.trusts(read_at_ms[0]) and self.trusts(read_at_ms[-1])

    def nearest(self, read_at_ms: int) -> int:
        """Return the instant nearest to this one that can be true."""
        return max(self.earliest_ms, min(read_at_ms, self.latest_ms))


def clock_limits(*, enrolled_at: datetime, received_at: datetime, clock_skew_ms: int | None) -> ClockLimits:
    """Return the limits of a batch received at an instant from a node that was enrolled at another.

    `clock_skew_ms` is the server's clock minus the node's when the batch was sent, None if it was not told.
    """
    enrolled_ms, received_ms = unix_ms_of(enrolled_at), unix_ms_of(received_at)
    return ClockLimits(
        earliest_ms=min(enrolled_ms, received_ms) - CLOCK_SKEW_MS_MAX,
        latest_ms=received_ms + CLOCK_SKEW_MS_MAX,
        off=clock_skew_ms is not None and abs(clock_skew_ms) > CLOCK_SKEW_MS_MAX,
    )
