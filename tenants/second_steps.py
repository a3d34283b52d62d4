"""Who has a second step of sign-in, and where one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator

from tenants.limits.reader import whole
from tenants.models import User

if TYPE_CHECKING:
    from tenants.models import Organization


def has_second_step(person: User) -> bool:
    """Say whether signing in as `person` asks for more than a password: an authenticator app, or a passkey."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    return bool(Authenticator.objects.filter(user=person, type__in=kinds).exists())


@whole("who manages sign-in sees which members lack a step, not what steps others have")
def without_second_step(organization: Organization) -> list[User]:
    """Return the members who have none, by address."""
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    protected = Authenticator.objects.filter(type__in=kinds).values("user_id")
    members = User.objects.filter(memberships__organization=organization, is_active=True)
    return list(members.exclude(pk__in=protected).order_by("email"))


def lacks_second_step(person: User, organization: Organization) -> bool:
    """Say whether `organization` asks for a second step that `person` has not set up."""
    return organization.second_step_required and not has_second_step(person)
