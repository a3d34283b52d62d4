"""The pages of members, from an invitation by form to a member who leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from tenants.invitation_models import Invitation
from tenants.members.inviting import letter_failed
from tenants.models import Membership, Role
from tests.billing.pages.reading import text_of
from tests.factories import make_user
from tests.tenants.members.people import DORA, NOW, invited, membership

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def member_page(cast: Cast, email: str) -> str:
    return reverse("tenant-member", args=[Membership.objects.get(organization=cast.tenant, user__email=email).pk])


@pytest.mark.parametrize("side", ["tenant", "provider", "operator"])
def test_somebody_is_invited_again_and_no_longer(cast: Cast, client: Client, settings: Any, side: str) -> None:
    settings.MAIL_READY = True
    person = {"tenant": cast.alice, "provider": cast.petra}.get(side) or make_user("olga@example.com", cast.operator)
    client.force_login(person)
    listed = reverse(f"{side}-members")
    assert person.email in text_of(client.get(listed))
    made = client.post(listed, {"email": DORA, "role": "developer"})
    assert made.status_code == 201
    assert f"A letter to {DORA} is on its way." in text_of(made)
    assert "hand over this address" not in text_of(made)
    invitation = Invitation.objects.get()
    assert (invitation.role, invitation.invited_by, invitation.language) == ("developer", person.email, "en")
    assert "Letter waits" in text_of(client.get(listed))
    act = reverse(f"{side}-invitation", args=[invitation.pk])
    assert "is on its way" in text_of(client.post(act, {"do": "resend"}))
    assert client.post(act, {"do": "dance"}).status_code == 404
    assert f"invitation of {DORA} is revoked" in text_of(client.post(act, {"do": "revoke"}, follow=True))
    assert client.post(act, {"do": "revoke"}).status_code == 404


def test_without_letters_the_address_is_shown_once(cast: Cast, client: Client, settings: Any) -> None:
    settings.MAIL_READY = False
    client.force_login(cast.alice)
    made = client.post(reverse("tenant-members"), {"email": DORA, "role": "viewer"}).content.decode()
    assert "No letters are sent here" in made
    assert "http://testserver/invitations/" in made
    assert "/invitations/" not in client.get(reverse("tenant-members")).content.decode().replace("members/inv", "")


def test_what_cannot_be_invited_is_said_beside_its_field(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    for body, words in (
        ({"email": "dora", "role": "viewer"}, "valid email"),
        ({"email": DORA, "role": "emperor"}, "valid choice"),
        ({"email": cast.bob.email, "role": "viewer"}, "is a member already"),
    ):
        refused = client.post(reverse("tenant-members"), body)
        assert refused.status_code == 422
        assert words in text_of(refused)
    assert not Invitation.objects.exists()


def test_a_letter_that_failed_and_an_invitation_that_expired_are_seen(
    cast: Cast, client: Client, settings: Any
) -> None:
    settings.MAIL_READY = True
    client.force_login(cast.alice)
    client.post(reverse("tenant-members"), {"email": DORA, "role": "viewer"})
    invited(cast.tenant, "eve@example.com")
    letter_failed(invitation=Invitation.objects.get(email=DORA), error="SMTPRefused: no such box", now=NOW)
    text = text_of(client.get(reverse("tenant-members")))
    assert "Letter failed, tried again SMTPRefused: no such box" in text
    assert "Expired" in text


def test_an_admin_neither_offers_nor_touches_owners(cast: Cast, client: Client) -> None:
    make_user("ada@example.com", cast.tenant, Role.ADMIN)
    one, _ = invited(cast.tenant, role=Role.OWNER)
    client.force_login(membership(cast.alice, cast.tenant).user.__class__.objects.get(email="ada@example.com"))
    page = client.get(reverse("tenant-members")).content.decode()
    assert '<option value="admin">' in page
    assert '<option value="owner"' not in page.partition('id="invite"')[2]
    act = reverse("tenant-invitation", args=[one.pk])
    assert "may not give or take the role owner" in text_of(client.post(act, {"do": "revoke"}, follow=True))
    alice = client.get(member_page(cast, cast.alice.email)).content.decode()
    assert "Give this role" not in alice
    assert "Take this member out" not in alice


def test_members_are_searched_and_none_is_said_to_be_found(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    found = client.get(reverse("tenant-members"), {"q": "bob", "role": "viewer"}).content.decode()
    assert cast.bob.email in found
    assert f">{cast.alice.email}</td>" not in found
    assert "Nobody is found" in text_of(client.get(reverse("tenant-members"), {"q": "nobody"}))


def test_a_member_gets_another_role_and_is_taken_out(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = member_page(cast, cast.bob.email)
    assert "Read invoices, payments and settings" in text_of(client.get(page))
    given = text_of(client.post(page, {"do": "role", "role": "developer"}, follow=True))
    assert "bob@example.com is developer from now on." in given
    assert "Manage API keys" in given
    assert "expected one of" in text_of(client.post(page, {"do": "role", "role": "emperor"}, follow=True))
    assert client.post(page, {"do": "dance"}).status_code == 404
    assert client.post(page, {"do": "leave"}).status_code == 404
    assert "is no member any more" in text_of(client.post(page, {"do": "remove"}, follow=True))
    assert client.get(page).status_code == 404


def test_the_last_owner_stays_and_a_viewer_may_leave(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    mine = member_page(cast, cast.alice.email)
    assert "Leave this organization" in text_of(client.get(mine))
    for body in ({"do": "role", "role": "viewer"}, {"do": "leave"}):
        assert "is the only owner" in text_of(client.post(mine, body, follow=True))
    client.force_login(cast.bob)
    assert "Invite somebody" not in text_of(client.get(reverse("tenant-members")))
    bobs = member_page(cast, cast.bob.email)
    assert "may not give" in text_of(client.post(bobs, {"do": "remove"}, follow=True))
    assert client.post(bobs, {"do": "leave"}).status_code == 302
    assert client.get(bobs).status_code == 404
    assert not Membership.objects.filter(user=cast.bob).exists()


def test_the_pages_speak_chinese(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    client.cookies["django_language"] = "zh-hans"
    page = text_of(client.get(reverse("tenant-members")))
    assert "所有者" in page
    assert "查看审计日志" in page
