"""Budgets by the API: every job of the page, the answer to a gateway, and files that hold what lists hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from billing.models import Budget, SpendAlert, SpendWatch
from billing.queries.usage import Side
from tests.billing.banking.test_api import call
from tests.billing.budgets.spent import BIG, look, make_spent, set_budget
from tests.billing.pages.reading import rows_of
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

BODY = {"name": "March", "amount": "200.00", "thresholds": [100, 50, 50], "stops": True}


def spend(cast: Cast) -> None:
    """10.00 of today."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    make_spent(cast, days=0).big.use({"input": 12_500_000}, at=now, model=BIG)


def test_a_budget_is_set_once_read_changed_and_retired(cast: Cast, client: Client) -> None:
    spend(cast)
    headers = {"Authorization": f"Bearer {api_key(cast.tenant)}", "Idempotency-Key": "one"}
    answers = [
        client.post("/api/v1/budgets", BODY, content_type="application/json", headers=headers) for _try in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    made = answers[0].json()
    assert made == answers[1].json()
    assert Budget.objects.count() == 1
    told = {name: made[name] for name in ("side", "scope", "currency", "per", "time_zone", "thresholds", "used")}
    assert told == {
        "side": "tenant",
        "scope": "organization",
        "currency": "USD",
        "per": "month",
        "time_zone": "UTC",
        "thresholds": [50, 100],
        "used": None,
    }
    address = f"budgets/{made['id']}"
    changed = call(client, cast.tenant, address, {**BODY, "amount": "8.00"}, "put").json()
    assert (changed["amount"], changed["stops"]) == ("8.00", True)
    look(cast, timezone.now())
    read = call(client, cast.tenant, address).json()
    assert (read["used"], read["used_percent"]) == ("10.00", "125")
    assert call(client, cast.tenant, "budgets").json() == {"budgets": [read], "next_cursor": None}
    assert call(client, cast.tenant, address, {}, "delete").status_code == 204
    assert call(client, cast.tenant, address).json()["code"] == "no_such_budget"
    assert call(client, cast.tenant, "budgets").json()["budgets"] == []


def test_a_gateway_asks_and_a_person_lifts(cast: Cast, client: Client) -> None:
    spend(cast)
    made = call(client, cast.tenant, "budgets", {**BODY, "amount": "8", "scope": "model", "subject": BIG}).json()
    assert call(client, cast.tenant, f"budgets/standing?model={BIG}").json()["allowed"]
    look(cast, timezone.now())
    answer = call(client, cast.tenant, f"budgets/standing?model={BIG}").json()
    assert not answer["allowed"]
    assert [(one["budget"], one["subject"]) for one in answer["stops"]] == [("March", BIG)]
    assert [one["used"] for one in answer["budgets"]] == ["10.00"]
    assert call(client, cast.tenant, "budgets/standing").json() == {"allowed": True, "stops": [], "budgets": []}
    lift = f"budgets/{made['id']}/lift"
    assert call(client, cast.tenant, lift, {}).json()["code"] == "wrong_budget"
    assert call(client, cast.tenant, lift, {"reason": "a launch"}).json()["budget"] == "March"
    assert call(client, cast.tenant, lift, {"reason": "again"}).json()["code"] == "nothing_stopped"
    assert call(client, cast.tenant, f"budgets/standing?model={BIG}").json()["allowed"]


def test_alerts_are_listed_in_pages_and_the_file_holds_the_same(cast: Cast, client: Client) -> None:
    spend(cast)
    made = call(client, cast.tenant, "budgets", {**BODY, "amount": "8.00"}).json()
    look(cast, timezone.now())
    assert SpendAlert.objects.count() == 3
    first = call(client, cast.tenant, "alerts?limit=2").json()
    rest = call(client, cast.tenant, f"alerts?limit=2&cursor={first['next_cursor']}").json()
    alerts = first["alerts"] + rest["alerts"]
    assert [(one["kind"], one["percent"]) for one in alerts] == [
        ("stopped", None),
        ("threshold", 100),
        ("threshold", 50),
    ]
    assert rest["next_cursor"] is None
    assert {one["budget_id"] for one in alerts} == {made["id"]}
    assert (
        call(client, cast.tenant, f"alerts?kind=stopped&budget_id={made['id']}&side=tenant").json()["alerts"]
        == alerts[:1]
    )
    headers = {"Authorization": f"Bearer {api_key(cast.tenant)}", "Accept": "text/csv"}
    rows = rows_of(client.get("/api/v1/alerts", headers=headers))
    assert [(row["kind"], row["used"], row["at"]) for row in rows] == [
        (one["kind"], one["used"], one["at"]) for one in alerts
    ]
    [budget] = rows_of(client.get("/api/v1/budgets", headers=headers))
    assert (budget["name"], budget["used"], budget["used_percent"]) == ("March", "10.00", "125")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "name: This field is required."),
        ({"amount": "0"}, "amount: expected more than 0"),
        ({"amount": "1.001"}, "amount: expected at most 2 decimals."),
        ({"side": "provider"}, "side: the organization is no provider."),
        ({"scope": "model"}, "subject: expected the model that is limited."),
        ({"measure": "tokens", "currency": "USD"}, "currency: expected with a cost"),
        ({"thresholds": [0]}, "thresholds: "),
        ({"per": "year"}, 'per: "year" is not a valid choice.'),
    ],
)
def test_what_cannot_be_a_budget_says_why(cast: Cast, client: Client, body: dict[str, Any], detail: str) -> None:
    answer = call(client, cast.tenant, "budgets", {**BODY, **body} if body else {"amount": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong_budget")
    assert answer.json()["detail"].startswith(detail)


def test_wrong_queries_are_refused(cast: Cast, client: Client) -> None:
    for query in ("alerts?cursor=x", "alerts?limit=501", "alerts?kind=x", "budgets?side=x", "budgets?cursor=YQ"):
        answer = call(client, cast.tenant, query)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), query


def test_a_provider_limits_what_it_sells_and_an_operator_has_neither_side(cast: Cast, client: Client) -> None:
    spend(cast)
    body = {"name": "Exposure", "amount": "8", "measure": "cost"}
    made = call(client, cast.provider, "budgets", body).json()
    assert (made["side"], made["currency"]) == ("provider", "USD")
    assert SpendWatch.objects.filter(organization=cast.provider, side=Side.PROVIDER).exists()
    assert call(client, cast.provider, "budgets", {**body, "name": "x", "stops": True}).json()["code"] == "wrong_budget"
    assert call(client, cast.operator, "budgets", body).status_code == 404
    assert call(client, cast.outsider, f"budgets/{made['id']}").status_code == 404


def test_pages_of_budgets_follow_each_other(cast: Cast, client: Client) -> None:
    for name in ("A", "B", "C"):
        set_budget(cast, name)
    first = call(client, cast.tenant, "budgets?limit=2").json()
    rest = call(client, cast.tenant, f"budgets?limit=2&cursor={first['next_cursor']}").json()
    assert [one["name"] for one in first["budgets"] + rest["budgets"]] == ["A", "B", "C"]
    assert rest["next_cursor"] is None
