"""Members and invitations as the tests of this room need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from tenants.actors import Actor
from tenants.members.inviting import invite
from tenants.models import Membership, Role

if TYPE_CHECKING:
    from tenants.invitation_models import Invitation
    from tenants.models import Organization, User

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)
DORA = "dora@example.com"


def acting(organization: Organization, role: Role = Role.OWNER, name: str = "alice@example.com") -> Actor:
    return Actor(organization, name, role)


def invited(
    organization: Organization,
    email: str = DORA,
    role: str = Role.DEVELOPER,
    *,
    at: datetime = NOW,
    by: Role = Role.OWNER,
    language: str = "en",
) -> tuple[Invitation, str]:
    return invite(
        actor=acting(organization, by),
        email=email,
        role=role,
        language=language,
        secret_key=settings.SECRET_KEY,
        now=at,
    )


def membership(person: User, organization: Organization) -> Membership:
    return Membership.objects.get(user=person, organization=organization)
