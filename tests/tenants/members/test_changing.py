"""Roles and leaving: within reach, on record, and never without an owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.members import changing
from tenants.members.inviting import RoleOutOfReach
from tenants.models import AuditEntry, Membership, Role
from tests.factories import make_user
from tests.tenants.members.people import NOW, acting, membership

if TYPE_CHECKING:
    from tests.factories import Cast


def give(cast: Cast, member: Membership, role: str, *, by: Role = Role.OWNER) -> Membership:
    return changing.change_role(actor=acting(cast.tenant, by), member_id=member.pk, role=role, now=NOW)


def test_a_role_is_given_and_on_record(cast: Cast) -> None:
    bob = membership(cast.bob, cast.tenant)
    assert give(cast, bob, Role.BILLING, by=Role.ADMIN).role == Role.BILLING
    give(cast, bob, Role.BILLING)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("member.role_changed", cast.bob.email)
    assert (entry.before, entry.after) == ({"role": "viewer"}, {"role": "billing"})


def test_an_unknown_role_and_a_member_of_another_are_refused(cast: Cast) -> None:
    with pytest.raises(changing.WrongRole, match="'emperor'"):
        give(cast, membership(cast.bob, cast.tenant), "emperor")
    with pytest.raises(Membership.DoesNotExist):
        give(cast, membership(cast.charlie, cast.outsider), Role.VIEWER)


def test_only_owners_make_and_unmake_owners(cast: Cast) -> None:
    alice, bob = membership(cast.alice, cast.tenant), membership(cast.bob, cast.tenant)
    for member, role in ((bob, Role.OWNER), (alice, Role.VIEWER)):
        with pytest.raises(RoleOutOfReach):
            give(cast, member, role, by=Role.ADMIN)
    with pytest.raises(RoleOutOfReach):
        changing.remove_member(actor=acting(cast.tenant, Role.ADMIN), member_id=alice.pk, now=NOW)
    with pytest.raises(RoleOutOfReach):
        changing.remove_member(actor=acting(cast.tenant, Role.VIEWER), member_id=bob.pk, now=NOW)
    assert give(cast, bob, Role.OWNER).role == Role.OWNER
    assert give(cast, alice, Role.VIEWER).role == Role.VIEWER


def test_the_last_owner_neither_goes_nor_steps_down(cast: Cast) -> None:
    alice = membership(cast.alice, cast.tenant)
    with pytest.raises(changing.LastOwner, match="only owner"):
        give(cast, alice, Role.ADMIN)
    with pytest.raises(changing.LastOwner):
        changing.remove_member(actor=acting(cast.tenant), member_id=alice.pk, now=NOW)
    with pytest.raises(changing.LastOwner):
        changing.leave(organization=cast.tenant, person=cast.alice, now=NOW)
    assert membership(cast.alice, cast.tenant).role == Role.OWNER
    assert not AuditEntry.objects.exists()


def test_an_owner_who_cannot_sign_in_is_none_to_rely_on(cast: Cast) -> None:
    second = make_user("second@example.com", cast.tenant, Role.OWNER)
    assert changing.owned_alone(cast.alice) == []
    second.is_active = False
    second.save()
    assert changing.owned_alone(cast.alice) == [cast.tenant]
    with pytest.raises(changing.LastOwner):
        changing.leave(organization=cast.tenant, person=cast.alice, now=NOW)


def test_a_member_is_taken_out_and_another_leaves(cast: Cast) -> None:
    changing.remove_member(actor=acting(cast.tenant), member_id=membership(cast.bob, cast.tenant).pk, now=NOW)
    second = make_user("second@example.com", cast.tenant, Role.OWNER)
    changing.leave(organization=cast.tenant, person=cast.alice, now=NOW)
    assert [one.user for one in Membership.objects.filter(organization=cast.tenant)] == [second]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "subject")) == [
        ("member.removed", "alice@example.com", "bob@example.com"),
        ("member.left", "alice@example.com", "alice@example.com"),
    ]
    with pytest.raises(Membership.DoesNotExist):
        changing.leave(organization=cast.tenant, person=cast.bob, now=NOW)
