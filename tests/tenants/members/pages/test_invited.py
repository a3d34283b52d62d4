"""What the address in the letter shows and takes, whoever opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from django.utils import timezone

from tenants.members.inviting import revoke
from tenants.models import Membership, Role, User
from tests.billing.pages.reading import text_of
from tests.factories import PASSWORD
from tests.tenants.members.people import DORA, WEEK, acting, invited, membership

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def address(cast: Cast, email: str = DORA) -> str:
    return reverse("invitation", args=[invited(cast.tenant, email, at=timezone.now())[1]])


def test_a_new_person_makes_an_account_and_is_in(cast: Cast, client: Client) -> None:
    page = address(cast)
    shown = text_of(client.get(page))
    assert "Join Tenant" in shown
    assert "alice@example.com invites dora@example.com as developer." in shown
    weak = client.post(page, {"name": "Dora", "password": "short"})
    assert weak.status_code == 422
    assert "too short" in text_of(weak)
    assert client.post(page, {"name": "", "password": PASSWORD}).status_code == 422
    assert not User.objects.filter(email=DORA).exists()
    inside = client.post(page, {"name": "Dora", "password": PASSWORD}, follow=True)
    assert "You act for Tenant now, as developer." in text_of(inside)
    assert membership(User.objects.get(email=DORA), cast.tenant).role == Role.DEVELOPER
    again = client.get(page)
    assert again.status_code == 410
    assert "It was accepted already." in text_of(again)
    assert client.post(page).status_code == 410


def test_who_has_an_account_signs_in_and_comes_back(cast: Cast, client: Client) -> None:
    page = address(cast, "Petra@example.com")
    shown = client.get(page).content.decode()
    assert f'href="/sign-in/?next={page.replace("/", "%2F")}"' in shown
    assert client.post(page, {"name": "P", "password": PASSWORD}).status_code == 422
    client.force_login(cast.petra)
    assert "Join Tenant" in text_of(client.get(page))
    assert "You act for Tenant now" in text_of(client.post(page, follow=True))
    assert client.get(reverse("tenant-members")).status_code == 200


def test_somebody_else_is_told_whose_it_is(cast: Cast, client: Client) -> None:
    page = address(cast)
    client.force_login(cast.charlie)
    assert "You are signed in as charlie@example.com, and the invitation is for dora@" in text_of(client.get(page))
    assert client.post(page).status_code == 422
    assert not Membership.objects.filter(organization=cast.tenant, user=cast.charlie).exists()


def test_what_is_over_says_why(cast: Cast, client: Client) -> None:
    one, token = invited(cast.tenant, at=timezone.now() - WEEK)
    gone = client.get(reverse("invitation", args=[token]))
    assert (gone.status_code, gone.headers["Cache-Control"]) == (
        410,
        "max-age=0, no-cache, no-store, must-revalidate, private",
    )
    assert "good for a week, and that is over" in text_of(gone)
    revoke(actor=acting(cast.tenant), invitation_id=one.pk, now=timezone.now())
    assert "It was taken back" in text_of(client.get(reverse("invitation", args=[token])))
    assert client.get(reverse("invitation", args=["x" * 43])).status_code == 404
