"""Hours unlike before, at the borders of each rule: how many times, how far, how much, and how seldom."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.profile import (
    DAYS_MIN,
    HOURS_OF_DAY,
    HOURS_OF_WEEK,
    TIMES,
    TOKENS_MIN,
    WEEKS_MIN,
    Unlike,
    unlike_hours,
)
from tests.examples import examples

USUAL = 10 * TOKENS_MIN
STEADY = [USUAL] * (HOURS_OF_DAY * DAYS_MIN)


def last(used: int, before: list[int] | None = None) -> list[Unlike]:
    return unlike_hours([*(STEADY if before is None else before), used], latest=1)


@pytest.mark.parametrize(
    ("used", "is_unlike"),
    [
        (TIMES * USUAL, True),
        (TIMES * USUAL - 1, False),
        (USUAL // TIMES, True),
        (USUAL // TIMES + 1, False),
        (USUAL, False),
        (0, True),
    ],
)
def test_three_times_and_a_third_are_unlike_and_a_token_less_is_not(used: int, is_unlike: bool) -> None:
    assert last(used) == ([Unlike(len(STEADY), used, USUAL)] if is_unlike else [])


@pytest.mark.parametrize(
    ("usual", "used", "is_unlike"),
    [
        (0, TOKENS_MIN, True),
        (0, TOKENS_MIN - 1, False),
        (TOKENS_MIN, 0, True),
        (TOKENS_MIN - 1, 0, False),
        (0, 0, False),
    ],
)
def test_what_is_little_now_and_usually_is_nobodys_concern(usual: int, used: int, is_unlike: bool) -> None:
    assert bool(last(used, [usual] * (HOURS_OF_DAY * DAYS_MIN))) is is_unlike


def test_the_least_can_be_chosen() -> None:
    steady = [0] * (HOURS_OF_DAY * DAYS_MIN)
    assert unlike_hours([*steady, 5], latest=1, least=6) == []
    assert unlike_hours([*steady, 6], latest=1, least=6) == [Unlike(len(steady), 6, 0)]


@pytest.mark.parametrize(("days", "is_compared"), [(DAYS_MIN - 1, False), (DAYS_MIN, True)])
def test_so_many_days_must_lie_before(days: int, is_compared: bool) -> None:
    assert bool(last(9 * USUAL, [USUAL] * (HOURS_OF_DAY * days))) is is_compared


def test_with_enough_weeks_the_same_hour_of_the_week_counts_and_no_other() -> None:
    """Each Monday at 0 is busy, each other midnight silent: by days it would be unlike, by weeks it is not."""
    weeks = [USUAL if hour % HOURS_OF_WEEK == 0 else 0 for hour in range(WEEKS_MIN * HOURS_OF_WEEK)]
    assert last(USUAL, weeks) == []
    fewer = weeks[HOURS_OF_WEEK:]
    assert last(USUAL, fewer) == [Unlike(len(fewer), USUAL, 0)]


def test_what_a_fifth_of_the_past_was_like_is_not_unlike_it() -> None:
    """Of ten same hours two were as busy: a batch of every fifth day is at peace; one of ten is not."""
    for busy, found in ((2, []), (1, [8 * USUAL])):
        days = [[8 * USUAL if day < busy else USUAL] * HOURS_OF_DAY for day in range(10)]
        before = [hour for day in days for hour in day]
        assert [one.used for one in last(8 * USUAL, before)] == found


def test_a_service_that_swings_must_swing_further_to_be_unlike() -> None:
    swings = [USUAL, 2 * USUAL, USUAL // 2, 3 * USUAL, USUAL, USUAL // 3, 2 * USUAL]
    before = [level for level in swings for _hour in range(HOURS_OF_DAY)]
    assert last(4 * USUAL, before) == []
    assert [one.used for one in last(40 * USUAL, before)] == [40 * USUAL]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=170, max_size=260), st.integers(2, 1000))
def test_the_unit_does_not_matter_above_the_least(hours: list[int], factor: int) -> None:
    found = unlike_hours(hours, latest=24, least=1)
    scaled = unlike_hours([hour * factor for hour in hours], latest=24, least=1)
    assert [one.place for one in scaled] == [one.place for one in found]
    assert [one.usual for one in scaled] == [one.usual * factor for one in found]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=170, max_size=260), st.integers(1, 48), st.integers(1, 48))
def test_looking_at_more_hours_finds_the_same_of_the_fewer(hours: list[int], few: int, more: int) -> None:
    whole = unlike_hours(hours, latest=few + more)
    assert [one for one in whole if one.place >= len(hours) - few] == unlike_hours(hours, latest=few)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=200, max_size=220), st.integers(0, 10**9))
def test_what_comes_after_an_hour_does_not_change_what_it_was(hours: list[int], later: int) -> None:
    before = unlike_hours(hours, latest=5)
    assert [one for one in unlike_hours([*hours, later], latest=6) if one.place < len(hours)] == before


@settings(max_examples=examples(25))
@given(level=st.integers(TOKENS_MIN, 10**12), days=st.integers(DAYS_MIN, 20))
def test_what_never_changes_is_never_unlike(level: int, days: int) -> None:
    assert unlike_hours([level] * (HOURS_OF_DAY * days), latest=HOURS_OF_DAY) == []
