"""How far a session reaches that an invitation began, and what a stranger with or without the letter comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tenants.invitation_models import Invitation
from tenants.members import accepting
from tenants.models import Membership, Role, User
from tests.billing.pages.reading import text_of
from tests.factories import PASSWORD
from tests.tenants.accounts.doors import signed_in
from tests.tenants.members.people import DORA, invited

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NEW = {"name": "Dora", "password": PASSWORD}


def letter(cast: Cast, email: str = DORA, role: str = Role.DEVELOPER) -> str:
    return reverse("invitation", args=[invited(cast.tenant, email, role, at=timezone.now())[1]])


def test_the_first_session_is_one_that_its_owner_sees_and_ends(cast: Cast) -> None:
    first = Client()
    assert first.post(letter(cast), NEW).status_code == 302
    dora = User.objects.get(email=DORA)
    assert UserSession.objects.filter(user=dora, session_key=first.session.session_key).exists()
    second = signed_in(dora)
    assert second.post("/account/sessions/", {"session": "others"}).status_code == 302
    assert first.get("/account/").status_code == 302, "the session of the invitation is over"
    assert second.get("/account/").status_code == 200


def test_the_new_persons_address_is_on_record_at_once(cast: Cast) -> None:
    Client().post(letter(cast, "Dora@Example.com"), NEW)
    kept = EmailAddress.objects.get()
    assert (kept.email, kept.verified, kept.primary) == ("dora@example.com", True, True)


def test_a_session_from_before_is_not_carried_into_the_account(cast: Cast) -> None:
    client = Client()
    client.get("/sign-in/")
    session = client.session
    session["planted"] = "by a stranger"
    session.save()
    before = session.session_key
    client.post(letter(cast), NEW)
    assert client.session.session_key != before


def test_a_member_who_must_have_a_second_step_is_led_to_it(cast: Cast) -> None:
    cast.tenant.second_step_required = True
    cast.tenant.save()
    client = Client()
    client.post(letter(cast), NEW)
    assert client.get("/t/members/").headers["Location"] == "/account/second-step/"
    answer = client.post("/account/confirm/", {"password": PASSWORD, "next": "/account/second-step/app/"})
    assert answer.headers["Location"] == "/account/second-step/app/"
    assert client.get("/account/second-step/app/").status_code == 200


def test_the_letter_works_once_whoever_holds_it(cast: Cast) -> None:
    page = letter(cast)
    assert Client().post(page, NEW).status_code == 302
    for client in (Client(), signed_in(cast.charlie), signed_in(User.objects.get(email=DORA))):
        assert client.get(page).status_code == 410
        assert client.post(page, NEW).status_code == 410
    assert User.objects.filter(email__iexact=DORA).count() == 1
    assert Membership.objects.filter(user__email=DORA).count() == 1


@pytest.mark.parametrize(
    "token", ["x", "x" * 42, "x" * 44, "x" * 43, "-" * 43, "%2e%2e" + "x" * 41, "é" * 43, "x" * 42 + "="]
)
def test_a_guess_opens_nothing(cast: Cast, token: str) -> None:
    letter(cast)
    assert Client().get(f"/invitation/{token}/").status_code == 404


def test_a_token_with_a_letter_changed_opens_nothing(cast: Cast) -> None:
    one, token = invited(cast.tenant, at=timezone.now())
    for place in (0, 21, 42):
        other = "A" if token[place] != "A" else "B"
        wrong = token[:place] + other + token[place + 1 :]
        assert Client().get(reverse("invitation", args=[wrong])).status_code == 404
    assert Client().get(reverse("invitation", args=[token])).status_code == 200
    assert one.accepted_at is None


def test_reading_the_letter_accepts_nothing(cast: Cast) -> None:
    page = letter(cast, cast.charlie.email)
    client = signed_in(cast.charlie)
    for _ in range(2):
        assert client.get(page).status_code == 200
    assert not Membership.objects.filter(organization=cast.tenant, user=cast.charlie).exists()


def test_a_page_elsewhere_cannot_accept_in_a_persons_name(cast: Cast) -> None:
    page = letter(cast, cast.charlie.email)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.charlie)
    assert client.post(page).status_code == 403
    assert not Membership.objects.filter(organization=cast.tenant, user=cast.charlie).exists()


def test_names_are_shown_as_text(cast: Cast) -> None:
    cast.tenant.name = "<script>alert(1)</script>"
    cast.tenant.save()
    answer = Client().get(letter(cast)).content.decode()
    assert "<script>alert(1)" not in answer
    assert "&lt;script&gt;alert(1)" in answer


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\0b"])
def test_a_name_that_is_none_makes_no_account(cast: Cast, name: str) -> None:
    assert Client().post(letter(cast), {"name": name, "password": PASSWORD}).status_code == 422
    assert not User.objects.filter(email=DORA).exists()


@pytest.mark.parametrize("password", ["", "short", "123456789012", "password1234", "x" * 1_001])
def test_a_weak_password_makes_no_account(cast: Cast, password: str) -> None:
    assert Client().post(letter(cast), {"name": "Dora", "password": password}).status_code == 422
    assert not User.objects.filter(email=DORA).exists()


def test_what_is_posted_beside_the_form_changes_nothing(cast: Cast) -> None:
    more = {"role": "owner", "email": "eve@example.com", "is_staff": "on", "organization": str(cast.provider.pk)}
    Client().post(letter(cast), NEW | more)
    dora = User.objects.get(email=DORA)
    assert not dora.is_staff
    assert [(one.organization, one.role) for one in dora.memberships.all()] == [(cast.tenant, "developer")]


def test_two_organizations_inviting_one_new_person_make_one_account(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, token = invited(cast.tenant, "dora@example.com", at=timezone.now())
    second, other = invited(cast.outsider, "Dora@Example.com", at=timezone.now())
    accepting.accept_as_new(invitation_id=first.pk, token=token, now=timezone.now(), **NEW)
    # As it looks to the later of two at once: nobody had the address when it was looked for.
    monkeypatch.setattr(accepting, "account_of", lambda _invitation: None)
    with pytest.raises(accepting.InvitationForAnother, match="sign in with it"):
        accepting.accept_as_new(invitation_id=second.pk, token=other, now=timezone.now(), **NEW)
    assert Invitation.objects.get(pk=second.pk).accepted_at is None
    assert User.objects.filter(email__iexact=DORA).count() == 1


def test_the_database_itself_keeps_one_account_for_an_address(cast: Cast) -> None:
    with pytest.raises(IntegrityError):
        User.objects.create(email="ALICE@example.com", name="Eve")


def test_a_chinese_reader_is_told_in_chinese(cast: Cast) -> None:
    client = Client(headers={"Accept-Language": "zh-Hans"})
    page = letter(cast)
    shown = text_of(client.get(page))
    assert "dora@example.com" in shown
    assert "Join Tenant" not in shown
    assert "您" not in shown
    client.post(page, NEW)
    over = client.get(page)
    assert over.status_code == 410
    assert "It was accepted" not in text_of(over)
