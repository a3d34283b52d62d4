"""The forecast of a month, whatever the days: it holds what is used, keeps its order, and forgets what is old."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.forecast import HISTORY_DAYS, TRIES_MIN, WEEK, Forecast, forecast
from tests.examples import examples

ZERO = Decimal(0)
DAYS = st.lists(st.decimals(min_value=0, max_value=10**6, places=2), min_size=WEEK, max_size=45)
LEFT = st.integers(1, 31)
ONE = st.decimals(min_value=0, max_value=10**6, places=2)


def made(days: list[Decimal], *, spent: Decimal = ZERO, today: Decimal = ZERO, left: int = 9) -> Forecast:
    found = forecast(days, spent=spent, today=today, left=left)
    assert found is not None
    return found


@settings(max_examples=40, deadline=None)
@given(days=DAYS, spent=ONE, more=ONE, left=LEFT)
def test_what_is_spent_is_added_and_nothing_else(days: list[Decimal], spent: Decimal, more: Decimal, left: int) -> None:
    less, much = made(days, spent=spent, left=left), made(days, spent=spent + more, left=left)
    assert much.expected - less.expected == more
    assert much.tries == less.tries


@settings(max_examples=40, deadline=None)
@given(days=DAYS, today=ONE, more=ONE, left=LEFT)
def test_more_used_today_is_never_less_foretold(days: list[Decimal], today: Decimal, more: Decimal, left: int) -> None:
    less, much = made(days, today=today, left=left), made(days, today=today + more, left=left)
    assert less.expected <= much.expected <= less.expected + more
    assert much.expected >= today + more


@settings(max_examples=40, deadline=None)
@given(days=DAYS, left=st.integers(1, 30))
def test_a_day_more_to_come_is_never_less_foretold(days: list[Decimal], left: int) -> None:
    assert made(days, left=left).expected <= made(days, left=left + 1).expected


@settings(max_examples=30, deadline=None)
@given(days=DAYS, old=st.lists(ONE, min_size=1, max_size=9), left=LEFT)
def test_what_is_older_than_the_history_changes_nothing(days: list[Decimal], old: list[Decimal], left: int) -> None:
    whole = (days * (HISTORY_DAYS // len(days) + 1))[-HISTORY_DAYS:]
    assert made(old + whole, left=left) == made(whole, left=left)


@settings(max_examples=40, deadline=None)
@given(days=DAYS, left=LEFT)
def test_a_range_is_there_exactly_where_enough_days_were_tried(days: list[Decimal], left: int) -> None:
    found = made(days, left=left)
    assert (found.low is None) == (found.high is None)
    if found.tries < TRIES_MIN:
        assert found.low is None
    if found.low is not None and found.high is not None:
        assert found.low <= found.high
        assert found.expected <= found.high
        assert found.low <= found.expected


@settings(max_examples=examples(25))
@given(st.lists(ONE, max_size=WEEK - 1))
def test_less_than_a_week_says_nothing(days: list[Decimal]) -> None:
    assert forecast(days, spent=ZERO, today=ZERO, left=1) is None


def test_the_last_day_of_a_month_is_today_alone() -> None:
    days = [Decimal(10)] * 14
    assert made(days, spent=Decimal(300), today=ZERO, left=1).expected == 310
    assert made(days, spent=Decimal(300), today=Decimal(4), left=1).expected == 310
    assert made(days, spent=Decimal(300), today=Decimal(11), left=1).expected == 311


def test_a_month_without_a_day_left_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        forecast([Decimal(1)] * 9, spent=ZERO, today=ZERO, left=0)


@pytest.mark.parametrize(("count", "tries"), [(14, 1), (19, 6), (20, 7), (21, 8)])
def test_each_past_day_with_a_week_after_it_is_tried_once(count: int, tries: int) -> None:
    found = made([Decimal(1)] * count, left=30)
    assert found.tries == tries
    assert (found.low is None) == (tries < TRIES_MIN)


def test_a_month_near_its_end_tries_as_few_days_ahead_as_are_left() -> None:
    days = [Decimal(one) for one in range(1, 20)]
    assert made(days, left=1).tries == len(days) - WEEK
    assert made(days, left=3).tries == len(days) - WEEK - 2
    assert made(days, left=31).tries == made(days, left=WEEK).tries


def test_a_silent_week_after_busy_ones_has_a_figure_and_no_range() -> None:
    found = made([Decimal(50)] * 21 + [ZERO] * 7, spent=Decimal(1050), left=3)
    assert replace(found, tries=0) == Forecast(Decimal(1050), None, None, 0)


def test_what_once_doubled_makes_a_range_of_twice_and_half() -> None:
    days = [Decimal(10)] * 14 + [Decimal(20)] * 7
    found = made(days, left=7)
    assert found.expected == 140
    assert found.low is not None
    assert found.high is not None
    assert found.low < 140 < found.high
    assert found.low * found.high == pytest.approx(Decimal(140) ** 2)
