"""What the form of a new contract offers: those one deals with, and cards that are there; never anybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.queries.known_parties import card_models, known_parties
from tests.billing.world import H100, make_world
from tests.factories import make_accelerator, make_cluster, make_contract, make_node, make_organization

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def names(cast: Cast, side: str) -> list[str]:
    return [one.slug for one in known_parties(cast.provider if side == "provider" else cast.tenant, side)]


def test_a_provider_knows_its_tenants_and_whom_it_invited_by_name_and_once(cast: Cast) -> None:
    assert names(cast, "provider") == []
    for _ in range(2):
        make_contract(cast.provider, cast.tenant)
    invited = make_organization("bakery")
    invited.introduced_by = cast.provider
    invited.save()
    make_contract(cast.outsider, make_organization("elsewhere"))
    assert names(cast, "provider") == ["bakery", "tenant"]


def test_a_tenant_knows_its_providers_and_who_invited_it(cast: Cast) -> None:
    assert names(cast, "tenant") == []
    cast.tenant.introduced_by = cast.outsider
    cast.tenant.save()
    make_contract(cast.provider, cast.tenant)
    assert names(cast, "tenant") == ["outsider", "provider"]


def test_cards_are_those_of_the_providers_at_hand(cast: Cast) -> None:
    make_accelerator(make_node(make_cluster(cast.outsider, "far")), model="Other card")
    node = make_node(make_cluster(cast.provider, "near"))
    for position in range(2):
        make_accelerator(node, position)
    assert card_models(cast.provider, "provider") == [H100]
    assert card_models(cast.tenant, "tenant") == []
    make_contract(cast.provider, cast.tenant)
    assert card_models(cast.tenant, "tenant") == [H100]


def test_the_form_offers_them_and_keeps_who_was_chosen(cast: Cast, client: Client) -> None:
    make_world(parties=(cast.provider, cast.tenant)).make_slices(1)
    client.force_login(cast.petra)
    page = client.get("/p/contracts/new/?party=tenant&kind=token_share").content.decode()
    assert '<option value="tenant">Tenant</option>' in page
    assert page.count('name="party" value="tenant"') == 2, "in the choice of a kind, and in the form"
    page = client.get("/p/contracts/new/").content.decode()
    assert f'<option value="{H100}"></option>' in page
    assert 'list="known-cards"' in page
    assert "outsider" not in page


@pytest.mark.usefixtures("told_contexts")
def test_a_new_lease_without_a_slice_is_asked_for_one_in_words(cast: Cast, client: Client) -> None:
    make_world(parties=(cast.provider, cast.tenant)).make_slices(1)
    client.force_login(cast.petra)
    given = {
        "party": "tenant", "currency": "USD", "time_zone": "UTC", "begins_at": "2030-01-01T00:00", "kind": "lease",
        "from_at": "2030-01-01T00:00", "w-accelerator_model": H100, "w-price_per_gpu_hour": "2",
    }  # fmt: skip
    answer = client.post("/p/contracts/new/", given)
    assert answer.status_code == 422
    assert answer.context["form"].errors["cards"] == ["Say how many to hold: a lease holds at least one."]
    tenant = client.get(f"/p/tenants/{cast.tenant.pk}/").content.decode()
    assert "/p/contracts/new/?party=tenant" in tenant
