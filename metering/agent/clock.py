"""The only place of the agent that reads a clock.

The agent gets two clocks as arguments: the one that stamps readings and paces reads, which a simulation
replaces, and the real one for timeouts, backoff and the `Forecourt-Sent-At` header.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

STEP_S_MIN: Final = 1.0
"""A wall clock that moves this much more or less than the monotonic clock was stepped."""
_SLICE_S: Final = 1.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What the agent knows of time."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware UTC."""

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never falls."""

    def sleep_until(self, instant: datetime, stop: threading.Event) -> None:
        """Return at `instant`, or earlier when `stop` is set or the wall clock was stepped."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The machine's wall clock."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()

    def sleep_until(self, instant: datetime, stop: threading.Event) -> None:
        """Wait in slices, so that a step of the wall clock never turns into hours of silence."""
        offset_s = self.now().timestamp() - self.monotonic_s()
        while not stop.is_set():
            remaining_s = (instant - self.now()).total_seconds()
            stepped_s = abs(self.now().timestamp() - self.monotonic_s() - offset_s)
            if remaining_s <= 0 or stepped_s >= STEP_S_MIN:
                return
            stop.wait(min(remaining_s, _SLICE_S))


def unix_ms(instant: datetime) -> int:
    """Unix milliseconds of an aware instant, rounded down, exact."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_unix_ms(instant_ms: int) -> datetime:
    """The aware UTC instant of Unix milliseconds."""
    return _EPOCH + timedelta(milliseconds=instant_ms)


def next_tick_ms(after_ms: int, interval_s: int) -> int:
    """The first instant after `after_ms` at which to read: hour + k × interval, and every full hour."""
    hour_ms = after_ms - after_ms % 3_600_000
    step_ms = interval_s * 1_000
    tick_ms = hour_ms + ((after_ms - hour_ms) // step_ms + 1) * step_ms
    return min(tick_ms, hour_ms + 3_600_000)
