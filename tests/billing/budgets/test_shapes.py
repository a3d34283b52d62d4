"""What callers of the API of budgets send and get: read in any order, refused by field, written without a guess."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.budgets.rules import THRESHOLDS, Measure, Per, Rule, Scope
from billing.budgets.shapes import (
    MEASURES,
    PERIODS,
    SCOPES,
    SIDES,
    BudgetLiftRequestSerializer,
    BudgetRequestSerializer,
    BudgetSerializer,
    BudgetStopSerializer,
    SpendAlertSerializer,
    alert_row,
    budget_row,
    read_rule,
    stop_row,
)
from billing.models import Budget, BudgetLook, BudgetStop, SpendAlert
from tests.billing.budgets.spent import RULE
from tests.examples import examples

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 11, 12, 30, 15, tzinfo=UTC)
BODY: dict[str, Any] = {"name": "March", "amount": "200.00"}


def read(**body: Any) -> dict[str, Any]:
    serializer = BudgetRequestSerializer(data={**BODY, **body})
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def refused(**body: Any) -> list[str]:
    serializer = BudgetRequestSerializer(data={**BODY, **body})
    assert not serializer.is_valid()
    return sorted(serializer.errors)


def budget(**changes: Any) -> Budget:
    fields = {
        "name": "March",
        "side": "tenant",
        "scope": "organization",
        "measure": "cost",
        "currency": "USD",
        "per": "month",
        "zone": "UTC",
        "amount": Decimal(200),
        "thresholds": [50, 100],
        "changed_at": AT,
    }
    return Budget(**{**fields, **changes})


def test_what_is_left_out_is_the_cost_of_all_use_by_the_month_told_at_three_places() -> None:
    given_ = read()
    assert read_rule({**given_, "currency": "USD"}, "UTC") == RULE
    assert given_["thresholds"] == list(THRESHOLDS)
    assert (given_["on_forecast"], given_["stops"], given_["subject"]) == (False, False, "")
    assert "side" not in given_
    assert "currency" not in given_


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"amount": "much"}, ["amount"]),
        ({"amount": None}, ["amount"]),
        ({"amount": "1.0000001"}, ["amount"]),
        ({"amount": "1" * 19}, ["amount"]),
        ({"amount": "NaN"}, ["amount"]),
        ({"amount": "Infinity"}, ["amount"]),
        ({"side": "operator"}, ["side"]),
        ({"scope": "team"}, ["scope"]),
        ({"measure": "requests"}, ["measure"]),
        ({"per": "year"}, ["per"]),
        ({"currency": "usd"}, ["currency"]),
        ({"currency": "US"}, ["currency"]),
        ({"currency": "USD\n"}, []),
        ({"thresholds": [0]}, ["thresholds"]),
        ({"thresholds": [1001]}, ["thresholds"]),
        ({"thresholds": ["half"]}, ["thresholds"]),
        ({"thresholds": list(range(1, 12))}, ["thresholds"]),
        ({"subject": "x" * 301}, ["subject"]),
        ({"stops": "perhaps", "on_forecast": "perhaps"}, ["on_forecast", "stops"]),
    ],
)
def test_each_wrong_field_is_named_and_no_other(body: dict[str, Any], fields: list[str]) -> None:
    if fields:
        assert refused(**body) == fields
    else:
        assert read(**body)["currency"] == "USD", "blanks around it are no matter"


@settings(max_examples=examples(25))
@given(st.lists(st.integers(1, 1000), max_size=10))
def test_thresholds_may_come_in_any_order_and_twice(thresholds: list[int]) -> None:
    rule = read_rule({**read(thresholds=thresholds), "currency": "USD"}, "UTC")
    assert list(rule.thresholds) == sorted(set(thresholds))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("per", PERIODS)
def test_every_scope_and_period_is_read_as_it_is_named(scope: str, per: str) -> None:
    rule = read_rule(read(scope=scope, subject="x", per=per, measure="tokens"), "Asia/Shanghai")
    assert isinstance(rule, Rule)
    assert (rule.scope, rule.per, rule.measure) == (Scope(scope), Per(per), Measure.TOKENS)
    assert (rule.zone, rule.currency) == ("Asia/Shanghai", "")


def test_the_words_that_may_be_chosen_are_those_of_the_rules() -> None:
    assert SCOPES == ["organization", "contract", "model", "project", "key"]
    assert MEASURES == ["cost", "tokens"]
    assert PERIODS == ["hour", "day", "week", "month"]
    assert sorted(SIDES) == ["provider", "tenant"]


def test_a_new_budget_has_no_look_and_says_null() -> None:
    row = budget_row(budget())
    unknown = ("period_from", "period_to", "used", "used_percent", "expected", "looked_at")
    assert [row[name] for name in unknown] == [None] * 6
    assert (row["amount"], row["currency"], row["changed_at"]) == ("200.00", "USD", "2026-03-11T12:30:15Z")
    assert set(row) == set(BudgetSerializer().fields)


def test_a_look_is_written_with_its_percentage_rounded_down() -> None:
    made = budget()
    made.look = BudgetLook(
        from_at=AT, to_at=AT, used=Decimal("199.990000"), expected=Decimal("310.000000"), looked_at=AT
    )
    row = budget_row(made)
    assert (row["used"], row["used_percent"], row["expected"]) == ("199.99", "99.9", "310.00")
    made.look.expected = None
    assert budget_row(made)["expected"] is None
    made.look.used = Decimal(-5)
    assert (budget_row(made)["used"], budget_row(made)["used_percent"]) == ("-5.00", "-2.5")


@pytest.mark.parametrize(
    ("currency", "amount", "written"),
    [
        ("USD", "1234567.5", "1234567.50"),
        ("JPY", "1200.000000", "1200"),
        ("KWD", "1.5", "1.500"),
        ("", "30000000.000000", "30000000"),
        ("", "1E+9", "1000000000"),
    ],
)
def test_amounts_are_decimals_of_their_currency_or_whole_tokens(currency: str, amount: str, written: str) -> None:
    row = budget_row(budget(currency=currency, amount=Decimal(amount)))
    assert row["amount"] == written
    assert row["currency"] == (currency or None)


def test_a_stop_says_of_what_and_until_when() -> None:
    made = budget(scope="model", subject="m")
    row = stop_row(BudgetStop(budget=made, from_at=AT, to_at=AT.replace(hour=13), at=AT))
    assert row == {
        "budget_id": str(made.pk),
        "budget": "March",
        "scope": "model",
        "subject": "m",
        "stopped_at": "2026-03-11T12:30:15Z",
        "until": "2026-03-11T13:30:15Z",
    }
    assert set(row) == set(BudgetStopSerializer().fields)


def test_an_alert_of_a_budget_and_one_of_none_say_what_they_are_of() -> None:
    fields: dict[str, Any] = {
        "side": "tenant",
        "scope": "model",
        "subject": "m",
        "from_at": AT,
        "to_at": AT,
        "at": AT,
        "amount": Decimal(1_000_000),
        "used": Decimal(8_000_000),
    }
    told = alert_row(SpendAlert(kind="anomaly", measure="tokens", **fields))
    assert (told["budget_id"], told["budget"], told["percent"], told["currency"]) == (None, None, None, None)
    assert (told["used"], told["amount"]) == ("8000000", "1000000")
    made = budget()
    told = alert_row(SpendAlert(kind="threshold", budget=made, measure="cost", currency="USD", percent=50, **fields))
    assert (told["budget_id"], told["budget"], told["percent"]) == (str(made.pk), "March", 50)
    assert told["used"] == "8000000.00"
    assert UUID(told["id"])
    assert set(told) == set(SpendAlertSerializer().fields)


@pytest.mark.parametrize(("reason", "is_valid"), [("a launch", True), ("", False), (" ", False), ("x" * 201, False)])
def test_a_lift_needs_a_reason(reason: str, is_valid: bool) -> None:
    assert BudgetLiftRequestSerializer(data={"reason": reason}).is_valid() is is_valid
