"""The API of balances and statements of account."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.billing.statements.stated import close_march, make_month, pay
from tests.billing.statements.test_api import bearer
from tests.factories import Cast
from tests.filled import api_key
from tests.kept import kept

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("paid_march")]

SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"}


@kept
def paid_march(cast: Cast) -> None:
    pay(close_march(make_month(parties=(cast.provider, cast.tenant))), "751.40")


def test_each_side_reads_its_own_balance(cast: Cast, client: Client) -> None:
    tenants = client.get("/api/v1/balance", headers=bearer(api_key(cast.tenant))).json()
    assert tenants == {
        "as_tenant": [{"provider": "provider", "currency": "USD", "balance": "1000.00"}],
        "as_provider": [],
    }
    providers = client.get("/api/v1/balance", headers=bearer(api_key(cast.provider))).json()
    assert providers["as_tenant"] == []
    (found,) = providers["as_provider"]
    assert (found["owed"], found["uncollected"], found["held"]) == ("1663.83", "1000.00", "751.40")
    outsiders = client.get("/api/v1/balance", headers=bearer(api_key(cast.outsider))).json()
    assert outsiders == {"as_tenant": [], "as_provider": []}


def test_a_statement_of_account_is_read_over_any_span(cast: Cast, client: Client) -> None:
    headers = bearer(api_key(cast.tenant))
    found = client.get("/api/v1/account", {**SPAN, "provider": "provider", "currency": "USD"}, headers=headers).json()
    assert (found["opening"], found["closing"]) == ("0.00", "1000.00")
    assert [(line["cause"], line["amount"], line["balance"]) for line in found["lines"]] == [
        ("invoice", "1751.40", "1751.40"),
        ("payment", "-751.40", "1000.00"),
    ]
    assert found["lines"][0]["at"] == "2026-04-01T00:00:00Z"


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"provider": "nobody"}, 404), ({"currency": "EUR"}, 404), ({"from": "yesterday"}, 400), ({"to": ""}, 400)],
)
def test_what_is_no_account_is_not_found_and_what_is_no_span_is_said(
    cast: Cast, client: Client, changed: dict[str, str], status: int
) -> None:
    asked = {**SPAN, "provider": "provider", "currency": "USD", **changed}
    assert client.get("/api/v1/account", asked, headers=bearer(api_key(cast.tenant))).status_code == status


def test_a_span_that_ends_before_it_begins_is_refused_where_it_is_wrong(cast: Cast, client: Client) -> None:
    asked = {"from": SPAN["to"], "to": SPAN["from"], "provider": "provider", "currency": "USD"}
    answer = client.get("/api/v1/account", asked, headers=bearer(api_key(cast.tenant)))
    assert answer.status_code == 400
    assert [(one["field"], one["detail"]) for one in answer.json()["errors"]] == [("to", "must not be before from")]


@pytest.mark.parametrize(
    ("from_at", "to_at", "seen"),
    [
        ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z", ("0.00", "0.00", 0)),
        ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", ("0.00", "0.00", 0)),
        ("2026-04-01T00:00:00Z", "2026-04-01T00:00:01Z", ("0.00", "1000.00", 2)),
        ("2026-04-01T08:00:00%2B08:00", "2026-04-01T08:00:01%2B08:00", ("0.00", "1000.00", 2)),
        ("2026-04-01T00:00:01Z", "2026-05-01T00:00:00Z", ("1000.00", "1000.00", 0)),
    ],
)
def test_the_end_of_a_span_is_not_in_it_in_whatever_zone_it_is_asked(
    cast: Cast, client: Client, from_at: str, to_at: str, seen: tuple[str, str, int]
) -> None:
    """Invoiced and paid at midnight of the first of April, in UTC."""
    query = f"provider=provider&currency=USD&from={from_at}&to={to_at}"
    found = client.get(f"/api/v1/account?{query}", headers=bearer(api_key(cast.tenant))).json()
    assert (found["opening"], found["closing"], len(found["lines"])) == seen


@pytest.mark.parametrize("missing", ["provider", "currency", "from", "to"])
def test_what_is_missing_is_named(cast: Cast, client: Client, missing: str) -> None:
    asked = {**SPAN, "provider": "provider", "currency": "USD"}
    del asked[missing]
    answer = client.get("/api/v1/account", asked, headers=bearer(api_key(cast.tenant)))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert [one["field"] for one in answer.json()["errors"]] == [missing], "as it was asked"


def test_nobody_reads_the_account_of_another(cast: Cast, client: Client) -> None:
    asked = {**SPAN, "provider": "provider", "currency": "USD"}
    for other in (cast.outsider, cast.provider, cast.operator):
        assert client.get("/api/v1/account", asked, headers=bearer(api_key(other))).status_code == 404
