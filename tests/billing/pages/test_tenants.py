"""The provider's pages of tenants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from portal.paging import ROWS_PER_PAGE
from tenants.models import Membership, Organization, Role
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_organization
from tests.tenants.members.people import DORA

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

NEW = {
    "name": "Sample Tokens",
    "country": "FR",
    "billing_email": "bills@sample.example",
    "time_zone": "UTC",
    "owner_email": DORA,
}


def test_a_tenant_is_invited_and_stands_in_the_list_and_its_file(cast: Cast, client: Client, settings: Any) -> None:
    settings.MAIL_READY = False
    client.force_login(cast.petra)
    listed = reverse("provider-tenants")
    assert "No tenants yet" in text_of(client.get(listed))
    made = client.post(listed, NEW)
    assert made.status_code == 201
    assert "/invitations/" in made.content.decode()
    assert "Invited" in text_of(made)
    make_issued([Line("50.00")], parties=(cast.provider, cast.tenant), number="S-1")
    page = client.get(listed).content.decode()
    rows = rows_of(client.get(reverse("provider-tenants-csv")))
    assert [row["slug"] for row in rows] == ["sample-tokens", "tenant"]
    assert all(f">{row['tenant']}</a>" in page for row in rows)
    assert client.post(listed, {**NEW, "owner_email": "nobody"}).status_code == 422
    Membership.objects.filter(user=cast.petra).update(role=Role.BILLING)
    assert "Invite a tenant" not in text_of(client.get(listed))
    assert client.post(listed, NEW).status_code == 403


def test_a_long_list_stands_in_pages_and_its_file_in_one(cast: Cast, client: Client) -> None:
    for place in range(ROWS_PER_PAGE + 1):
        invited = make_organization(f"invited-{place:02}")
        Organization.objects.filter(pk=invited.pk).update(introduced_by=cast.provider)
    issued = make_issued([Line("50.00")], parties=(cast.provider, cast.tenant), number="S-1")
    client.force_login(cast.petra)
    listed = reverse("provider-tenants")
    first, last = (client.get(f"{listed}?page={page}") for page in (1, 2))
    assert f"1 to {ROWS_PER_PAGE} of {ROWS_PER_PAGE + 2}" in text_of(first)
    names = [*_names(first), *_names(last)]
    assert names == [row["tenant"] for row in rows_of(client.get(reverse("provider-tenants-csv")))]
    assert f"{issued.tenant.name} DE 1" in text_of(last)
    found = client.get(f"{listed}?q=invited-&page=2")
    assert _names(found) == [names[ROWS_PER_PAGE]]
    assert 'csv?q=invited-"' in found.content.decode()
    assert client.get(f"{listed}?page=3").status_code == 404


def _names(page: Any) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.content.decode())


def test_a_tenants_page_has_its_contracts_and_invoices_and_is_the_providers(cast: Cast, client: Client) -> None:
    issued = make_issued([Line("50.00")], parties=(cast.provider, cast.tenant), number="S-1")
    page = reverse("provider-tenant", args=[cast.tenant.pk])
    client.force_login(cast.petra)
    shown = text_of(client.get(page))
    assert issued.contract.number in shown
    assert "S-1" in shown
    client.force_login(cast.charlie)
    assert client.get(page).status_code == 404
    cast.outsider.introduced_by = cast.provider
    Organization.objects.filter(pk=cast.outsider.pk).update(introduced_by=cast.provider)
    client.force_login(cast.petra)
    assert "No contract yet." in text_of(client.get(reverse("provider-tenant", args=[cast.outsider.pk])))
