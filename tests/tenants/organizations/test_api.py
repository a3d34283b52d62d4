"""The API of organizations: the own one, the operator's view of all, a provider's invitations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tenants.models import Organization
from tests.tenants.calling import call, secret_of
from tests.tenants.members.people import DORA

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

FACTS = {
    "name": "Sample Compute",
    "country": "FR",
    "billing_email": "bills@sample.example",
    "time_zone": "Europe/Paris",
}
NEW = {**FACTS, "kinds": ["tenant"], "owner_email": DORA}


def test_everybody_reads_and_changes_their_own(cast: Cast, client: Client) -> None:
    caller = secret_of(cast.tenant)
    (own,) = call(client, caller, "get", "organizations").json()["organizations"]
    assert (own["id"], own["kinds"], own["fee_percent"]) == (str(cast.tenant.pk), ["tenant"], "0")
    changed = call(client, caller, "put", f"organizations/{own['id']}", FACTS).json()
    assert changed == {**own, **FACTS} == call(client, caller, "get", f"organizations/{own['id']}").json()
    wrong = call(client, caller, "put", f"organizations/{own['id']}", {**FACTS, "country": "XX"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_organization")
    for method, address, body in (
        ("get", f"organizations/{cast.provider.pk}", None),
        ("put", f"organizations/{cast.provider.pk}", FACTS),
        ("post", f"organizations/{own['id']}/suspend", {"because": "a"}),
        ("post", f"organizations/{own['id']}/reinstate", None),
        ("put", f"organizations/{own['id']}/fee", {"fee_percent": "1"}),
        ("post", "organizations", NEW),
    ):
        assert call(client, caller, method, address, body).status_code == 404, address


def test_a_provider_invites_a_tenant_once(cast: Cast, client: Client, settings: Any) -> None:
    settings.MAIL_READY = False
    caller = secret_of(cast.provider)
    made = call(client, caller, "post", "organizations", NEW, **{"Idempotency-Key": "one"})
    assert made.status_code == 201
    assert "/invitations/" in made.json()["address"]
    again = call(client, caller, "post", "organizations", NEW, **{"Idempotency-Key": "one"}).json()
    assert again == {**made.json(), "address": None}
    assert Organization.objects.get(pk=made.json()["id"]).introduced_by == cast.provider
    refused = call(client, caller, "post", "organizations", {**NEW, "kinds": ["provider"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "wrong_organization")


def test_the_operator_sees_all_sets_fees_and_keeps_out(cast: Cast, client: Client) -> None:
    caller = secret_of(cast.operator)
    assert len(call(client, caller, "get", "organizations").json()["organizations"]) == 4
    provider = f"organizations/{cast.provider.pk}"
    assert call(client, caller, "put", f"{provider}/fee", {"fee_percent": "2.5000"}).json()["fee_percent"] == "2.5"
    out = call(client, caller, "post", f"{provider}/suspend", {"because": "Not paid."}).json()
    assert out["suspended_at"] is not None
    assert out["suspended_because"] == "Not paid."
    assert call(client, caller, "post", f"{provider}/reinstate").json()["suspended_at"] is None
    stays = call(client, caller, "post", f"organizations/{cast.operator.pk}/suspend", {"because": "a"})
    assert (stays.status_code, stays.json()["code"]) == (409, "operator_stays")
