"""In which language a letter is written: its reader's, where they chose one, else that of the organization's bills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.models import BillingProfile, User
from tenants.profile_models import BillLanguage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

FIRST: Final = BillLanguage.ENGLISH.value


def language_of_letter(*, addresses: Sequence[str], organization_id: UUID) -> str:
    """Return the language for a letter to some addresses of an organization, such as `zh-hans`.

    People who sign in with one of them may have chosen a language. Where they chose one and the same, it is that; where
    nobody chose, or they differ, it is the language in which the organization stands on bills.
    """
    people = User.objects.filter(email__in=addresses, memberships__organization=organization_id).exclude(language="")
    chosen = set(people.values_list("language", flat=True))
    if len(chosen) == 1:
        return chosen.pop()
    profiles = BillingProfile.objects.filter(organization=organization_id).order_by("-version")
    return profiles.values_list("language", flat=True).first() or FIRST
