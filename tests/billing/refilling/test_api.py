"""The API of the rule about low credit: the tenant's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.models import BalanceRule
from billing.refilling.watching import look
from tests.billing.refilling.low import NOW, Low, low_credit
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
BODY = {"below": "20.00", "buy": "50.00", "month_max": "120.00"}


@kept
def low(cast: Cast) -> Low:
    return low_credit(cast)


def asked(client: Client, cast: Cast, low: Low, method: str, body: dict[str, Any] | None = None) -> Any:
    address = f"/api/v1/contracts/{low.contract.number}/balance-rule"
    headers = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    return getattr(client, method)(address, body, content_type="application/json", headers=headers)


def test_a_rule_is_set_read_and_ended(client: Client, cast: Cast, low: Low) -> None:
    assert asked(client, cast, low, "get").json()["code"] == "no_balance_rule"
    made = asked(client, cast, low, "put", BODY)
    assert made.status_code == 200, made.content
    seen = made.json()
    assert {name: seen[name] for name in BODY} == BODY
    assert (seen["contract"], seen["term"], seen["currency"]) == (low.contract.number, low.term.ref, "EUR")
    assert seen["last_notice"] is None
    assert asked(client, cast, low, "put", BODY).json() == seen == asked(client, cast, low, "get").json()
    assert asked(client, cast, low, "delete").status_code == 204
    again = asked(client, cast, low, "delete")
    assert (again.status_code, again.json()["code"]) == (404, "no_balance_rule")


def test_what_was_told_last_is_shown(client: Client, cast: Cast, low: Low) -> None:
    look(rule_id=low.rule().pk, now=NOW)
    assert asked(client, cast, low, "get").json()["last_notice"] == {
        "kind": "low",
        "outcome": "buys",
        "left": "10.00",
        "at": "2026-03-04T00:00:00Z",
        "charge_at": "2026-03-04T00:15:00Z",
        "reason": "",
    }


def test_a_rule_that_only_tells_has_no_amounts_to_buy(client: Client, cast: Cast, low: Low) -> None:
    seen = asked(client, cast, low, "put", {"below": "5"}).json()
    assert (seen["below"], seen["buy"], seen["month_max"]) == ("5.00", None, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "below"),
        ({"below": "x"}, "below"),
        ({"below": "0"}, "below: expected more than 0"),
        ({"below": "5", "buy": "10"}, "month_max: give both"),
        ({"below": "5", "buy": "10", "month_max": "9"}, "month_max: expected at least"),
        ({"below": "5", "term": "none"}, "no such term"),
    ],
)
def test_what_makes_no_rule_is_refused_and_named(
    client: Client, cast: Cast, low: Low, body: dict[str, str], words: str
) -> None:
    answer = asked(client, cast, low, "put", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_balance_rule")
    assert words in answer.content.decode()
    assert not BalanceRule.objects.exists()
