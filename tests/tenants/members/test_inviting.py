"""Inviting: one open invitation for an address, within reach of who invites, sent again and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, transaction

from tenants.invitation_models import Invitation
from tenants.members import inviting
from tenants.members.accepting import find_invitation
from tenants.members.tokens import digest_of, token_of
from tenants.models import AuditEntry, Role
from tests.kept import kept
from tests.tenants.members.people import DORA, MINUTE, NOW, WEEK, acting, invited

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

SECRET = "another secret of the installation"


def resend(
    cast: Cast, one: Invitation, *, at: datetime = NOW + 2 * MINUTE, by: Role = Role.OWNER
) -> tuple[Invitation, str]:
    return inviting.resend(actor=acting(cast.tenant, by), invitation_id=one.pk, secret_key=SECRET, now=at)


@kept
def old_and_token(cast: Cast) -> tuple[Invitation, str]:
    return invited(cast.tenant)


def test_an_invitation_keeps_a_hash_and_is_on_record(cast: Cast) -> None:
    made, token = invited(cast.tenant, email=" Dora@Example.com ")
    stored = Invitation.objects.values().get()
    assert token not in str(stored)
    assert bytes(stored["token_sha256"]) == digest_of(token)
    assert (made.email, made.role, made.expires_at) == ("Dora@Example.com", Role.DEVELOPER, NOW + WEEK)
    assert find_invitation(token) == made
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.actor) == ("invitation.made", made.email, "alice@example.com")
    assert entry.after == {"role": "developer", "expires_at": (NOW + WEEK).isoformat()}


@pytest.mark.parametrize("email", ["", "dora", "dora@", "a@b c.example", "x" * 300 + "@example.com", "d\0@example.com"])
def test_what_is_no_address_is_refused(cast: Cast, email: str) -> None:
    with pytest.raises(inviting.WrongInvitation, match="is no e-mail address") as refused:
        invited(cast.tenant, email=email)
    assert refused.value.extra["field"] == "email"
    assert not Invitation.objects.exists()


def test_an_unknown_role_or_language_is_named(cast: Cast) -> None:
    with pytest.raises(inviting.WrongInvitation, match="'emperor', expected one of owner, admin"):
        invited(cast.tenant, role="emperor")
    with pytest.raises(inviting.WrongInvitation, match="'tlh', expected one of en, zh-hans"):
        invited(cast.tenant, language="tlh")


@pytest.mark.parametrize(
    ("by", "role", "allowed"),
    [
        (Role.OWNER, Role.OWNER, True),
        (Role.ADMIN, Role.OWNER, False),
        (Role.ADMIN, Role.ADMIN, True),
        (Role.BILLING, Role.VIEWER, False),
        (Role.DEVELOPER, Role.VIEWER, False),
        (Role.VIEWER, Role.VIEWER, False),
    ],
)
def test_nobody_gives_a_role_beyond_their_reach(cast: Cast, by: Role, role: Role, allowed: bool) -> None:
    if allowed:
        assert invited(cast.tenant, role=role, by=by)[0].role == role
        return
    with pytest.raises(inviting.RoleOutOfReach, match=f"is {by} here"):
        invited(cast.tenant, role=role, by=by)
    assert not Invitation.objects.exists()


def test_a_member_and_an_invited_person_are_not_invited_again(cast: Cast) -> None:
    with pytest.raises(inviting.AlreadyMember):
        invited(cast.tenant, email="BOB@example.com")
    invited(cast.tenant)
    with pytest.raises(inviting.AlreadyInvited):
        invited(cast.tenant, email=DORA.upper())
    assert invited(cast.outsider)[0].organization == cast.outsider


def test_one_that_expired_makes_way_for_a_new_one(cast: Cast, old_and_token: tuple[Invitation, str]) -> None:
    old, token = old_and_token
    new, _ = invited(cast.tenant, at=NOW + WEEK)
    old.refresh_from_db()
    assert (old.revoked_at, old.mail_due_at) == (NOW + WEEK, None)
    assert new.pk != old.pk
    assert find_invitation(token) == old


def test_the_database_keeps_one_open_invitation_for_an_address(old_and_token: tuple[Invitation, str]) -> None:
    made, _ = old_and_token
    made.pk, made.email, made.token_sha256 = None, DORA.title(), b"x" * 32
    with pytest.raises(IntegrityError, match="one_open_invitation"), transaction.atomic():
        Invitation.objects.bulk_create([made])


def test_there_is_an_end_to_open_invitations(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inviting, "OPEN_MAX", 2)
    for name in ("a", "b"):
        invited(cast.tenant, email=f"{name}@example.com")
    with pytest.raises(inviting.TooManyInvitations, match="2 invitations are open"):
        invited(cast.tenant)


def test_sent_again_it_has_a_new_token_and_a_new_week(cast: Cast, old_and_token: tuple[Invitation, str]) -> None:
    made, first = old_and_token
    inviting.letter_sent(invitation=made, now=NOW)
    with pytest.raises(inviting.TooManyInvitations, match="within the last minute"):
        resend(cast, made, at=NOW + MINUTE / 2)
    again, second = resend(cast, made)
    assert first != second
    assert find_invitation(first) is None
    assert find_invitation(second) == again
    assert again.expires_at == NOW + 2 * MINUTE + WEEK
    assert (again.mail_due_at, again.mailed_at, again.mail_attempts) == (NOW + 2 * MINUTE, None, 0)


def test_taken_back_it_is_gone_for_good(cast: Cast, old_and_token: tuple[Invitation, str]) -> None:
    made, _ = old_and_token
    inviting.revoke(actor=acting(cast.tenant), invitation_id=made.pk, now=NOW)
    for act in (
        lambda: inviting.revoke(actor=acting(cast.tenant), invitation_id=made.pk, now=NOW),
        lambda: resend(cast, made),
    ):
        with pytest.raises(Invitation.DoesNotExist):
            act()
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "invitation.made",
        "invitation.revoked",
    ]


def test_an_admin_and_an_outsider_do_not_touch_an_owners_invitation(cast: Cast) -> None:
    made, _ = invited(cast.tenant, role=Role.OWNER)
    with pytest.raises(inviting.RoleOutOfReach):
        resend(cast, made, by=Role.ADMIN)
    with pytest.raises(inviting.RoleOutOfReach):
        inviting.revoke(actor=acting(cast.tenant, Role.ADMIN), invitation_id=made.pk, now=NOW)
    with pytest.raises(Invitation.DoesNotExist):
        inviting.revoke(actor=acting(cast.outsider), invitation_id=made.pk, now=NOW)


def test_a_letter_is_claimed_by_one_and_tried_again_later(old_and_token: tuple[Invitation, str]) -> None:
    made, _ = old_and_token
    assert inviting.claim_letters(now=NOW, limit=9) == [made]
    assert inviting.claim_letters(now=NOW + MINUTE, limit=9) == []
    (lost,) = inviting.claim_letters(now=NOW + inviting.MAIL_LEASE, limit=9)
    inviting.letter_failed(invitation=lost, error="x" * 999, now=NOW)
    made.refresh_from_db()
    assert (made.mail_error, made.mail_attempts) == ("x" * 300, 2)
    assert made.mail_due_at == NOW + 2 * inviting.MAIL_RETRY
    (last,) = inviting.claim_letters(now=NOW + 2 * MINUTE, limit=9)
    inviting.letter_sent(invitation=last, now=NOW + 2 * MINUTE)
    made.refresh_from_db()
    stored = Invitation.objects.values("mailed_at", "mail_due_at", "mail_error").get()
    assert stored == {"mailed_at": NOW + 2 * MINUTE, "mail_due_at": None, "mail_error": ""}


def test_a_letter_of_an_earlier_turn_says_nothing_of_the_later_one(
    cast: Cast, old_and_token: tuple[Invitation, str]
) -> None:
    made, _ = old_and_token
    (claimed,) = inviting.claim_letters(now=NOW, limit=9)
    resend(cast, made)
    inviting.letter_sent(invitation=claimed, now=NOW)
    made.refresh_from_db()
    assert made.mailed_at is None
    assert made.mail_due_at == NOW + 2 * MINUTE


def test_no_letter_goes_out_for_what_is_over(cast: Cast) -> None:
    for email in ("revoked@example.com", "expired@example.com"):
        invited(cast.tenant, email=email)
    Invitation.objects.filter(email__startswith="revoked").update(revoked_at=NOW)
    assert [one.email for one in inviting.claim_letters(now=NOW, limit=9)] == ["expired@example.com"]
    assert inviting.claim_letters(now=NOW + WEEK, limit=9) == []


def test_a_changed_secret_key_makes_the_letters_that_wait_good_again(old_and_token: tuple[Invitation, str]) -> None:
    made, old = old_and_token
    token = inviting.letter_token(invitation=made, secret_key=SECRET)
    assert token == token_of(secret_key=SECRET, invitation_id=made.pk, turn=1) != old
    assert find_invitation(token) == made
    assert find_invitation(old) is None
