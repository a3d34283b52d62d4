"""Which instants of a node can be true."""

from __future__ import annotations

from datetime import timedelta

import pytest

from metering.clock import CLOCK_SKEW_MS_MAX, ClockLimits, clock_limits
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
