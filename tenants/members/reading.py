"""Members and open invitations, as pages, files and the API show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from tenants.invitation_models import Invitation
from tenants.models import Membership, Role

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenants.models import Organization


def members_of(organization: Organization, *, search: str = "", role: str = "") -> QuerySet[Membership]:
    """Return members with their people, in the order they joined; `search` is in a name or an e-mail address."""
    found = Membership.objects.filter(organization=organization).select_related("user").order_by("pk")
    if search:
        found = found.filter(Q(user__name__icontains=search) | Q(user__email__icontains=search))
    return found.filter(role=role) if role in Role.values else found


def open_invitations(organization: Organization) -> QuerySet[Invitation]:
    """Return invitations that are neither accepted nor revoked, those that expired included."""
    return Invitation.objects.filter(organization=organization, accepted_at=None, revoked_at=None).order_by("pk")


def answer_to(invitation: Invitation, *, expired: bool) -> str:
    """Return where an invitation stands: `accepted`, `revoked`, `expired` or `open`."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.revoked_at is not None:
        return "revoked"
    return "expired" if expired else "open"


def letter_of(invitation: Invitation) -> str:
    """Return where the letter stands: `sent`, `failed` (and tried again), or `waiting`."""
    if invitation.mailed_at is not None:
        return "sent"
    return "failed" if invitation.mail_error else "waiting"
