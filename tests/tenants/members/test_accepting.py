"""Accepting: once, in time, by whose address it is; as the account there is or as a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.members import accepting
from tenants.members.accepting import account_of, find_invitation, over_since
from tenants.members.inviting import resend
from tenants.models import AuditEntry, Membership, Role, User
from tests.factories import PASSWORD
from tests.kept import kept
from tests.tenants.members.people import DORA, MINUTE, NOW, WEEK, acting, invited, membership

if TYPE_CHECKING:
    from tenants.invitation_models import Invitation
    from tests.factories import Cast


def accept_as_new(one: Invitation, token: str, **given: str) -> Membership:
    said = {"name": "Dora", "password": PASSWORD, **given}
    return accepting.accept_as_new(invitation_id=one.pk, token=token, now=NOW, **said)


@kept
def one_and_token(cast: Cast) -> tuple[Invitation, str]:
    return invited(cast.tenant)


@kept
def one_and_token_made(cast: Cast) -> tuple[Invitation, str]:
    return invited(cast.tenant, email="petra@example.com")


def test_a_new_person_gets_an_account_and_the_role(cast: Cast, one_and_token: tuple[Invitation, str]) -> None:
    one, token = one_and_token
    joined = accept_as_new(one, token, name=" Dora ")
    dora = User.objects.get(email=DORA)
    assert joined == membership(dora, cast.tenant)
    assert (dora.name, joined.role, dora.is_staff, dora.is_superuser) == ("Dora", Role.DEVELOPER, False, False)
    assert dora.check_password(PASSWORD)
    one.refresh_from_db()
    assert (one.accepted_at, one.accepted_by, one.mail_due_at) == (NOW, dora, None)
    entry = AuditEntry.objects.get(action="invitation.accepted")
    assert entry.actor == DORA
    assert entry.after == {"role": "developer", "invited_by": "alice@example.com", "new_member": True}


def test_whoever_has_an_account_joins_with_it(cast: Cast) -> None:
    one, token = invited(cast.tenant, email="PETRA@example.com", role=Role.BILLING)
    assert account_of(one) == cast.petra
    joined = accepting.accept(invitation_id=one.pk, token=token, person=cast.petra, now=NOW)
    assert joined.role == Role.BILLING
    assert membership(cast.petra, cast.provider).role == Role.OWNER


def test_an_account_is_not_made_twice_for_an_address(cast: Cast, one_and_token_made: tuple[Invitation, str]) -> None:
    one, token = one_and_token_made
    with pytest.raises(accepting.InvitationForAnother, match="has an account: sign in"):
        accept_as_new(one, token)
    assert cast.petra.check_password(PASSWORD)


def test_it_works_once(cast: Cast, one_and_token: tuple[Invitation, str]) -> None:
    one, token = one_and_token
    accept_as_new(one, token)
    assert over_since(find_invitation(token) or one, NOW) == "accepted"
    with pytest.raises(accepting.InvitationOver, match="is accepted"):
        accepting.accept(invitation_id=one.pk, token=token, person=User.objects.get(email=DORA), now=NOW)
    assert Membership.objects.filter(organization=cast.tenant).count() == 3


def test_it_works_for_its_own_address_alone(cast: Cast, one_and_token: tuple[Invitation, str]) -> None:
    one, token = one_and_token
    with pytest.raises(accepting.InvitationForAnother, match=r"sent to dora@example\.com, and charlie@"):
        accepting.accept(invitation_id=one.pk, token=token, person=cast.charlie, now=NOW)
    assert not Membership.objects.filter(organization=cast.tenant, user=cast.charlie).exists()


def test_it_ends_at_its_instant_and_when_it_is_taken_back_or_sent_again(
    cast: Cast, one_and_token_made: tuple[Invitation, str]
) -> None:
    one, token = one_and_token_made
    assert over_since(one, NOW + WEEK - MINUTE) == ""
    with pytest.raises(accepting.InvitationOver, match="is expired"):
        accepting.accept(invitation_id=one.pk, token=token, person=cast.petra, now=NOW + WEEK)
    resend(actor=acting(cast.tenant), invitation_id=one.pk, secret_key="later", now=NOW)
    with pytest.raises(accepting.InvitationOver, match="is revoked"):
        accepting.accept(invitation_id=one.pk, token=token, person=cast.petra, now=NOW)


def test_a_member_who_accepts_keeps_the_role_that_they_have(cast: Cast) -> None:
    one, token = invited(cast.outsider, email="petra@example.com", role=Role.VIEWER)
    Membership.objects.create(organization=cast.outsider, user=cast.petra, role=Role.ADMIN, created_at=NOW)
    joined = accepting.accept(invitation_id=one.pk, token=token, person=cast.petra, now=NOW)
    assert joined.role == Role.ADMIN
    assert over_since(find_invitation(token) or one, NOW) == "accepted"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "D\0ra"}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"password": "123456789012"}, "password"),
    ],
)
def test_a_wrong_name_or_a_weak_password_makes_no_account(
    given: dict[str, str], field: str, one_and_token: tuple[Invitation, str]
) -> None:
    one, token = one_and_token
    with pytest.raises(accepting.WrongNewPerson) as refused:
        accept_as_new(one, token, **given)
    assert refused.value.extra["field"] == field
    assert not User.objects.filter(email=DORA).exists()
    assert over_since(find_invitation(token) or one, NOW) == ""


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 4_000, "é" * 43])
def test_a_wrong_token_opens_nothing(cast: Cast, token: str) -> None:
    invited(cast.tenant)
    assert find_invitation(token) is None
