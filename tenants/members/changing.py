"""Giving members other roles, and taking them out; an organization is never left without an owner."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from tenants.limits.reader import whole
from tenants.members.inviting import check_reach, take_back_of
from tenants.models import AuditEntry, Membership, Organization, Role, User
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from tenants.actors import Actor


class LastOwner(Problem):
    """Without this one the organization would have no owner."""

    status = 409
    code = "last_owner"
    title = "An organization needs an owner"


class WrongRole(Problem):
    """There is no such role."""

    status = 422
    code = "wrong_role"
    title = "There is no such role"


@transaction.atomic
def change_role(*, actor: Actor, member_id: int, role: str, now: datetime) -> Membership:
    """Give a member another role. Raises DoesNotExist, `WrongRole`, `RoleOutOfReach` and `LastOwner`."""
    if role not in Role.values:
        raise WrongRole(
            sentence(
                "role: found %(role)s, expected one of %(values)s.", role=repr(role[:40]), values=Listed(Role.values)
            ),
            field="role",
        )
    membership = _locked(actor.organization, member_id)
    check_reach(actor, membership.role, role)
    if membership.role == role:
        return membership
    _keep_an_owner(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    _audit(actor, "member.role_changed", membership, now, before={"role": before}, after={"role": role})
    _take_back(membership, role, actor.name, now)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, member_id: int, now: datetime) -> None:
    """Take a member out; what they did stays under their name. Raises as `change_role`."""
    membership = _locked(actor.organization, member_id)
    check_reach(actor, membership.role)
    _keep_an_owner(membership)
    _audit(actor, "member.removed", membership, now, before={"role": membership.role})
    _take_back(membership, "", actor.name, now)
    membership.delete()


@transaction.atomic
def leave(*, organization: Organization, person: User, now: datetime) -> None:
    """Leave an organization, which every member may. Raises DoesNotExist and `LastOwner`."""
    found = Membership.objects.get(organization=organization, user=person)
    membership = _locked(organization, found.pk)
    _keep_an_owner(membership)
    AuditEntry.objects.create(
        organization=organization,
        actor=person.email,
        action="member.left",
        subject=person.email[:200],
        before={"role": membership.role},
        at=now,
    )
    _take_back(membership, "", person.email, now)
    membership.delete()


@whole("whether an organization has another owner is asked of all it has, not of the one acted for")
def owned_alone(person: User) -> list[Organization]:
    """Return the organizations that would have no owner without the person, by name."""
    owned = Organization.objects.filter(memberships__user=person, memberships__role=Role.OWNER)
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True).exclude(user=person)
    return list(owned.exclude(pk__in=others.values("organization")).order_by("name", "pk"))


def _locked(organization: Organization, member_id: int) -> Membership:
    # The organization's row first: of two owners who go at once, one waits and is then the last one.
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    return (
        Membership.objects.select_for_update(of=("self",))
        .select_related("user")
        .get(pk=member_id, organization=organization)
    )


def _take_back(membership: Membership, role: str, by: str, now: datetime) -> None:
    """Revoke what the member invited others to, and with the role that is left may not give."""
    take_back_of(organization=membership.organization, inviter=membership.user.email, role=role, by=by, now=now)


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    others = Membership.objects.filter(organization=membership.organization_id, role=Role.OWNER, user__is_active=True)
    if not others.exclude(pk=membership.pk).exists():
        raise LastOwner(
            sentence("%(email)s is the only owner. Make somebody else an owner first.", email=membership.user.email)
        )


def _audit(
    actor: Actor,
    action: str,
    membership: Membership,
    now: datetime,
    *,
    before: dict[str, str],
    after: dict[str, str] | None = None,
) -> None:
    AuditEntry.objects.create(
        organization=actor.organization,
        actor=actor.name,
        action=action,
        subject=membership.user.email[:200],
        before=before,
        after=after,
        at=now,
    )
