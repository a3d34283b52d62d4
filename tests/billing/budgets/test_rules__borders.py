"""Budgets as data at their borders: the last that may be and the first that may not, weeks and zones, any amounts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.rules import (
    AMOUNT_MAX,
    PERCENT_MAX,
    THRESHOLDS,
    THRESHOLDS_MAX,
    Measure,
    Per,
    Rule,
    Scope,
    WrongRule,
    checked_rule,
    day_start,
    is_used_up,
    percent_of,
    reached,
    window_of,
)
from tests.billing.budgets.spent import RULE
from tests.examples import examples

CENT = Decimal("0.01")
TOKENS: dict[str, Any] = {"measure": Measure.TOKENS, "currency": ""}
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu")
MONEY = st.decimals(min_value="0.01", max_value=10**12, places=2)
RISING = st.lists(st.integers(1, PERCENT_MAX), min_size=1, max_size=THRESHOLDS_MAX, unique=True).map(
    lambda found: tuple(sorted(found))
)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": AMOUNT_MAX},
        {"amount": CENT},
        {"amount": Decimal("0.001"), "currency": "KWD"},
        {"amount": Decimal(1), "currency": "JPY"},
        {"amount": Decimal(1), **TOKENS},
        {"amount": AMOUNT_MAX, **TOKENS},
        {"thresholds": (1,)},
        {"thresholds": (PERCENT_MAX,)},
        {"thresholds": tuple(range(1, THRESHOLDS_MAX + 1))},
        {"thresholds": THRESHOLDS},
        {"thresholds": (), "stops": True},
        {"scope": Scope.CONTRACT, "subject": "C-0001", "per": Per.HOUR},
        {"scope": Scope.KEY, "subject": "k" * 300, **TOKENS},
        {"on_forecast": True, "per": Per.MONTH},
    ],
)
def test_the_last_that_may_be_is_a_budget(changes: dict[str, Any]) -> None:
    rule = replace(RULE, **changes)
    assert checked_rule(rule) is rule


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": AMOUNT_MAX + CENT}, "amount: expected more than 0, up to 1000000000000000000."),
        ({"amount": Decimal("-0.01")}, "amount: expected more than 0, up to 1000000000000000000."),
        ({"amount": Decimal("Infinity")}, "amount: expected more than 0, up to 1000000000000000000."),
        ({"amount": Decimal("-Infinity")}, "amount: expected more than 0, up to 1000000000000000000."),
        ({"amount": Decimal("0.0001"), "currency": "KWD"}, "amount: expected at most 3 decimals."),
        ({"amount": Decimal("0.5"), "currency": "JPY"}, "amount: expected at most 0 decimals."),
        ({"amount": Decimal("0.5"), **TOKENS}, "amount: expected at most 0 decimals."),
        ({"thresholds": (0, 50)}, "thresholds: expected up to 10 whole percents from 1 to 1000."),
        ({"thresholds": (50, PERCENT_MAX + 1)}, "thresholds: expected up to 10 whole percents from 1 to 1000."),
        ({"thresholds": tuple(range(1, THRESHOLDS_MAX + 2))}, "thresholds: expected up to 10 whole percents"),
        ({"thresholds": (50, 75, 75)}, "thresholds: expected each once, the lowest first."),
        ({"scope": Scope.CONTRACT}, "subject: expected the contract that is limited."),
        ({"scope": Scope.PROJECT}, "subject: expected the project that is limited."),
        ({"scope": Scope.KEY}, "subject: expected the key that is limited."),
        ({"on_forecast": True, "per": Per.HOUR}, "on_forecast: expected with a month: only months are forecast."),
        ({"on_forecast": True, "per": Per.WEEK}, "on_forecast: expected with a month: only months are forecast."),
        ({"on_forecast": True, **TOKENS}, "on_forecast: expected with the cost of the whole organization"),
    ],
)
def test_the_first_that_may_not_be_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongRule) as refused:
        checked_rule(replace(RULE, **changes))
    assert str(refused.value).startswith(words)
    assert refused.value.field == words.partition(":")[0]


@settings(max_examples=examples(25))
@given(amount=st.decimals(allow_nan=True, allow_infinity=True), thresholds=st.lists(st.integers(-5, 1100), max_size=12))
def test_whatever_is_given_is_a_budget_or_refused_with_its_field(amount: Decimal, thresholds: list[int]) -> None:
    rule = replace(RULE, amount=amount, thresholds=tuple(thresholds))
    field = refused_field(rule)
    assert field in ("", "amount", "thresholds")
    if not field:
        assert 0 < rule.amount <= AMOUNT_MAX
        assert list(rule.thresholds) == sorted(set(rule.thresholds)) != []


def refused_field(rule: Rule) -> str:
    """Which field of a rule is refused; "" for a budget that may be."""
    try:
        checked_rule(rule)
    except WrongRule as wrong:
        return wrong.field
    return ""


@settings(max_examples=examples(25))
@given(used=MONEY, amount=MONEY, thresholds=RISING)
def test_a_threshold_is_reached_where_its_part_of_the_amount_is_used(
    used: Decimal, amount: Decimal, thresholds: tuple[int, ...]
) -> None:
    found = reached(used, amount, thresholds)
    for one in thresholds:
        assert (one in found) == (Fraction(used) >= Fraction(amount) * one / 100)
    assert found == thresholds[: len(found)], "none is passed over"


@settings(max_examples=examples(25))
@given(used=MONEY, amount=MONEY)
def test_a_percentage_is_rounded_down_to_a_tenth_and_never_says_more_than_is_used(
    used: Decimal, amount: Decimal
) -> None:
    shown, exact = Fraction(percent_of(used, amount)), Fraction(used) * 100 / Fraction(amount)
    assert shown <= exact < shown + Fraction(1, 10)
    assert (shown >= 100) == is_used_up(used, amount)


@settings(max_examples=examples(25))
@given(st.data())
def test_reached_in_two_looks_is_reached_in_one(data: st.DataObject) -> None:
    amount, thresholds = data.draw(MONEY), data.draw(RISING)
    first, more = data.draw(MONEY), data.draw(MONEY)
    told = set(reached(first, amount, thresholds)) | set(reached(first + more, amount, thresholds))
    assert told == set(reached(first + more, amount, thresholds))


@settings(max_examples=examples(25))
@given(day=st.dates(date(2015, 1, 1), date(2039, 12, 31)), zone=st.sampled_from(ZONES))
def test_days_of_a_zone_join_and_each_begins_on_its_own_date(day: date, zone: str) -> None:
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    assert start.tzinfo is UTC
    assert start < end
    assert timedelta(hours=22) <= end - start <= timedelta(hours=26)
    assert start.astimezone(ZoneInfo(zone)).date() == day
    assert (start - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() < day


@settings(max_examples=examples(25))
@given(day=st.dates(date(2015, 1, 1), date(2039, 12, 31)), zone=st.sampled_from(ZONES))
def test_a_month_is_its_days_and_a_week_is_seven(day: date, zone: str) -> None:
    at = day_start(day, zone)
    for per, per_count in ((Per.WEEK, (7,)), (Per.MONTH, (28, 29, 30, 31))):
        from_at, to_at = window_of(per, zone, at)
        days, walked = 0, from_at
        while walked < to_at:
            walked = window_of(Per.DAY, zone, walked)[1]
            days += 1
        assert walked == to_at
        assert days in per_count
    local = window_of(Per.WEEK, zone, at)[0].astimezone(ZoneInfo(zone))
    assert local.weekday() == 0


def test_an_hour_is_an_hour_of_utc_also_where_the_zone_is_half_an_hour_off() -> None:
    at = datetime(2026, 3, 11, 12, 40, tzinfo=UTC)
    for zone in ("UTC", "Asia/Kolkata", "Asia/Kathmandu"):
        assert window_of(Per.HOUR, zone, at) == (at.replace(minute=0), at.replace(hour=13, minute=0))


def test_an_instant_may_be_given_in_any_zone() -> None:
    at = datetime(2026, 3, 1, 0, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert window_of(Per.MONTH, "UTC", at)[0] == datetime(2026, 2, 1, tzinfo=UTC)
    assert window_of(Per.MONTH, "Asia/Shanghai", at)[0] == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert window_of(Per.HOUR, "UTC", at)[0] == datetime(2026, 2, 28, 16, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_is_no_gap() -> None:
    """Samoa had no 30 December 2011: the date line moved."""
    zone = "Pacific/Apia"
    before = window_of(Per.DAY, zone, datetime(2011, 12, 30, 9, 59, tzinfo=UTC))
    assert before == (datetime(2011, 12, 29, 10, tzinfo=UTC), datetime(2011, 12, 30, 10, tzinfo=UTC))
    after = window_of(Per.DAY, zone, before[1])
    assert after[0] == before[1]


def test_a_rule_is_a_value() -> None:
    assert replace(RULE) == RULE
    assert len({RULE, replace(RULE), replace(RULE, amount=Decimal(201))}) == 2
    with pytest.raises(AttributeError):
        RULE.amount = Decimal(1)  # type: ignore[misc]  # what must not be possible
    assert Rule.__slots__[0] == "scope"
