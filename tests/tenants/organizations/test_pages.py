"""The operator's pages of organizations, and what each says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from portal.paging import ROWS_PER_PAGE
from tenants.invitation_models import Invitation
from tenants.models import Organization
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_organization, make_user
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


@pytest.fixture
def operator(cast: Cast, client: Client) -> Client:
    client.force_login(make_user("olga@example.com", cast.operator))
    return client


def test_an_organization_is_made_and_its_owner_invited(operator: Client, settings: Any) -> None:
    settings.MAIL_READY = False
    listed = reverse("operator-organizations")
    made = operator.post(listed, {**FACTS, "kinds": ["provider"], "owner_email": DORA})
    assert made.status_code == 201
    assert "Sample Compute is made, and its owner invited." in text_of(made)
    assert "/invitations/" in made.content.decode()
    organization = Organization.objects.get(slug="sample-compute")
    assert Invitation.objects.get(organization=organization).email == DORA
    again = operator.post(listed, {**FACTS, "kinds": ["provider"], "owner_email": "nobody"})
    assert again.status_code == 422
    page = text_of(operator.get(reverse("operator-organization-of", args=[organization.pk])))
    assert "invited dora@example.com" in page
    assert "Percent of what it bills" in page


def test_a_country_that_nobody_chose_is_nobodys_country(cast: Cast, operator: Client) -> None:
    """Taxes follow from it, and the first of all countries was sent by whoever looked away."""
    Organization.objects.filter(pk=cast.operator.pk).update(country="")
    listed = reverse("operator-organizations")
    for page in (listed, reverse("operator-organization")):
        shown = operator.get(page).content.decode()
        assert re.search(r'<select name="country"[^>]* required[^>]*>\s*<option value="" selected>', shown)
    unchosen = {**FACTS, "country": "", "kinds": ["provider"], "owner_email": DORA}
    assert operator.post(listed, unchosen).status_code == 422
    assert not Organization.objects.filter(name=FACTS["name"]).exists()


def test_the_list_and_its_file_hold_the_same(operator: Client) -> None:
    for asked, slugs in (
        ({}, ["operator", "provider", "tenant", "outsider"]),
        ({"kind": "tenant"}, ["tenant", "outsider"]),
    ):
        page = operator.get(reverse("operator-organizations"), asked).content.decode()
        rows = rows_of(operator.get(reverse("operator-organizations-csv"), asked))
        assert [row["slug"] for row in rows] == slugs
        assert all(f">{slug.title()}</a>" in page for slug in slugs)
    assert "No organization is found" in text_of(operator.get(reverse("operator-organizations"), {"q": "moon"}))


def test_a_long_list_stands_in_pages_and_its_file_in_one(operator: Client) -> None:
    for place in range(ROWS_PER_PAGE):
        make_organization(f"further-{place:02}")
    first, last = (operator.get(reverse("operator-organizations"), {"page": page}) for page in ("1", "2"))
    assert f"1 to {ROWS_PER_PAGE} of {ROWS_PER_PAGE + 4}" in text_of(first)
    rows = rows_of(operator.get(reverse("operator-organizations-csv"), {"page": "2"}))
    assert _listed(first) + _listed(last) == [row["name"] for row in rows]
    found = operator.get(reverse("operator-organizations"), {"q": "further", "kind": "tenant"})
    assert len(_listed(found)) == ROWS_PER_PAGE
    assert "?q=further&amp;kind=tenant" in found.content.decode()
    assert operator.get(reverse("operator-organizations"), {"page": "3"}).status_code == 404


def _listed(page: Any) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.content.decode())


def test_one_is_kept_out_its_people_read_why_and_its_events_still_come_in(
    cast: Cast, operator: Client, client: Client
) -> None:
    page = reverse("operator-organization-of", args=[cast.tenant.pk])
    assert "because: expected" in text_of(operator.post(page, {"do": "suspend", "because": ""}, follow=True))
    kept_out = text_of(operator.post(page, {"do": "suspend", "because": "Invoices of March."}, follow=True))
    assert "Tenant is kept out" in kept_out
    secret = secret_of(cast.tenant)
    refused = call(client, secret, "get", "price-books")
    assert (refused.status_code, refused.json()["code"]) == (403, "organization_suspended")
    event = {"id": "r-1", "source": "s", "occurred_at": "2026-03-05T09:00:00Z", "model": "m", "input": 1, "output": 1}
    assert call(client, secret, "post", "events", [event]).status_code == 200
    client.force_login(cast.alice)
    shown = client.get(reverse("tenant-usage"))
    assert shown.status_code == 403
    assert "Invoices of March." in text_of(shown)
    client.force_login(make_user("oscar@example.com", cast.operator))
    assert "Tenant is let in again." in text_of(client.post(page, {"do": "reinstate"}, follow=True))
    assert call(client, secret, "get", "price-books").status_code == 200


def test_a_fee_is_set_an_owner_invited_and_wrong_words_are_said(cast: Cast, operator: Client, settings: Any) -> None:
    settings.MAIL_READY = False
    page = reverse("operator-organization-of", args=[cast.provider.pk])
    assert "have this fee" in text_of(operator.post(page, {"do": "fee", "fee": "2.5"}, follow=True))
    assert 'value="2.5"' in operator.get(page).content.decode()
    assert "is no number" in text_of(operator.post(page, {"do": "fee", "fee": "much"}, follow=True))
    assert "/invitations/" in operator.post(page, {"do": "invite", "email": DORA}).content.decode()
    settings.MAIL_READY = True
    assert "is invited" in text_of(operator.post(page, {"do": "invite", "email": "eve@example.com"}, follow=True))
    assert "no e-mail address" in text_of(operator.post(page, {"do": "invite", "email": "nobody"}, follow=True))
    assert operator.post(page, {"do": "dance"}).status_code == 404


@pytest.mark.parametrize("side", ["tenant", "provider", "operator"])
def test_an_organization_says_itself_what_it_is(cast: Cast, client: Client, side: str) -> None:
    organization = getattr(cast, side)
    client.force_login(
        {"tenant": cast.alice, "provider": cast.petra}.get(side) or make_user("olga@example.com", cast.operator)
    )
    page = reverse(f"{side}-organization")
    assert side.title() in text_of(client.get(page))
    assert "It is kept so." in text_of(client.post(page, FACTS, follow=True))
    organization.refresh_from_db()
    assert (organization.name, organization.country, organization.time_zone) == ("Sample Compute", "FR", "Europe/Paris")
    assert client.post(page, {**FACTS, "time_zone": "Mars/Olympus"}).status_code == 422
    client.force_login(cast.bob)
    if side == "tenant":
        assert "Keep it so" not in text_of(client.get(page))
        assert client.post(page, FACTS).status_code == 403
