"""Calls of the API with a key make a contract, an amendment or a quote once, however often they are sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from billing.models import Amendment, Contract, Quote
from tenants.api_keys import issue_key
from tenants.models import IdempotentCall, Organization
from tests.billing.world import H100, MARCH, World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

SCOPES = ("contracts:read", "contracts:write", "fleet:read", "leases:write")
SOON = (datetime.now(UTC) + timedelta(days=10)).replace(minute=0, second=0, microsecond=0)
RULE = {"from_at": SOON.isoformat(), "wording": {"kind": "price_rule", "notice_days": 30}}


class Program:
    """A program with a key of an organization."""

    def __init__(self, organization: Organization) -> None:
        issued = issue_key(organization=organization, name="sync", scopes=SCOPES, actor="test", now=MARCH)
        self.client = Client(headers={"Authorization": f"Bearer {issued.secret}"})

    def post(self, path: str, body: dict[str, Any], key: str = "k-1") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@kept
def world(cast: Cast) -> World:
    return make_world(gpus={H100: "2"}, parties=(cast.provider, cast.tenant))


def test_a_contract_is_drafted_once_for_a_key_and_anew_without_one(cast: Cast, world: World) -> None:
    assert world.book is not None
    body = {
        "provider": cast.provider.slug,
        "tenant": cast.tenant.slug,
        "currency": "USD",
        "time_zone": "UTC",
        "from_at": "2026-03-01T00:00",
        "price_book_id": str(world.book.id),
        "changes": [RULE],
    }
    petra = Program(cast.provider)
    first, again = (petra.post("contracts", body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Contract.objects.count() == 2
    other = petra.post("contracts", {**body, "currency": "EUR"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert petra.post("contracts", body, key="").status_code == 201
    assert Contract.objects.count() == 3
    assert IdempotentCall.objects.count() == 1


def test_an_amendment_is_drafted_once_and_what_was_refused_may_be_sent_right_under_the_same_key(
    cast: Cast, world: World
) -> None:
    petra = Program(cast.provider)
    address = f"contracts/{world.contract.id}/amendments"
    wrong = {"changes": [{**RULE, "wording": {"kind": "price_rule", "notice_days": -1}}]}
    refused = petra.post(address, wrong)
    assert (refused.status_code, refused.json()["field"]) == (422, "changes[0].wording.notice_days")
    assert not IdempotentCall.objects.exists()
    first, again = (petra.post(address, {"changes": [RULE]}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"] == str(Amendment.objects.get().id)
    assert petra.post(address, {"changes": [RULE]}, key="k-2").status_code == 409
    charlie = Program(cast.outsider).post(address, {"changes": [RULE]})
    assert charlie.status_code == 404
    assert IdempotentCall.objects.count() == 1


def test_a_quote_is_made_once(cast: Cast) -> None:
    world = make_world(gpus={H100: "2.35"}, parties=(cast.provider, cast.tenant))
    world.make_slices(2)
    body = {
        "contract": world.contract.number,
        "model": H100,
        "count": 2,
        "from": SOON.isoformat(),
        "to": (SOON + timedelta(days=2)).isoformat(),
    }
    alice = Program(cast.tenant)
    first, again = (alice.post("quotes", body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Quote.objects.count() == 1
