"""How a provider deals with corrections, by the API: what goes without saying, said, and noted in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.corrections.policies import policy_of
from tenants.models import AuditEntry
from tests.billing.banking.test_api import call

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_a_policy_is_read_and_set(cast: Cast, client: Client) -> None:
    plain = policy_of(cast.provider.pk)
    said = {"disputes_pause_dunning": plain.disputes_pause_dunning, "applies_balances": plain.applies_balances}
    assert call(client, cast.provider, "correction-policy").json() == said
    other = {name: not value for name, value in said.items()}
    assert call(client, cast.provider, "correction-policy", other, "put").json() == other
    assert call(client, cast.provider, "correction-policy").json() == other
    noted = AuditEntry.objects.get(action="correction_policy.kept")
    assert (noted.organization, noted.before, noted.after) == (cast.provider, said, other)
    assert call(client, cast.outsider, "correction-policy").json() == said


def test_half_a_policy_is_refused_and_a_tenant_has_none(cast: Cast, client: Client) -> None:
    half = call(client, cast.provider, "correction-policy", {"applies_balances": True}, "put")
    assert (half.status_code, half.json()["code"]) == (400, "correction_policy_malformed")
    assert call(client, cast.tenant, "correction-policy").status_code == 404
    assert call(client, cast.tenant, "correction-policy", {}, "put").status_code == 404
