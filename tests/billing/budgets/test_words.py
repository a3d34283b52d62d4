"""Budgets and alerts in words: each scope, period, stop and kind says what it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.budgets.rules import Measure, Per, Scope, window_of
from billing.budgets.words import (
    alert_words,
    amount_words,
    limit_words,
    per_words,
    period_words,
    scope_words,
    stop_words,
    told_words,
)
from billing.models import Budget, SpendAlert
from billing.queries.usage import Side
from portal.figures import EN
from tests.billing.budgets.spent import NOW, RULE

STOPS = replace(RULE, stops=True)
GPUS = "No more GPUs are reserved or started."
UNTOUCHED = "Leases and sessions are not touched."


@pytest.mark.parametrize(
    ("changes", "refused", "rest"),
    [
        ({}, "At $200.00, new requests are refused by", GPUS),
        (
            {"scope": Scope.CONTRACT, "subject": "C-7"},
            "At $200.00, new requests under contract C-7 are refused by",
            GPUS,
        ),
        ({"scope": Scope.MODEL, "subject": "m"}, "At $200.00, new requests to m are refused by", UNTOUCHED),
        (
            {"scope": Scope.PROJECT, "subject": "web"},
            "At $200.00, new requests of the project web are refused by",
            UNTOUCHED,
        ),
        ({"scope": Scope.KEY, "subject": "k"}, "At $200.00, new requests with the key k are refused by", UNTOUCHED),
        (
            {"measure": Measure.TOKENS, "currency": "", "amount": Decimal(2_500_000)},
            "At 2.50M tokens, new requests are refused by",
            UNTOUCHED,
        ),
    ],
)
def test_a_stop_says_what_it_stops_and_what_goes_on(changes: dict[str, Any], refused: str, rest: str) -> None:
    words = stop_words(replace(STOPS, **changes), EN)
    assert words.startswith(refused)
    assert rest in words
    assert "billed" in words
    assert stop_words(replace(STOPS, **changes, stops=False), EN) == "Nothing is stopped: it tells only."


@pytest.mark.parametrize(
    ("scope", "side", "words"),
    [
        ("organization", Side.TENANT, "All use"),
        ("organization", Side.PROVIDER, "All that you sell"),
        ("contract", Side.PROVIDER, "Contract x"),
        ("model", Side.TENANT, "Model x"),
        ("project", Side.TENANT, "Project x"),
        ("key", Side.TENANT, "Key x"),
    ],
)
def test_each_scope_has_a_name(scope: str, side: Side, words: str) -> None:
    assert scope_words(scope, "x", side) == words


def test_each_period_has_a_name_and_its_days() -> None:
    assert [per_words(per) for per in Per] == ["per hour", "per day", "per week", "per month"]
    said = {per: period_words(*window_of(per, "UTC", NOW), "UTC", EN) for per in Per}
    assert said == {
        Per.HOUR: "11 Mar 2026 12:00 UTC",
        Per.DAY: "11 March 2026",
        Per.WEEK: "9–15 March 2026",
        Per.MONTH: "March 2026",
    }
    berlin = window_of(Per.MONTH, "Europe/Berlin", NOW)
    assert period_words(*berlin, "Europe/Berlin", EN) == "March 2026"
    day_of_change = window_of(Per.DAY, "Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert period_words(*day_of_change, "Europe/Berlin", EN) == "29 March 2026"


def test_thresholds_and_the_forecast_are_said_and_nothing_where_there_is_none() -> None:
    assert told_words(RULE) == "Tells at 50%, 75%, 100%."
    assert told_words(replace(RULE, on_forecast=True)).endswith("on course to pass it.")
    assert told_words(replace(STOPS, thresholds=())) == ""


def test_amounts_are_money_or_tokens() -> None:
    assert amount_words(Decimal("1234.5"), "EUR", EN) == "€1,234.50"
    assert amount_words(Decimal(1_234_000), "", EN) == "1.23M tokens"
    budget = Budget(amount=Decimal(8), currency="USD", per="week")
    assert limit_words(budget, EN) == "$8.00 per week"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("threshold", "$150.00 of $200.00 used: 75% reached"),
        ("forecast", "On course for $150.00 by the end of the month, against $200.00"),
        ("stopped", "$150.00 of $200.00 used: new use stopped"),
        ("anomaly", "$150.00 in an hour, usually $200.00"),
    ],
)
def test_each_alert_begins_with_its_figures(kind: str, words: str) -> None:
    alert = SpendAlert(kind=kind, used=Decimal(150), amount=Decimal(200), currency="USD", percent=75)
    assert alert_words(alert, EN) == words


def test_an_anomaly_where_nothing_is_usual_has_words() -> None:
    alert = SpendAlert(kind="anomaly", used=Decimal(5 * 10**6), amount=Decimal(0), currency="", percent=0)
    assert alert_words(alert, EN) == "5.00M tokens in an hour, usually 0 tokens"
