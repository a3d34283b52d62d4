"""Entries of the audit log as its tests need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tenants.models import AuditEntry

if TYPE_CHECKING:
    from tenants.models import Organization

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def write(organization: Organization, *, count: int = 1, at: datetime = NOW, **said: object) -> list[AuditEntry]:
    plain = {"actor": "alice@example.com", "action": "member.removed", "subject": "bob@example.com", **said}
    return [
        AuditEntry.objects.create(organization=organization, at=at + number * HOUR, **plain) for number in range(count)
    ]
