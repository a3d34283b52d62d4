"""The address that a person signs in with, as django-allauth keeps it beside the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.db import transaction

from tenants.models import User

if TYPE_CHECKING:
    from uuid import UUID


def keep_address(person_id: UUID) -> None:
    """Make sure that a person's address is on record, in small letters and confirmed, and no earlier one with it.

    A person comes by an invitation that was opened from a letter, or is made by the operator, who vouches for the
    address; so it needs no letter of its own. Addresses that wait for their link to be opened stay. Safe to repeat.
    """
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person_id)
        email = person.email.lower()
        if email != person.email:
            User.objects.filter(pk=person_id).update(email=email)
        kept = EmailAddress.objects.filter(user_id=person_id, email=email, verified=True, primary=True)
        others = EmailAddress.objects.filter(user_id=person_id, verified=True).exclude(email=email)
        if kept.exists() and not others.exists():
            return
        others.delete()
        EmailAddress.objects.update_or_create(
            user_id=person_id, email=email, defaults={"verified": True, "primary": True}
        )
