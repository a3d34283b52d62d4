"""A person leaves: what is theirs goes, what an organization's books rest on stays, and no organization is orphaned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from tenants.accounts.addresses import keep_address
from tenants.accounts.leaving import alone_in, leave
from tenants.members.changing import LastOwner
from tenants.models import AuditEntry, Membership, Role, User
from tests.factories import EPOCH, make_user
from tests.tenants.accounts.doors import signed_in, with_app

if TYPE_CHECKING:
    from tests.factories import Cast


def test_everything_of_a_person_goes_and_the_row_keeps_no_name(cast: Cast) -> None:
    signed_in(cast.bob)
    with_app(cast.bob)
    leave(person=cast.bob, now=EPOCH)
    for model in (Membership, EmailAddress, Authenticator, UserSession):
        assert not model.objects.filter(user=cast.bob).exists()
    kept = User.objects.get(pk=cast.bob.pk)
    assert kept.email == f"deleted-{kept.pk}@deleted.invalid"
    assert (kept.name, kept.is_active, kept.has_usable_password(), kept.last_login) == ("", False, False, None)
    assert not kept.check_password("!")
    assert User.objects.filter(pk=cast.alice.pk, is_active=True).exists()


def test_the_log_keeps_who_did_what_under_the_address_of_then(cast: Cast) -> None:
    AuditEntry.objects.create(
        organization=cast.tenant, actor="bob@example.com", action="sample", subject="sample", at=EPOCH
    )
    leave(person=cast.bob, now=EPOCH)
    assert list(AuditEntry.objects.order_by("pk").values_list("actor", "action")) == [
        ("bob@example.com", "sample"),
        ("bob@example.com", "person.deleted"),
    ]


def test_the_address_is_free_for_another_person_then(cast: Cast) -> None:
    keep_address(cast.bob.pk)
    leave(person=cast.bob, now=EPOCH)
    another = make_user("bob@example.com", cast.tenant, Role.VIEWER)
    keep_address(another.pk)
    assert another.pk != cast.bob.pk


def test_the_last_owner_stays_and_nothing_changes(cast: Cast) -> None:
    assert alone_in(cast.alice) == [cast.tenant]
    with pytest.raises(LastOwner) as refused:
        leave(person=cast.alice, now=EPOCH)
    assert (refused.value.status, refused.value.code) == (409, "last_owner")
    assert "Tenant" in refused.value.detail
    assert Membership.objects.filter(user=cast.alice).exists()
    assert not AuditEntry.objects.exists()


def test_an_owner_who_cannot_sign_in_is_no_other_owner(cast: Cast) -> None:
    other = make_user("olga@example.com", cast.tenant, Role.OWNER)
    assert alone_in(cast.alice) == []
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert alone_in(cast.alice) == [cast.tenant]
    with pytest.raises(LastOwner):
        leave(person=cast.alice, now=EPOCH)


def test_with_another_owner_a_person_may_go(cast: Cast) -> None:
    make_user("olga@example.com", cast.tenant, Role.OWNER)
    leave(person=cast.alice, now=EPOCH)
    assert not Membership.objects.filter(user=cast.alice).exists()


def test_to_leave_twice_is_to_leave(cast: Cast) -> None:
    leave(person=cast.bob, now=EPOCH)
    once = User.objects.values().get(pk=cast.bob.pk)
    leave(person=cast.bob, now=EPOCH)
    assert User.objects.values().get(pk=cast.bob.pk) == once
    assert AuditEntry.objects.filter(action="person.deleted").count() == 1
