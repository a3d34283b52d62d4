"""API keys as pages, files and the API show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.models import ApiKey

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from tenants.models import Organization


def keys_of(organization: Organization, now: datetime, *, over: bool = False) -> QuerySet[ApiKey]:
    """Return keys in the order they were made: those in use, or with `over` all."""
    found = ApiKey.objects.for_org(organization).select_related("rotated_from")
    return (found if over else found.usable(now)).order_by("pk")


def state_of(key: ApiKey, now: datetime) -> str:
    """Return where a key stands: `revoked`, `expired`, `ending` (it has a last instant), or `in_use`."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "in_use"
    return "expired" if key.expires_at <= now else "ending"
