"""The start page leads to the right room, and another organization is chosen by a POST alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from forecourt.home import first_room
from tenants.models import Membership, Role, User
from tenants.scoping import SESSION_KEY
from tenants.who_asks import memberships_of
from tests.factories import EPOCH, PASSWORD, make_user

if TYPE_CHECKING:
    from tests.factories import Cast


def client_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def alice_of_two(cast: Cast) -> Client:
    """Alice, who also looks after the provider."""
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.VIEWER, created_at=EPOCH)
    return client_of(cast.alice)


def test_who_is_not_signed_in_is_asked_to(client: Client, db: None) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/")


def test_a_tenant_starts_at_usage_and_a_provider_at_the_fleet(cast: Cast) -> None:
    assert first_room(cast.tenant) == "tenant-usage"
    assert first_room(cast.provider) == "provider-overview"
    assert client_of(cast.alice).get("/").headers["Location"] == "/t/usage/"
    assert client_of(cast.petra).get("/").headers["Location"] == "/p/"


def test_an_operator_alone_starts_at_a_page_of_its_own(cast: Cast) -> None:
    owen = client_of(make_user("owen@example.com", cast.operator))
    answer = owen.get("/", follow=True)
    assert (answer.status_code, answer.redirect_chain) == (200, [("/o/", 302)])
    cast.operator.is_tenant = True
    assert first_room(cast.operator) == "tenant-usage"
    cast.operator.is_provider = True
    assert first_room(cast.operator) == "provider-overview"


def test_who_belongs_nowhere_is_told_what_to_do(db: None) -> None:
    answer = client_of(User.objects.create_user("new@example.com", PASSWORD, name="New")).get("/")
    assert answer.status_code == 200
    assert "not a member" in answer.content.decode()
    assert "new@example.com" in answer.content.decode()


def test_reading_on_as_another_organization(cast: Cast, alice_of_two: Client) -> None:
    there = alice_of_two.post("/as/provider/")
    assert (there.status_code, there.headers["Location"]) == (302, "/p/")
    assert alice_of_two.session[SESSION_KEY] == str(cast.provider.id)
    assert alice_of_two.get("/").headers["Location"] == "/p/"
    back = alice_of_two.post("/as/tenant/")
    assert back.headers["Location"] == "/t/usage/"


def test_a_link_does_not_switch(cast: Cast, alice_of_two: Client) -> None:
    for method in (alice_of_two.get, alice_of_two.head):
        assert method("/as/provider/").status_code == 405
    assert SESSION_KEY not in alice_of_two.session


def test_another_site_cannot_switch(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    assert client.post("/as/tenant/").status_code == 403


def test_a_form_left_open_in_another_tab_does_nothing_for_the_organization_switched_to(cast: Cast) -> None:
    Membership.objects.create(organization=cast.outsider, user=cast.alice, role=Role.OWNER, created_at=EPOCH)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)

    def opened() -> str:
        client.get("/t/budgets/new/")
        return client.cookies["csrftoken"].value

    def sent(address: str, token: str) -> int:
        return client.post(address, {"csrfmiddlewaretoken": token}).status_code

    form = opened()
    first, second = [one.organization.slug for one in memberships_of(cast.alice)]
    assert sent(f"/as/{first}/", form) == 302
    assert sent("/t/budgets/new/", form) == 422
    assert sent(f"/as/{second}/", form) == 302
    assert sent("/t/budgets/new/", form) == 403
    assert sent("/t/budgets/new/", opened()) == 422


@pytest.mark.parametrize("slug", ["provider", "outsider", "operator", "nowhere"])
def test_an_organization_of_others_is_not_found(cast: Cast, slug: str) -> None:
    client = client_of(cast.bob)
    assert client.post(f"/as/{slug}/").status_code == 404
    assert SESSION_KEY not in client.session


def test_switching_without_signing_in_starts_at_the_beginning(client: Client, cast: Cast) -> None:
    assert client.post("/as/tenant/").headers["Location"] == "/sign-in/?next=/"
