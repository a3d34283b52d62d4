"""Keys in every state."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from tenants.api_keys import SCOPES, find_key, issue_key
from tenants.keys.managing import end_key, rotate_key
from tests.tenants.members.people import acting

if TYPE_CHECKING:
    from tenants.models import ApiKey, Organization


def make_keys(organization: Organization) -> list[ApiKey]:
    """Store a key that was rotated, its successor, one that may do everything, and one that is revoked."""
    now, actor = timezone.now(), acting(organization)
    old, full, gone = (
        issue_key(
            organization=organization,
            name=name,
            scopes=scopes,
            actor="alice@example.com",
            now=now - timedelta(days=40),
            networks=networks,
        )
        for name, scopes, networks in (
            ("Gateway of the token service", ["events:write", "usage:read"], ["203.0.113.0/24", "2001:db8::/32"]),
            ("Finance export", list(SCOPES), []),
            ("Trial", ["usage:read"], []),
        )
    )
    find_key(old.secret, now, "203.0.113.7")
    new = rotate_key(actor=actor, key_id=old.key.pk, now=now)
    end_key(actor=actor, key_id=gone.key.pk, now=now)
    return [new.key, full.key, gone.key]
