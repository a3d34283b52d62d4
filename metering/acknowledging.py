"""A person of a party says what an alert was. It stays, is in the audit log, and changes no figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction

from metering.alerts import alerts_of
from metering.control_models import AlertSeen
from tenants.models import AuditEntry
from tenants.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

NOTE_CHARS_MAX: Final = 500


class AlertUnknown(Problem):
    """The organization is a party of no such alert."""

    status = 404
    code = "alert_unknown"
    title = "There is no such alert"


class NoteMissing(Problem):
    """An alert is only put aside with words that say what it was."""

    status = 400
    code = "note_missing"
    title = "The note is missing or too long"


@transaction.atomic
def acknowledge(*, alert_id: UUID, organization: Organization, by: str, note: str, now: datetime) -> bool:
    """Keep what a person of the organization says of an alert; False if somebody of it has said so before.

    Each party speaks for itself. Raises AlertUnknown, NoteMissing.
    """
    alert = alerts_of(organization).filter(id=alert_id).first()
    if alert is None:
        raise AlertUnknown("No alert of this organization has this id.")
    note = note.strip()
    if not 1 <= len(note) <= NOTE_CHARS_MAX or "\0" in note:
        raise NoteMissing(f"Say in 1 to {NOTE_CHARS_MAX} characters what it was.", field="note")
    AlertSeen.objects.bulk_create(
        [AlertSeen(alert=alert, organization=organization, by=by, note=note, at=now)], ignore_conflicts=True
    )
    if not AlertSeen.objects.filter(alert=alert, organization=organization, by=by, note=note, at=now).exists():
        return False
    AuditEntry.objects.create(
        organization=organization,
        actor=by,
        action="alert.acknowledged",
        subject=str(alert.id),
        after={"kind": alert.kind, "about": alert.subject, "note": note},
        at=now,
    )
    return True
