"""Who is not signed in is led to the door; a form sent after the session ended does nothing, and its sender is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tenants.models import Membership, Organization, Role
from tenants.signed_in import signed_in
from tests.factories import EPOCH, PASSWORD
from tests.tenants.accounts.doors import enter
from tests.tenants.accounts.doors import signed_in as entered

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tests.factories import Cast

NOT_KEPT = "Nothing was done, and what you typed is not kept."


@signed_in
def page(request: HttpRequest) -> HttpResponse:
    raise AssertionError("nobody is signed in")


def sent(method: str, before: str) -> tuple[str, list[str]]:
    """Where a request of nobody to /p/new/release/?by=2 is led, and what is said there."""
    request = RequestFactory().generic(method, "/p/new/release/?by=2", headers={"referer": before})
    request.user = AnonymousUser()
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    location = page(request)["Location"]
    return location, [str(one) for one in request._messages]  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_reads_is_led_back_to_the_page_and_told_nothing(method: str) -> None:
    assert sent(method, "http://testserver/p/") == ("/sign-in/?next=/p/new/release/%3Fby%3D2", [])


@pytest.mark.parametrize(
    ("before", "back"),
    [
        ("http://testserver/p/new/?to=x#end", "/p/new/%3Fto%3Dx"),
        ("http://testserver", "/"),
        ("http://elsewhere.example/p/new/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_who_sent_a_form_is_told_that_it_is_lost_and_led_back_to_its_page(before: str, back: str) -> None:
    location, (said,) = sent("POST", before)
    assert location == f"/sign-in/?next={back}"
    assert said.endswith(NOT_KEPT)


def test_the_door_says_it_once_before_anybody_signs_in(cast: Cast) -> None:
    client, form = Client(), {"name": "Cloud One"}
    door = client.post("/t/organization/", form, follow=True, headers={"referer": "http://testserver/t/organization/"})
    assert door.redirect_chain == [("/sign-in/?next=/t/organization/", 302)]
    assert NOT_KEPT in door.content.decode()
    assert Organization.objects.get(pk=cast.tenant.pk).name == cast.tenant.name
    assert NOT_KEPT not in client.get("/sign-in/").content.decode()
    assert enter(cast.alice, client, next="/t/organization/").headers["Location"] == "/t/organization/"


def test_a_browser_begins_with_the_organization_that_it_switched_to_last(cast: Cast) -> None:
    Membership.objects.create(organization=cast.provider, user=cast.alice, role=Role.ADMIN, created_at=EPOCH)
    client = entered(cast.alice)
    client.post("/as/provider/")
    client.logout()
    client.cookies["organization"] = str(cast.provider.pk)  # Django's client forgets all cookies with the session
    client.login(email=cast.alice.email, password=PASSWORD)
    assert client.get("/").headers["Location"] == "/p/"
    client.post("/as/tenant/")
    assert client.cookies["organization"].value == str(cast.tenant.pk)
    assert client.get("/").headers["Location"] == "/t/usage/"


def test_what_a_browser_kept_opens_nothing_for_somebody_else(cast: Cast) -> None:
    client = entered(cast.bob)
    for kept in (str(cast.provider.pk), "nonsense"):
        client.cookies["organization"] = kept
        assert client.get("/").headers["Location"] == "/t/usage/"
        assert client.get("/p/").status_code == 404
