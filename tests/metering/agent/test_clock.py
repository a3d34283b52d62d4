"""Instants to read at, and a sleep that survives a clock that is set."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.clock import SystemClock, from_unix_ms, next_tick_ms, unix_ms
from tests.examples import examples

HOUR_MS = 3_600_000


def at(text: str) -> int:
    return unix_ms(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("after", "interval_s", "expected"),
    [
        ("2026-11-20T10:00:00+00:00", 10, "2026-11-20T10:00:10+00:00"),
        ("2026-11-20T10:00:09.999+00:00", 10, "2026-11-20T10:00:10+00:00"),
        ("2026-11-20T10:00:10.001+00:00", 10, "2026-11-20T10:00:20+00:00"),
        ("2026-11-20T10:59:55+00:00", 10, "2026-11-20T11:00:00+00:00"),
        # 7 does not divide the hour: the full hour is read all the same.
        ("2026-11-20T10:59:58+00:00", 7, "2026-11-20T11:00:00+00:00"),
        ("2026-11-20T11:00:00+00:00", 7, "2026-11-20T11:00:07+00:00"),
        ("2026-11-20T10:00:01+00:00", 300, "2026-11-20T10:05:00+00:00"),
    ],
)
def test_reads_are_aligned_to_the_wall_clock(after: str, interval_s: int, expected: str) -> None:
    assert next_tick_ms(at(after), interval_s) == at(expected)


@settings(max_examples=examples(25))
@given(st.integers(0, 4_000_000_000_000), st.integers(1, 300))
def test_the_next_read_is_later_soon_and_never_jumps_over_an_hour(after_ms: int, interval_s: int) -> None:
    tick_ms = next_tick_ms(after_ms, interval_s)
    assert after_ms < tick_ms <= after_ms + interval_s * 1_000
    assert tick_ms // HOUR_MS == after_ms // HOUR_MS or tick_ms % HOUR_MS == 0
    assert tick_ms % HOUR_MS % (interval_s * 1_000) == 0 or tick_ms % HOUR_MS == 0


@settings(max_examples=examples(25))
@given(st.integers(0, 253_402_300_799_999))
def test_unix_milliseconds_are_exact_both_ways(instant_ms: int) -> None:
    assert unix_ms(from_unix_ms(instant_ms)) == instant_ms


def test_unix_milliseconds_round_down() -> None:
    assert unix_ms(datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == 1


def test_the_system_clock_sleeps_to_the_instant() -> None:
    clock = SystemClock()
    instant = clock.now() + timedelta(milliseconds=30)
    clock.sleep_until(instant, threading.Event())
    assert clock.now() >= instant


def test_a_set_stop_ends_the_sleep_at_once() -> None:
    stop = threading.Event()
    stop.set()
    clock = SystemClock()
    far = clock.now() + timedelta(hours=1)
    clock.sleep_until(far, stop)
    assert clock.now() < far


class SteppedClock(SystemClock):
    """A wall clock that is set by `step_s` after the first look; the monotonic clock stands."""

    def __init__(self, step_s: float) -> None:
        self.looks = 0
        self._step = timedelta(seconds=step_s)

    def now(self) -> datetime:
        self.looks += 1
        start = datetime(2026, 11, 20, 10, tzinfo=UTC)
        return start if self.looks == 1 else start + self._step

    def monotonic_s(self) -> float:
        return 5.0


@pytest.mark.parametrize("step_s", [-7_200.0, 7_200.0])
def test_a_clock_that_is_set_wakes_the_sleeper_instead_of_hours_of_silence(step_s: float) -> None:
    clock = SteppedClock(step_s)
    clock.sleep_until(datetime(2026, 11, 20, 10, 0, 10, tzinfo=UTC), threading.Event())
    assert clock.looks <= 4
