"""A person leaves: what is theirs is removed, what they did for an organization stays in its books under their address.

The log of an organization says who changed what, and its books rest on it; law asks for both to be kept. So entries of
the log keep the e-mail address that they were made under, and the person's row stays, without name and address, because
corrections of metered usage name who proposed and who decided them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import transaction

from tenants.accounts.noting import note
from tenants.limits.reader import whole
from tenants.members.changing import LastOwner
from tenants.members.inviting import take_back_of
from tenants.models import Membership, Organization, Role, User
from tenants.sentences import Listed, sentence

if TYPE_CHECKING:
    from datetime import datetime


@whole("whether an organization has another owner is asked of all it has, not of the one acted for")
def alone_in(person: User) -> list[Organization]:
    """Return the organizations that have no other owner who can sign in."""
    owned = Organization.objects.filter(memberships__user=person, memberships__role=Role.OWNER).order_by("pk")
    others = Membership.objects.filter(role=Role.OWNER, user__is_active=True).exclude(user=person)
    kept = set(others.filter(organization__in=owned).values_list("organization_id", flat=True))
    return [one for one in owned if one.pk not in kept]


def leave(*, person: User, now: datetime) -> None:
    """Remove a person. Raises LastOwner, and changes nothing then.

    A second call finds nobody left to remove. Locks first, in primary-key order: the organizations, then the person.
    """
    with transaction.atomic():
        found = Organization.objects.filter(memberships__user=person).order_by("pk")
        organizations = list(found.select_for_update(of=("self",)))
        locked = User.objects.select_for_update().get(pk=person.pk)
        alone = alone_in(locked)
        if alone:
            names = Listed(one.name for one in alone)
            raise LastOwner(
                sentence("Without you nobody owns %(names)s. Make somebody else an owner first.", names=names)
            )
        note(locked, "person.deleted", now)
        for one in organizations:
            take_back_of(organization=one, inviter=locked.email, role="", by=locked.email, now=now)
        for model in (Membership, EmailAddress, Authenticator, SocialAccount, UserSession):
            model.objects.filter(user=locked).delete()
        # An address that no letter can reach (RFC 2606), and a password that none can be.
        User.objects.filter(pk=locked.pk).update(
            email=f"deleted-{locked.pk}@deleted.invalid",
            name="",
            language="",
            time_zone="",
            theme="",
            password="!",  # noqa: S106  what Django stores where no password fits
            is_active=False,
            is_staff=False,
            is_superuser=False,
            last_login=None,
        )
