"""Budgets as data: what can be one, whose days it counts, and when a threshold is reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.rules import (
    AMOUNT_MAX,
    Measure,
    Per,
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

ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Asia/Kolkata", "Pacific/Apia")
INSTANTS = st.integers(min_value=1_262_304_000, max_value=2_208_988_800).map(
    lambda second: datetime.fromtimestamp(second, UTC)
)
AMOUNTS = st.decimals(min_value="0.01", max_value=10**9, places=2)


@pytest.mark.parametrize(
    ("field", "words", "changes"),
    [
        ("subject", "left out", {"subject": "x"}),
        ("subject", "the model that is limited", {"scope": Scope.MODEL}),
        ("currency", "expected with a cost", {"currency": ""}),
        ("currency", "left out with tokens", {"measure": Measure.TOKENS}),
        ("amount", "expected more than 0", {"amount": Decimal(0)}),
        ("amount", "expected more than 0", {"amount": Decimal("NaN")}),
        ("amount", "expected more than 0", {"amount": AMOUNT_MAX + 1}),
        ("amount", "at most 2 decimals", {"amount": Decimal("1.001")}),
        ("amount", "at most 0 decimals", {"currency": "JPY", "amount": Decimal("1.5")}),
        ("amount", "at most 0 decimals", {"measure": Measure.TOKENS, "currency": "", "amount": Decimal("1.5")}),
        ("thresholds", "whole percents from 1 to 1000", {"thresholds": (0,)}),
        ("thresholds", "whole percents from 1 to 1000", {"thresholds": tuple(range(1, 12))}),
        ("thresholds", "the lowest first", {"thresholds": (75, 50)}),
        ("thresholds", "the lowest first", {"thresholds": (50, 50)}),
        ("thresholds", "would do nothing", {"thresholds": ()}),
        ("on_forecast", "only months are forecast", {"on_forecast": True, "per": Per.DAY}),
        ("on_forecast", "only that is forecast", {"on_forecast": True, "scope": Scope.MODEL, "subject": "m"}),
    ],
)
def test_what_cannot_be_a_budget_says_which_field_and_what_is_expected(
    field: str, words: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(WrongRule, match=words) as refused:
        checked_rule(replace(RULE, **changes))
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ")


def test_a_stop_alone_and_a_rate_are_budgets() -> None:
    assert checked_rule(replace(RULE, thresholds=(), stops=True)).stops
    assert checked_rule(replace(RULE, measure=Measure.TOKENS, currency="", per=Per.HOUR)).per == "hour"
    assert checked_rule(replace(RULE, on_forecast=True)).on_forecast


def test_reached_is_exact_at_the_threshold() -> None:
    amount = Decimal(200)
    assert reached(Decimal("99.99"), amount, (50, 100)) == ()
    assert reached(Decimal("100.00"), amount, (50, 100)) == (50,)
    assert reached(Decimal(1000), amount, (50, 100, 500, 600)) == (50, 100, 500)
    assert not is_used_up(Decimal("199.99"), amount)
    assert is_used_up(Decimal(200), amount)
    assert percent_of(Decimal("199.99"), amount) == Decimal("99.9")
    assert percent_of(Decimal(200), amount) == 100


@settings(max_examples=examples(25))
@given(used=AMOUNTS, more=AMOUNTS, amount=AMOUNTS)
def test_more_use_never_takes_a_threshold_back(used: Decimal, more: Decimal, amount: Decimal) -> None:
    thresholds = (10, 50, 100, 250)
    before, after = reached(used, amount, thresholds), reached(used + more, amount, thresholds)
    assert after[: len(before)] == before
    assert (100 in after) == is_used_up(used + more, amount)
    assert all(percent_of(used, amount) >= one for one in before)


@settings(max_examples=examples(25))
@given(at=INSTANTS, zone=st.sampled_from(ZONES), per=st.sampled_from(list(Per)))
def test_periods_follow_each_other_without_gap_and_hold_their_instant(at: datetime, zone: str, per: Per) -> None:
    from_at, to_at = window_of(per, zone, at)
    assert from_at <= at < to_at
    assert window_of(per, zone, from_at) == (from_at, to_at)
    assert window_of(per, zone, to_at - timedelta(microseconds=1)) == (from_at, to_at)
    assert window_of(per, zone, to_at)[0] == to_at


def test_days_weeks_and_months_are_of_the_zone() -> None:
    at = datetime(2026, 3, 29, 22, 30, tzinfo=UTC)  # 30 March, 00:30, in Berlin, whose clocks went forward
    berlin = "Europe/Berlin"
    assert window_of(Per.HOUR, berlin, at) == (at.replace(minute=0), at.replace(hour=23, minute=0))
    assert window_of(Per.DAY, berlin, at)[0] == datetime(2026, 3, 29, 22, tzinfo=UTC)
    before = window_of(Per.DAY, berlin, at - timedelta(hours=1))
    assert before[1] - before[0] == timedelta(hours=23)
    assert window_of(Per.WEEK, berlin, at)[0] == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert window_of(Per.MONTH, berlin, at)[0] == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert window_of(Per.MONTH, "UTC", datetime(2026, 12, 31, tzinfo=UTC))[1] == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_day_whose_midnight_is_skipped_begins_at_its_first_instant() -> None:
    start = day_start(date(2026, 9, 6), "America/Santiago")
    assert start == datetime(2026, 9, 6, 4, tzinfo=UTC)
