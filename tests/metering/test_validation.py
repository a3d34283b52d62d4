"""The checks of an hour, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.validation import (
    PROFILE_HOURS_MIN,
    RULES,
    SMALL,
    Check,
    Found,
    MeterHour,
    Part,
    check_hour,
    check_sums,
)
from tests.examples import examples

USUAL = [100_000] * PROFILE_HOURS_MIN


def actual(value: int) -> Part:
    return Part("A", "same_epoch_rise", value, 360)


def test_every_rule_has_its_data() -> None:
    assert list(RULES) == list(Check)
    assert all(rule.looks_for and rule.source for rule in RULES.values())


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (Part("Q", "held_clock", 0, 3), Found(Check.TIME, 3, 0)),
        (Part("E", "same_epoch_missing_readings", 70, 1), Found(Check.GAP, 70, 0)),
        (Part("Q", "same_epoch_fall", 0, 1), Found(Check.HELD, 1, 0)),
        (Part("Q", "held_above_bound", 0, 2), Found(Check.HELD, 2, 0)),
        (Part("Q", "new_epoch_ambiguous", 30, 1), Found(Check.RESTART, 30, 0)),
        (Part("A", "new_epoch_fall", 40, 1), Found(Check.RESTART, 40, 0)),
    ],
)
def test_what_a_part_says_is_found(part: Part, found: Found) -> None:
    assert check_hour(MeterHour([actual(5), part])) == [found]


def test_a_sound_hour_has_no_finding() -> None:
    assert check_hour(MeterHour([actual(100_000), Part("G", "first_contact_baseline", 0, 1)], USUAL, USUAL[:7])) == []


def test_another_nodes_card_is_an_error() -> None:
    assert check_hour(MeterHour([actual(5)], others_cards=9)) == [Found(Check.IDENTITY, 9, 0)]


@pytest.mark.parametrize(("value", "spike"), [(180_000, False), (180_001, True)])
def test_a_spike_is_more_than_1_8_times_the_third_highest(value: int, spike: bool) -> None:
    profile = [10**9, 10**9, *USUAL]
    found = check_hour(MeterHour([actual(value)], profile))
    assert found == ([Found(Check.SPIKE, value, 180_000)] if spike else [])


def test_little_is_no_spike_and_little_known_is_no_profile() -> None:
    assert check_hour(MeterHour([actual(SMALL)], [1] * PROFILE_HOURS_MIN)) == []
    assert check_hour(MeterHour([actual(10**9)], USUAL[1:])) == []
    assert check_hour(MeterHour([actual(10**9)], USUAL, USUAL[:7], rates=False)) == []


def test_like_hours_say_what_is_high_and_low() -> None:
    peaks = [10**9] * 3
    high = check_hour(MeterHour([actual(500_001)], [*USUAL, *peaks], USUAL[:3]))
    assert high == [Found(Check.HIGH, 500_001, 500_000)]
    assert check_hour(MeterHour([actual(0)], USUAL, USUAL[:3])) == [Found(Check.LOW, 0, 100_000)]
    assert check_hour(MeterHour([actual(0)], USUAL, USUAL[:2])) == []


def test_hours_are_the_difference_of_the_register() -> None:
    assert check_sums([(7, 7), (8, 7)]) == [None, Found(Check.SUM, 8, 7)]


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 10**12), max_size=80), st.integers(0, 10**12))
def test_an_hour_within_its_profile_is_no_spike(profile: list[int], value: int) -> None:
    found = {one.check for one in check_hour(MeterHour([actual(value)], profile))}
    if not profile or value <= sorted(profile)[-3:][0]:
        assert Check.SPIKE not in found
