"""Which instants of a node can be true. Pure.

A node stamps its readings with its own clock. A clock that is off by more than a limit would put usage into wrong
hours, so its readings are held: nothing of them is counted, and since registers only rise, the first reading
after the clock is right carries the whole rise. Within the limit its instants are moved by what it is off, as
measured over many batches: that can move units between neighbouring hours, never change a total.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from metering.hours import unix_ms_of

CLOCK_SKEW_MS_MAX: Final = 300_000
CORRECTED_MS_MIN: Final = 2_000
"""A smaller difference may be the way that the batch took, and is not worth moving an instant for."""
MOVED_MS_MIN: Final = 1_000
"""A correction stays until the measure has moved by this much, so that instants do not jitter."""
STEP_MS_MIN: Final = 1_000
"""A wall clock that moved this much more or less than the monotonic clock was stepped."""
MEASURED_BATCHES: Final = 30
SENT_SOON_MS_MAX: Final = 600_000
"""A batch sent later than this after it was sealed tells the clock at sending, not the one that stamped it."""


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


class ClockState(msgspec.Struct, frozen=True):
    """What is known of a node's clock after its batches so far, all in milliseconds.

    A measured difference is the true one plus the way of the batch, so the least of many is nearest to it: `least_ms`
    of the running stretch of `measured` batches and `before_ms` of the stretch before. A step of the wall clock
    against the monotonic one (`offset_ms` is their difference) begins a new stretch.
    """

    boot_id: str = ""
    offset_ms: int | None = None
    least_ms: int | None = None
    before_ms: int | None = None
    measured: int = 0
    correction_ms: int = 0
    stepped_ms: int = 0
    stepped_at_ms: int | None = None

    @property
    def skew_ms(self) -> int | None:
        """The server's clock minus the node's, as measured; None where it is not known."""
        known = [one for one in (self.least_ms, self.before_ms) if one is not None]
        return min(known, default=None)


class Stamps(msgspec.Struct, frozen=True):
    """What a batch says of the clocks: the node's two when it was sealed, the server's at receipt and the difference
    of the wall clocks when it was sent (None: not told).
    """

    boot_id: str
    wall_ms: int
    monotonic_ms: int
    received_ms: int
    skew_ms: int | None


def measure_clock(state: ClockState, stamps: Stamps) -> ClockState:
    """Return what is known of the clock with one more batch, the next of the node."""
    offset_ms = stamps.wall_ms - stamps.monotonic_ms
    least_ms, before_ms, measured = state.least_ms, state.before_ms, state.measured
    stepped_ms, stepped_at_ms = state.stepped_ms, state.stepped_at_ms
    same_boot = state.offset_ms is not None and stamps.boot_id == state.boot_id
    step_ms = offset_ms - state.offset_ms if same_boot and state.offset_ms is not None else 0
    if not same_boot or abs(step_ms) >= STEP_MS_MIN:
        least_ms, before_ms, measured = None, None, 0
    if abs(step_ms) >= STEP_MS_MIN:
        stepped_ms, stepped_at_ms = step_ms, stamps.wall_ms
    if stamps.skew_ms is not None and _sent_soon(stamps.wall_ms, stamps.received_ms - stamps.skew_ms):
        if measured >= MEASURED_BATCHES:
            least_ms, before_ms, measured = None, least_ms, 0
        least_ms, measured = min(stamps.skew_ms, stamps.skew_ms if least_ms is None else least_ms), measured + 1
    known = [one for one in (least_ms, before_ms) if one is not None]
    return ClockState(
        boot_id=stamps.boot_id,
        offset_ms=offset_ms,
        least_ms=least_ms,
        before_ms=before_ms,
        measured=measured,
        correction_ms=_correction(state.correction_ms, min(known, default=None)),
        stepped_ms=stepped_ms,
        stepped_at_ms=stepped_at_ms,
    )


def _sent_soon(sealed_ms: int, sent_ms: int) -> bool:
    return -STEP_MS_MIN <= sent_ms - sealed_ms <= SENT_SOON_MS_MAX


def _correction(before_ms: int, skew_ms: int | None) -> int:
    """Return by how much instants are moved from here on; what is not measured leaves it as it was."""
    if skew_ms is None or abs(skew_ms - before_ms) < MOVED_MS_MIN:
        return before_ms
    return skew_ms if CORRECTED_MS_MIN <= abs(skew_ms) <= CLOCK_SKEW_MS_MAX else 0
