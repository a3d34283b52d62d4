"""Which instants of a node can be true."""

from __future__ import annotations

from datetime import timedelta
from functools import reduce

import pytest

from metering.clock import (
    CLOCK_SKEW_MS_MAX,
    MEASURED_BATCHES,
    SENT_SOON_MS_MAX,
    ClockLimits,
    ClockState,
    Stamps,
    clock_limits,
    measure_clock,
)
from tests.metering.fleet import NOON, NOON_MS

DAY_MS = 86_400_000


def limits(skew_ms: int | None = None) -> ClockLimits:
    return clock_limits(enrolled_at=NOON - timedelta(days=1), received_at=NOON, clock_skew_ms=skew_ms)


@pytest.mark.parametrize(
    ("at_ms", "trusted"),
    [
        (NOON_MS, True),
        (NOON_MS + CLOCK_SKEW_MS_MAX, True),
        (NOON_MS + CLOCK_SKEW_MS_MAX + 1, False),
        (NOON_MS - DAY_MS - CLOCK_SKEW_MS_MAX, True),
        (NOON_MS - DAY_MS - CLOCK_SKEW_MS_MAX - 1, False),
        (0, False),
    ],
)
def test_instants_from_enrolment_to_receipt_are_trusted_with_some_play(at_ms: int, trusted: bool) -> None:
    assert limits().trusts(at_ms) is trusted


@pytest.mark.parametrize(
    ("skew_ms", "off"), [(None, False), (0, False), (300_000, False), (300_001, True), (-300_001, True)]
)
def test_a_clock_off_by_more_than_the_limit_is_not_trusted_at_all(skew_ms: int | None, off: bool) -> None:
    assert limits(skew_ms).off is off
    assert limits(skew_ms).trusts(NOON_MS) is not off


def test_a_column_is_trusted_as_a_whole_by_its_ends() -> None:
    assert limits().trusts_all([NOON_MS - 5, NOON_MS])
    assert not limits().trusts_all([0, NOON_MS])
    assert not limits().trusts_all([NOON_MS, NOON_MS + DAY_MS])


def test_the_nearest_instant_that_can_be_true() -> None:
    assert limits().nearest(NOON_MS) == NOON_MS
    assert limits().nearest(0) == NOON_MS - DAY_MS - CLOCK_SKEW_MS_MAX
    assert limits().nearest(10 * NOON_MS) == NOON_MS + CLOCK_SKEW_MS_MAX


def test_a_node_enrolled_after_the_receipt_has_limits_all_the_same() -> None:
    made = clock_limits(enrolled_at=NOON + timedelta(days=1), received_at=NOON, clock_skew_ms=None)
    assert made.earliest_ms < made.latest_ms


def stamps(
    skew_ms: int | None,
    at_ms: int = NOON_MS,
    *,
    boot: str = "boot-1",
    monotonic_ms: int | None = None,
    late_ms: int = 0,
) -> Stamps:
    """A batch sealed at `at_ms` by the node's clock and sent `late_ms` later."""
    monotonic_ms = at_ms - NOON_MS + 50_000 if monotonic_ms is None else monotonic_ms
    return Stamps(boot, at_ms, monotonic_ms, at_ms + late_ms + (skew_ms or 0), skew_ms)


def after(*batches: Stamps) -> ClockState:
    return reduce(measure_clock, batches, ClockState())


def test_the_least_of_many_measures_is_nearest_to_the_truth() -> None:
    state = after(*(stamps(skew, NOON_MS + 10_000 * at) for at, skew in enumerate([23_000, 20_120, 20_040, 45_000])))
    assert (state.skew_ms, state.correction_ms) == (20_040, 20_120)


@pytest.mark.parametrize(
    ("skew_ms", "correction_ms"),
    [(None, 0), (1_999, 0), (-1_999, 0), (2_000, 2_000), (-90_000, -90_000), (300_000, 300_000), (300_001, 0)],
)
def test_a_clock_is_corrected_between_what_is_worth_it_and_the_limit(skew_ms: int | None, correction_ms: int) -> None:
    assert after(stamps(skew_ms)).correction_ms == correction_ms


def test_a_correction_stays_until_the_measure_has_moved() -> None:
    state = after(stamps(20_000), stamps(19_400, NOON_MS + 10_000))
    assert (state.skew_ms, state.correction_ms) == (19_400, 20_000)
    assert measure_clock(state, stamps(None, NOON_MS + 20_000)).correction_ms == 20_000


def test_a_step_against_the_monotonic_clock_begins_a_new_measure() -> None:
    state = after(stamps(0), stamps(20_000, NOON_MS - 10_000, monotonic_ms=60_000))
    assert (state.stepped_ms, state.stepped_at_ms) == (-20_000, NOON_MS - 10_000)
    assert (state.skew_ms, state.correction_ms) == (20_000, 20_000)
    rebooted = measure_clock(state, stamps(30, NOON_MS, boot="boot-2", monotonic_ms=1))
    assert (rebooted.skew_ms, rebooted.correction_ms, rebooted.stepped_ms) == (30, 0, -20_000)


def test_a_clock_that_drifts_is_followed() -> None:
    drifting = [stamps(3_000 + 200 * at, NOON_MS + 10_000 * at) for at in range(4 * MEASURED_BATCHES)]
    assert after(*drifting).correction_ms >= 3_000 + 200 * 2 * MEASURED_BATCHES


def test_a_batch_sent_long_after_it_was_sealed_measures_nothing() -> None:
    assert after(stamps(20_000, late_ms=SENT_SOON_MS_MAX + 1)).skew_ms is None
    assert after(stamps(20_000, late_ms=SENT_SOON_MS_MAX)).skew_ms == 20_000
