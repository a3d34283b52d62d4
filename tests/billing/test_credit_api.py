"""The API that a gateway asks whether use may go on, and where credit is granted and coupons redeemed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.coupons import offer_coupon
from billing.models import Term
from billing.rating.discount import CouponWording, DiscountWording
from tenants.api_keys import issue_key
from tests.billing.test_credits import grant, prepaid_world
from tests.billing.world import MARCH

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization
    from tests.billing.world import World

pytestmark = pytest.mark.django_db


def called(client: Client, caller: Organization, world: World, name: str, body: dict[str, Any] | None = None) -> Any:
    """Call an address of the world's contract with a key that may."""
    key = issue_key(
        organization=caller,
        name="Sample",
        scopes=["usage:read", "credits:write"],
        actor="tests",
        now=datetime.now(UTC),
    )
    address = f"/api/v1/contracts/{world.contract.number}/{name}"
    headers = {"authorization": f"Bearer {key.secret}"}
    if body is None:
        return client.get(address, headers=headers)
    return client.post(address, body, content_type="application/json", headers=headers)


def test_a_gateway_is_told_to_stop_and_goes_on_when_there_is_more(client: Client) -> None:
    world, term, credit = prepaid_world(only=grant("only", 30))
    assert called(client, world.tenant, world, "standing").json()["standing"] == "allowed"
    term.use({"output": 20_000}, at=MARCH)
    told = called(client, world.tenant, world, "standing").json()
    assert (told["standing"], told["left_amount"], told["unpaid_amount"]) == ("stop", "10", "0")
    assert (told["overdrawn_amount_most"], told["check_every_s"]) == ("40", 30)
    bought = {
        "term": credit.ref,
        "name": "top-up",
        "amount": "50.00",
        "from_at": "2026-03-01T00:00:00Z",
        "bought": True,
    }
    made = called(client, world.provider, world, "credits", bought)
    assert (made.status_code, made.json()["name"]) == (201, "top-up")
    told = called(client, world.tenant, world, "standing").json()
    assert (told["standing"], told["left_amount"]) == ("allowed", "60")
    assert [(each["name"], each["left_amount"]) for each in told["grants"]] == [("only", "10"), ("top-up", "50")]


def test_only_the_provider_grants_and_what_makes_no_sense_is_refused(client: Client) -> None:
    world, _, credit = prepaid_world()
    body = {"term": credit.ref, "name": "a", "amount": "1", "from_at": "2026-03-01T00:00:00Z"}
    assert called(client, world.tenant, world, "credits", body).status_code == 404
    assert called(client, world.provider, world, "credits", body | {"term": "CR-404"}).status_code == 404
    refused = called(client, world.provider, world, "credits", body | {"expires_at": "2026-02-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["code"]) == (422, "wrong_terms")
    assert called(client, world.provider, world, "credits", body | {"amount": "much"}).status_code == 400
    assert called(client, world.provider, world, "credits", body).status_code == 201
    assert called(client, world.provider, world, "credits", body | {"amount": "2"}).json()["code"] == "grant_exists"


def test_a_tenant_redeems_a_code_once(client: Client) -> None:
    world, _, _ = prepaid_world()
    half = DiscountWording(percent=Decimal(50), coupon=CouponWording(code="HALF"))
    offer_coupon(provider=world.provider, wording=half, title="Half", now=MARCH)
    assert called(client, world.provider, world, "coupons", {"code": "HALF"}).status_code == 404
    made = called(client, world.tenant, world, "coupons", {"code": "HALF"})
    assert made.status_code == 201
    assert Term.objects.get(ref=made.json()["term"]).kind == "discount"
    assert called(client, world.tenant, world, "coupons", {"code": "HALF"}).json()["code"] == "coupon_used"
    assert called(client, world.tenant, world, "coupons", {"code": "NONE"}).json()["code"] == "unknown_coupon"
