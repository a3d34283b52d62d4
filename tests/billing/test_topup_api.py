"""The API of top-ups."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.agreeing import add_adjustment
from billing.models import CreditMovement, TopUp
from billing.rating.credit import CreditWording
from billing.topups.charged_back import REFUNDED_BY_HAND, take_credit
from tests.billing.collected import settings_of
from tests.billing.test_credits import prepaid_world
from tests.billing.topups.prepaid import bought
from tests.billing.world import MARCH, World, make_world
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = MARCH + timedelta(days=1)


@pytest.fixture
def world(cast: Cast) -> World:
    world = make_world(parties=(cast.provider, cast.tenant), currency="EUR")
    add_adjustment(
        contract=world.contract, wording=CreditWording(), from_at=MARCH, to_at=None, now=MARCH, title="Prepaid"
    )
    return world


def test_a_tenant_is_given_stripes_page(
    client: Client, cast: Cast, world: World, double: StripeDouble, settings: Any
) -> None:
    known = settings_of(double)
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = known.secret_key, known.api_base
    key = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    address = f"/api/v1/contracts/{world.contract.number}/top-ups"
    answer = client.post(address, {"amount": "25.00"}, content_type="application/json", headers=key)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["amount"], made["currency"], made["state"]) == ("25.00", "EUR", "open")
    assert made["url"]
    assert client.get(address, headers=key).json() == {"top_ups": [made], "next_cursor": None}
    assert TopUp.objects.get().next_look_at > MARCH + timedelta(days=1)
    wrong = client.post(address, {"amount": "0"}, content_type="application/json", headers=key)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_top_up")
    provider = {"authorization": f"Bearer {api_key(cast.provider)}"}
    assert client.post(address, {"amount": "1"}, content_type="application/json", headers=provider).status_code == 404
    assert client.get(address, headers=provider).json() == {"top_ups": [made], "next_cursor": None}


def test_without_stripe_none_is_sold(client: Client, cast: Cast, world: World) -> None:
    key = {"authorization": f"Bearer {api_key(cast.tenant)}"}
    address = f"/api/v1/contracts/{world.contract.number}/top-ups"
    answer = client.post(address, {"amount": "25.00"}, content_type="application/json", headers=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "top_ups_not_taken")
    assert not TopUp.objects.exists()


def test_what_of_a_top_up_went_back_has_the_id_that_its_event_names(client: Client) -> None:
    world, _, term = prepaid_world()
    top_up = bought(term, "100", at=MARCH)
    take_credit(top_up=top_up, reference="dp_1:1", amount=Decimal(40), now=LATER)
    take_credit(top_up=top_up, reference=f"{REFUNDED_BY_HAND}re_1", amount=Decimal(10), now=LATER)
    key = {"authorization": f"Bearer {api_key(world.tenant)}"}
    (row,) = client.get(f"/api/v1/contracts/{world.contract.number}/top-ups", headers=key).json()["top_ups"]
    at = "2026-03-02T00:00:00Z"
    assert [(one["amount"], one["reference"], one["reason"], one["reversed_at"]) for one in row["reversals"]] == [
        ("40.00", "dp_1:1", "charged_back", at),
        ("10.00", "refunded:re_1", "refunded", at),
    ]
    told = CreditMovement.objects.order_by("pk").values_list("pk", flat=True)
    assert [one["id"] for one in row["reversals"]] == [str(each) for each in told]
