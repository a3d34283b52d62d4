"""Calls of the API that make something keep the promise of their `Idempotency-Key`, from the first call on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tenants.models import IdempotentCall
from tests.api.published import published
from tests.billing.issued import Line, make_issued
from tests.factories import make_cluster, make_contract, make_price_book
from tests.filled import api_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
KEY = "order-2026-11-0042"
SHOWN_ONCE = {"secret", "address"}
"""In the first answer alone, since only their hashes are kept; a webhook's secret signs, so it is kept as it is."""


@dataclass(frozen=True)
class Making:
    """A call that makes something: who calls what with which body, and one member that another body has otherwise."""

    operation: str
    path: str
    body: dict[str, Any]
    other: dict[str, Any]
    caller: str = "provider"
    before: tuple[str, ...] = field(default=())
    """What must be there first; its id stands in the path as `{id}`."""


MAKING = [
    Making(
        "api_keys_create",
        "api-keys",
        {"name": "Nightly", "scopes": ["usage:read"]},
        {"name": "Weekly"},
        caller="tenant",
    ),
    Making("budgets_create", "budgets", {"name": "March", "amount": "10"}, {"amount": "11"}, caller="tenant"),
    Making("clusters_create", "clusters", {"slug": "north", "name": "North", "country": "DE"}, {"name": "Nord"}),
    Making(
        "cluster_costs_create",
        "cluster-costs",
        {
            "cluster": "sample-1",
            "effective_at": "2026-03-01T00:00:00Z",
            "currency": "EUR",
            "power_price_per_kwh": "0.20",
            "pue": "1.30",
            "rent_per_month": "0",
            "overhead_per_month": "0",
            "cards": [],
        },
        {"pue": "1.40"},
        before=("cluster",),
    ),
    Making("coupons_create", "coupons", {"code": "SPRING-26", "title": "Spring", "percent": "10"}, {"percent": "20"}),
    Making("invitations_create", "invitations", {"role": "viewer", "email": "new@example.com"}, {"role": "billing"}),
    Making(
        "organizations_create",
        "organizations",
        {
            "name": "New tenant",
            "country": "DE",
            "billing_email": "bills@new.example.com",
            "kinds": ["tenant"],
            "owner_email": "owner@new.example.com",
        },
        {"country": "FR"},
        caller="operator",
    ),
    Making("price_books_create", "price-books", {"name": "List", "currency": "USD"}, {"currency": "EUR"}),
    Making("projects_create", "projects", {"name": "Search"}, {"name": "Chat"}, caller="tenant"),
    Making(
        "tax_rates_create",
        "tax-rates",
        {"country": "DE", "category": "S", "percent": "19", "from_on": "2026-01-01"},
        {"percent": "16"},
    ),
    Making(
        "tax_exemptions_create",
        "tax-exemptions",
        {"tenant": "tenant", "reference": "C-1", "reason": "Reseller", "from_on": "2026-01-01"},
        {"reference": "C-2"},
        before=("contract",),
    ),
    Making(
        "webhook_endpoints_create",
        "webhook-endpoints",
        {"url": "https://hooks.example.com/in", "kinds": []},
        {"url": "https://hooks.example.com/other"},
        caller="tenant",
    ),
    Making(
        "invoices_credit_notes_create",
        "invoices/{id}/credit-notes",
        {"amount": "5.00", "reason": "goodwill", "note": "Sorry."},
        {"amount": "6.00"},
        before=("invoice",),
    ),
    Making(
        "invoices_disputes_create",
        "invoices/{id}/disputes",
        {"line": 1, "text": "Was this counted twice?"},
        {"line": 2},
        caller="tenant",
        before=("invoice",),
    ),
    Making(
        "invoices_write_off_create",
        "invoices/{id}/write-off",
        {"reason": "Insolvent"},
        {"reason": "Gone"},
        before=("invoice",),
    ),
    Making(
        "invoices_void_create",
        "invoices/{id}/void",
        {"reason": "Wrong tenant"},
        {"reason": "Wrong month"},
        before=("invoice",),
    ),
]


