"""Choosing entries of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from tenants.models import Organization

ORDER: Final = ("-at", "-id")
"""The latest first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the log is asked for; empty words and None ask for everything."""

    actor: str = ""
    """A part of who did it."""
    action: str = ""
    """An action, or a family such as `invoice.`"""
    subject: str = ""
    """A part of what it was done to."""
    from_at: datetime | None = None
    to_at: datetime | None = None


def entries_of(organization: Organization, choice: Choice) -> QuerySet[AuditEntry]:
    """Return the entries of an organization that fit a choice, the latest first."""
    found = AuditEntry.objects.filter(organization=organization).order_by(*ORDER)
    if choice.actor:
        found = found.filter(actor__icontains=choice.actor)
    if choice.action:
        found = found.filter(action__startswith=choice.action)
    if choice.subject:
        found = found.filter(subject__icontains=choice.subject)
    if choice.from_at is not None:
        found = found.filter(at__gte=choice.from_at)
    return found.filter(at__lt=choice.to_at) if choice.to_at is not None else found
