"""The forecast of a month: what repeats is foretold exactly, what swings gets a range, what is used stays."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.forecast import HISTORY_DAYS, TRIES_MIN, WEEK, forecast

AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=2)
WEEKS = [Decimal(one) for one in (5, 1, 1, 1, 1, 1, 5)]


def test_a_week_that_repeats_is_foretold_exactly() -> None:
    found = forecast(WEEKS * 4, spent=Decimal(30), today=Decimal(0), left=10)
    assert found is not None
    assert found.expected == 30 + 15 + 5 + 1 + 1
    assert (found.low, found.high) == (found.expected, found.expected)
    assert found.tries == 28 - WEEK - WEEK + 1


def test_less_than_a_week_has_no_forecast_and_little_more_has_no_range() -> None:
    assert forecast([Decimal(1)] * 6, spent=Decimal(6), today=Decimal(0), left=20) is None
    short = forecast([Decimal(1)] * 12, spent=Decimal(6), today=Decimal(0), left=20)
    assert short is not None
    assert (short.expected, short.low, short.high) == (Decimal(26), None, None)
    assert short.tries < TRIES_MIN


def test_what_today_has_used_above_its_like_is_added_and_below_it_is_not_taken_off() -> None:
    days = [Decimal(10)] * 14
    usual = forecast(days, spent=Decimal(140), today=Decimal(3), left=1)
    more = forecast(days, spent=Decimal(140), today=Decimal(25), left=1)
    assert usual is not None
    assert more is not None
    assert (usual.expected, more.expected) == (Decimal(150), Decimal(165))


def test_nothing_used_has_no_range() -> None:
    found = forecast([Decimal(0)] * 30, spent=Decimal(0), today=Decimal(0), left=5)
    assert found is not None
    assert (found.expected, found.low, found.tries) == (Decimal(0), None, 0)


def test_the_range_is_wider_the_more_days_lie_ahead() -> None:
    random = Random(7)
    days = [Decimal(random.randrange(80, 120)) for _day in range(60)]
    widths = []
    for left in (7, 14, 21, 28):
        found = forecast(days, spent=Decimal(0), today=Decimal(0), left=left)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.expected < found.high
        widths.append(found.high / found.low)
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_only_the_latest_days_count() -> None:
    recent = WEEKS * 10
    assert len(recent) == HISTORY_DAYS
    given_all = forecast([Decimal(999)] * 50 + recent, spent=Decimal(0), today=Decimal(0), left=9)
    assert given_all == forecast(recent, spent=Decimal(0), today=Decimal(0), left=9)


@settings(max_examples=60, deadline=None)
@given(
    days=st.lists(AMOUNTS, min_size=7, max_size=40),
    spent=AMOUNTS,
    today=AMOUNTS,
    left=st.integers(min_value=1, max_value=31),
)
def test_a_forecast_is_never_below_what_is_used_and_its_range_holds_it(
    days: list[Decimal], spent: Decimal, today: Decimal, left: int
) -> None:
    found = forecast(days, spent=spent, today=today, left=left)
    assert found is not None
    assert found.expected >= spent
    if found.low is not None and found.high is not None:
        assert spent + today <= found.low <= found.high
        assert found.high >= found.expected


@settings(max_examples=30, deadline=None)
@given(days=st.lists(st.integers(min_value=0, max_value=10**6), min_size=10, max_size=40), factor=st.integers(2, 1000))
def test_a_forecast_is_of_the_unit_it_was_given(days: list[int], factor: int) -> None:
    one = forecast([Decimal(day) for day in days], spent=Decimal(1), today=Decimal(0), left=9)
    many = forecast([Decimal(day * factor) for day in days], spent=Decimal(factor), today=Decimal(0), left=9)
    assert one is not None
    assert many is not None
    assert many.expected == one.expected * factor
    if one.high is not None:
        assert many.high is not None
        assert float(many.high) == pytest.approx(float(one.high) * factor)
