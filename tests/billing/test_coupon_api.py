"""The API in which providers offer, list and end coupons, and tenants redeem them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from billing.coupons import TRIES_MAX
from billing.models import Coupon, CouponEnd, CouponRedemption, Term
from tenants.api_keys import issue_key
from tests.billing.world import World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization

pytestmark = pytest.mark.django_db
HALF = {"code": "HALF", "title": "Half off", "percent": "50", "periods_most": 3, "redemptions_most": 2}


def called(client: Client, caller: Organization, path: str, body: Any = None, scope: str = "credits:write") -> Any:
    """Call an address of the API with a new key."""
    key = issue_key(organization=caller, name="Sample", scopes=[scope], actor="tests", now=datetime.now(UTC))
    headers = {"authorization": f"Bearer {key.secret}"}
    if body is None:
        return client.get(f"/api/v1/{path}", headers=headers)
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@kept
def world() -> World:
    return make_world()


def test_a_coupon_is_offered_listed_redeemed_and_ended(client: Client, world: World) -> None:
    made = called(client, world.provider, "coupons", HALF)
    assert made.status_code == 201
    said = made.json()
    assert {name: said[name] for name in HALF} == HALF
    assert (said["redemptions"], said["ended_at"], said["amount_per_period"]) == (0, None, None)
    redeemed = called(client, world.tenant, f"contracts/{world.contract.number}/coupons", {"code": "HALF"})
    assert redeemed.status_code == 201
    assert Term.objects.get(ref=redeemed.json()["term"]).title == "Half off"
    assert called(client, world.provider, "coupons").json() == {
        "coupons": [said | {"redemptions": 1}],
        "next_cursor": None,
    }
    ended = [called(client, world.provider, f"coupons/{said['id']}/end", {}).json()["ended_at"] for _ in range(2)]
    assert ended[0] is not None
    assert ended[0] == ended[1]
    second = make_world(parties=(world.provider, world.tenant))
    late = called(client, world.tenant, f"contracts/{second.contract.number}/coupons", {"code": "HALF"})
    assert (late.status_code, late.json()["code"]) == (409, "coupon_over")


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"percent": None}, 422, "percent: A discount is a percentage or an amount."),
        ({"amount_per_period": "5"}, 422, "percent: A discount is a percentage or an amount."),
        ({"percent": "100.5"}, 422, "lies outside 0 and 100"),
        ({"quantities": ["smiles"]}, 422, "'smiles' is no quantity"),
        ({"redemptions_most": 0}, 422, "redemptions_most"),
        ({"periods_most": 0}, 422, "coupon.periods_most"),
        ({"percent": "half"}, 400, "percent"),
        ({"redeem_by": "soon"}, 400, "redeem_by"),
        ({"code": ""}, 400, "code"),
        ({"code": "X" * 33}, 400, "code"),
    ],
)
def test_an_offer_that_makes_no_sense_says_where_and_stores_nothing(
    client: Client, world: World, changed: dict[str, Any], status: int, words: str
) -> None:
    refused = called(client, world.provider, "coupons", HALF | changed)
    assert refused.status_code == status
    assert words in refused.content.decode()
    if words.startswith("percent:"):
        assert refused.json()["field"] == "percent"
        assert refused.json()["example"] == '"10"'
    assert not Coupon.objects.exists()


def test_a_code_is_offered_once_by_a_provider_and_may_be_by_another(client: Client, world: World) -> None:
    other = make_world()
    assert called(client, world.provider, "coupons", HALF).status_code == 201
    refused = called(client, world.provider, "coupons", HALF | {"percent": "10"})
    assert (refused.status_code, "offered already" in refused.json()["detail"]) == (422, True)
    assert called(client, other.provider, "coupons", HALF).status_code == 201


def test_nobody_sees_ends_or_redeems_what_is_another_providers(client: Client, world: World) -> None:
    said = called(client, world.provider, "coupons", HALF).json()
    outsider = make_world()
    for caller in (world.tenant, outsider.provider, outsider.tenant):
        assert called(client, caller, "coupons").json() == {"coupons": [], "next_cursor": None}
        assert called(client, caller, f"coupons/{said['id']}/end", {}).status_code == 404
    assert called(client, world.tenant, "coupons", HALF).status_code == 404
    redeem = f"contracts/{world.contract.number}/coupons"
    for caller in (world.provider, outsider.provider, outsider.tenant):
        assert called(client, caller, redeem, {"code": "HALF"}).status_code == 404
    theirs = called(client, outsider.tenant, f"contracts/{outsider.contract.number}/coupons", {"code": "HALF"})
    assert (theirs.status_code, theirs.json()["code"]) == (404, "unknown_coupon")
    assert not CouponEnd.objects.exists()
    assert not CouponRedemption.objects.exists()


def test_a_key_without_the_scope_is_refused(client: Client, world: World) -> None:
    assert called(client, world.provider, "coupons", HALF, "usage:read").status_code == 403
    assert called(client, world.provider, "coupons", scope="usage:read").status_code == 403


def test_guessing_codes_ends_with_429(client: Client, world: World) -> None:
    path = f"contracts/{world.contract.number}/coupons"
    seen = [called(client, world.tenant, path, {"code": f"GUESS-{number}"}) for number in range(TRIES_MAX + 1)]
    assert [answer.status_code for answer in seen] == [404] * TRIES_MAX + [429]
    assert seen[-1].json()["code"] == "too_many_coupon_tries"
