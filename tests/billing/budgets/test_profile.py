"""Hours unlike before: a spike and a silence are found, a rhythm, a trend and a lone old spike are not."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.profile import DAYS_MIN, HOURS_OF_DAY, HOURS_OF_WEEK, TOKENS_MIN, Unlike, unlike_hours
from tests.examples import examples

BASE = 10 * TOKENS_MIN


def rhythm(weeks: int, seed: int = 7) -> list[int]:
    """Weeks of hours: busy days, quiet nights and weekends, a fifth up or down by chance."""
    random = Random(seed)
    found = []
    for hour in range(weeks * HOURS_OF_WEEK):
        busy = 8 <= hour % 24 < 18 and hour % HOURS_OF_WEEK < 120
        found.append(int((BASE if busy else BASE // 5) * random.uniform(0.8, 1.2)))
    return found


def test_a_rhythm_is_no_surprise() -> None:
    for seed in range(20):
        assert unlike_hours(rhythm(8, seed), latest=HOURS_OF_WEEK) == []


def test_a_spike_and_a_silence_are_found_with_what_is_usual() -> None:
    hours = rhythm(8)
    hours[-15] = 5 * BASE
    hours[-14] = 0
    spike, silence = unlike_hours(hours, latest=48)
    assert (spike.place, spike.used) == (len(hours) - 15, 5 * BASE)
    assert spike.usual < BASE
    assert (silence.place, silence.used) == (len(hours) - 14, 0)


def test_a_busy_hour_at_night_is_unlike_though_days_are_as_busy() -> None:
    hours = rhythm(8)
    night = len(hours) - 24 * 3 + 2
    hours[night] = BASE
    assert [one.place for one in unlike_hours(hours, latest=HOURS_OF_WEEK)] == [night]


def test_one_old_spike_does_not_hide_a_new_one() -> None:
    hours = rhythm(8)
    hours[-24 - HOURS_OF_WEEK] = 50 * BASE
    hours[-24] = 6 * BASE
    assert [one.used for one in unlike_hours(hours, latest=24)] == [6 * BASE]


def test_with_few_weeks_days_are_compared_and_with_few_days_nothing() -> None:
    steady = [BASE] * (HOURS_OF_DAY * (DAYS_MIN + 1))
    assert unlike_hours([*steady, 9 * BASE], latest=1) == [Unlike(len(steady), 9 * BASE, BASE)]
    assert unlike_hours([*steady[: HOURS_OF_DAY * (DAYS_MIN - 1)], 9 * BASE], latest=1) == []


def test_little_use_is_nobodys_concern_and_doubling_is_none_either() -> None:
    steady = [10] * (HOURS_OF_DAY * 10)
    assert unlike_hours([*steady, TOKENS_MIN - 1], latest=1) == []
    assert unlike_hours([*steady, TOKENS_MIN], latest=1) != []
    assert unlike_hours([*([BASE] * (HOURS_OF_DAY * 10)), 2 * BASE], latest=1) == []


def test_what_always_swings_may_swing() -> None:
    swinging = [BASE if hour // HOURS_OF_DAY % 2 else 8 * BASE for hour in range(HOURS_OF_DAY * 20)]
    assert unlike_hours(swinging, latest=HOURS_OF_DAY) == []


@settings(max_examples=examples(25))
@given(st.lists(st.integers(min_value=0, max_value=10**12), max_size=400), st.integers(min_value=0, max_value=500))
def test_only_the_latest_are_looked_at_and_each_has_a_past(hours: list[int], latest: int) -> None:
    for one in unlike_hours(hours, latest=latest):
        assert len(hours) - latest <= one.place < len(hours)
        assert one.place >= HOURS_OF_DAY * DAYS_MIN
        assert one.used == hours[one.place] != one.usual
