"""Whoever loses a role loses what it gave: open invitations of theirs that they could not make any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.accounts.leaving import leave as delete_account
from tenants.invitation_models import Invitation
from tenants.members.accepting import InvitationOver, accept_as_new
from tenants.members.changing import LastOwner, change_role, leave, remove_member
from tenants.models import AuditEntry, Membership, Role, User
from tenants.roles import may_give
from tests.factories import EPOCH, PASSWORD
from tests.kept import kept
from tests.tenants.members.people import MINUTE, NOW, acting, invited, membership

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def olivia(cast: Cast) -> User:
    """A second owner, who may go."""
    person = User.objects.create_user("olivia@example.com", PASSWORD, name="Olivia")
    Membership.objects.create(organization=cast.tenant, user=person, role=Role.OWNER, created_at=EPOCH)
    return person


def of_each_role(cast: Cast, by: str) -> dict[str, tuple[Invitation, str]]:
    found = {role: invited(cast.tenant, f"{role}@example.org", role) for role in Role.values}
    Invitation.objects.update(invited_by=by)
    return found


def still_open() -> set[str]:
    return set(Invitation.objects.filter(revoked_at=None).values_list("role", flat=True))


@pytest.mark.parametrize("role", [role for role in Role.values if role != Role.OWNER])
def test_of_a_lesser_role_only_what_it_may_give_stays_open(cast: Cast, olivia: User, role: str) -> None:
    of_each_role(cast, olivia.email)
    change_role(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, role=role, now=NOW)
    assert still_open() == {given for given in Role.values if may_give(role, given)}


def test_who_is_taken_out_does_not_come_back_by_an_own_letter(cast: Cast, olivia: User) -> None:
    one, token = of_each_role(cast, olivia.email)[Role.OWNER]
    remove_member(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, now=NOW)
    assert still_open() == set()
    with pytest.raises(InvitationOver, match="revoked"):
        accept_as_new(invitation_id=one.pk, token=token, name="O", password=PASSWORD, now=NOW + MINUTE)


def test_who_leaves_takes_their_invitations_along(cast: Cast, olivia: User) -> None:
    of_each_role(cast, olivia.email)
    leave(organization=cast.tenant, person=olivia, now=NOW)
    assert still_open() == set()


def test_who_deletes_their_account_does_too(cast: Cast, olivia: User) -> None:
    of_each_role(cast, olivia.email)
    delete_account(person=olivia, now=NOW)
    assert still_open() == set()


def test_invitations_of_others_and_of_other_organizations_stay(cast: Cast, olivia: User) -> None:
    mine = of_each_role(cast, "alice@example.com")
    elsewhere = invited(cast.outsider, role=Role.OWNER)[0]
    Invitation.objects.filter(pk=elsewhere.pk).update(invited_by=olivia.email)
    remove_member(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, now=NOW)
    assert Invitation.objects.filter(revoked_at=None).count() == len(mine) + 1


def test_those_that_were_accepted_are_as_they_were(cast: Cast, olivia: User) -> None:
    one, token = invited(cast.tenant, role=Role.VIEWER)
    Invitation.objects.update(invited_by=olivia.email)
    accept_as_new(invitation_id=one.pk, token=token, name="D", password=PASSWORD, now=NOW)
    remove_member(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, now=NOW)
    one.refresh_from_db()
    assert one.revoked_at is None
    assert one.accepted_at == NOW


def test_no_letter_of_them_goes_out_any_more(cast: Cast, olivia: User) -> None:
    of_each_role(cast, olivia.email.upper())
    remove_member(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, now=NOW)
    assert not Invitation.objects.filter(mail_due_at__isnull=False).exists()


def test_each_is_in_the_log_under_who_did_it(cast: Cast, olivia: User) -> None:
    of_each_role(cast, olivia.email)
    change_role(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, role=Role.ADMIN, now=NOW)
    [entry] = AuditEntry.objects.filter(action="invitation.revoked")
    assert (entry.actor, entry.subject, entry.before) == ("alice@example.com", "owner@example.org", {"role": "owner"})


def test_what_is_refused_takes_nothing_back(cast: Cast) -> None:
    of_each_role(cast, "alice@example.com")
    with pytest.raises(LastOwner):
        leave(organization=cast.tenant, person=cast.alice, now=NOW)
    with pytest.raises(LastOwner):
        delete_account(person=cast.alice, now=NOW)
    assert still_open() == set(Role.values)


def test_the_same_role_again_takes_nothing_back(cast: Cast, olivia: User) -> None:
    of_each_role(cast, olivia.email)
    change_role(actor=acting(cast.tenant), member_id=membership(olivia, cast.tenant).pk, role=Role.OWNER, now=NOW)
    assert still_open() == set(Role.values)
