"""Months of statements."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing.statements.months import month_of, month_of_period, next_month, over_at, previous_month

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


@pytest.mark.parametrize(
    ("to_at", "zone", "month"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), "UTC", MARCH),
        (datetime(2026, 4, 1, 4, tzinfo=UTC), "America/New_York", MARCH),
        (datetime(2026, 3, 31, 16, tzinfo=UTC), "Asia/Shanghai", MARCH),
        (datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC), "UTC", APRIL),
        (datetime(2026, 4, 15, tzinfo=UTC), "UTC", APRIL),
    ],
)
def test_a_period_belongs_to_the_month_of_its_last_instant_by_the_contracts_clock(
    to_at: datetime, zone: str, month: date
) -> None:
    assert month_of_period(to_at, zone) == month


def test_an_instant_belongs_to_its_month_in_utc() -> None:
    assert month_of(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == MARCH
    assert month_of(datetime(2026, 4, 1, tzinfo=UTC)) == APRIL


def test_a_month_is_over_when_the_last_clock_on_earth_says_so() -> None:
    assert over_at(MARCH) == datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert over_at(date(2026, 12, 1)) == datetime(2027, 1, 1, 12, tzinfo=UTC)


def test_months_follow_each_other() -> None:
    month = date(2026, 1, 1)
    for _step in range(30):
        following = next_month(month)
        assert previous_month(following) == month
        assert following.day == 1
        month = following
    assert month == date(2028, 7, 1)