class Calls:
    """Calls of one making operation by its caller."""

    def __init__(self, cast: Cast, making: Making) -> None:
        self.making = making
        self.client = Client(headers={"Authorization": f"Bearer {api_key(getattr(cast, making.caller))}"})
        named = {"id": ""}
        for name in making.before:
            named["id"] = BEFORE[name](cast)
        self.path = f"/api/v1/{making.path.format(**named)}"

    def post(self, key: str = KEY, **other: Any) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        body = {**self.making.body, **other}
        return self.client.post(self.path, body, content_type="application/json", headers=headers)


BEFORE: dict[str, Callable[[Cast], str]] = {
    "cluster": lambda cast: str(make_cluster(cast.provider).pk),
    "contract": lambda cast: str(make_contract(cast.provider, cast.tenant, make_price_book(cast.provider)).pk),
    "invoice": lambda cast: str(
        make_issued((Line("60.00"), Line("40.00")), parties=(cast.provider, cast.tenant), currency="USD").pk
    ),
}


@pytest.fixture(params=MAKING, ids=lambda making: str(making.operation))
def calls(cast: Cast, request: pytest.FixtureRequest) -> Calls:
    return Calls(cast, request.param)


def test_the_same_call_makes_once_and_is_answered_the_same(calls: Calls) -> None:
    first = calls.post()
    assert first.status_code in (200, 201), first.content
    again = calls.post()
    assert again.status_code == first.status_code
    assert without_secret(again.json()) == without_secret(first.json())
    for name in SHOWN_ONCE & first.json().keys():
        keeps = calls.making.operation == "webhook_endpoints_create" and name == "secret"
        assert again.json().get(name) in ((first.json()[name],) if keeps else (None, "")), name
    assert IdempotentCall.objects.count() == 1
    other = calls.post(**calls.making.other)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert other.json()["field"] == "Idempotency-Key"
    assert repr(KEY) in other.json()["detail"]
    assert IdempotentCall.objects.count() == 1


def without_secret(answer: dict[str, Any]) -> dict[str, Any]:
    """What an answer says but what is shown once: a key's secret, and the address that an invitation is accepted at."""
    return {name: value for name, value in answer.items() if name not in SHOWN_ONCE}


def test_what_is_refused_keeps_no_key_and_may_be_sent_right(calls: Calls) -> None:
    nonsense: dict[str, Any] = {name: {"no": "value"} for name in calls.making.body}
    wrong = calls.post(**nonsense)
    assert 400 <= wrong.status_code < 500, wrong.content
    assert not IdempotentCall.objects.exists()
    assert calls.post().status_code in (200, 201)


def test_a_key_that_cannot_be_kept_is_refused_before_anything_is_made(calls: Calls) -> None:
    refused = calls.post(key="k" * 201)
    assert (refused.status_code, refused.json()["code"]) == (400, "wrong_idempotency_key")
    assert "at most 200 printable characters" in refused.json()["detail"]
    assert refused.json()["example"]
    assert calls.post(key="k" * 200).status_code in (200, 201)


def test_a_key_belongs_to_the_organization_and_the_address(cast: Cast) -> None:
    project = Making("projects_create", "projects", {"name": "Search"}, {}, caller="tenant")
    elsewhere = Making("projects_create", "projects", {"name": "Search"}, {}, caller="outsider")
    assert Calls(cast, project).post().status_code == 201
    assert Calls(cast, elsewhere).post().status_code == 201, "another organization has its own keys"
    book = Making("price_books_create", "price-books", {"name": "List", "currency": "USD"}, {}, caller="outsider")
    reused = Calls(cast, book).post()
    assert (reused.status_code, reused.json()["code"]) == (409, "idempotency_key_reused")


def test_every_call_here_says_that_it_takes_a_key() -> None:
    """What all calls that say so do with a key that came before, tests/api/test_made_once.py asks."""
    document = published()
    takes = {
        methods["post"]["operationId"]
        for methods in document["paths"].values()
        if "Idempotency-Key" in {one["name"] for one in methods.get("post", {}).get("parameters", [])}
    }
    assert {making.operation for making in MAKING} <= takes
