"""Everything that is kept of a person, as they may take it with them: no secret, and nothing of other people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession

from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import User

ENTRIES_MAX: Final = 10_000
"""Of the log, the latest; `log_entries_left_out` says whether there are more."""


def own_data(person: User, now: datetime) -> dict[str, Any]:
    """Return a person's data as JSON takes it; instants are ISO 8601 in UTC.

    The log's entries are those of organizations that the person belongs to now: the others' log is not theirs to read.
    """
    memberships = list(person.memberships.select_related("organization").order_by("organization__slug"))
    log = AuditEntry.objects.filter(
        organization__in=[one.organization_id for one in memberships], actor=person.email
    ).order_by("-at", "-pk")
    entries = list(log[: ENTRIES_MAX + 1])
    return {
        "made_at": now.isoformat(),
        "person": {
            "id": str(person.pk),
            "email": person.email,
            "name": person.name,
            "language": person.language,
            "time_zone": person.time_zone,
            "theme": person.theme,
            "last_sign_in_at": _instant(person.last_login),
            "enters_back_office": person.is_staff,
            "has_password": person.has_usable_password(),
        },
        "addresses": [
            {"email": one.email, "confirmed": one.verified, "in_use": one.primary}
            for one in EmailAddress.objects.filter(user=person).order_by("pk")
        ],
        "second_steps": [
            {
                "kind": one.type,
                "name": one.data.get("name", ""),
                "made_at": _instant(one.created_at),
                "last_used_at": _instant(one.last_used_at),
            }
            for one in Authenticator.objects.filter(user=person).order_by("pk")
        ],
        "sign_ons": _sign_ons(person),
        "sessions": [
            {
                "from_address": one.ip,
                "browser": one.user_agent,
                "started_at": _instant(one.created_at),
                "last_seen_at": _instant(one.last_seen_at),
            }
            for one in UserSession.objects.filter(user=person).order_by("pk")
        ],
        "organizations": [
            {
                "slug": one.organization.slug,
                "name": one.organization.name,
                "role": one.role,
                "member_since": _instant(one.created_at),
            }
            for one in memberships
        ],
        "log_entries": [
            {"at": _instant(one.at), "action": one.action, "subject": one.subject} for one in entries[:ENTRIES_MAX]
        ],
        "log_entries_left_out": len(entries) > ENTRIES_MAX,
    }


def _sign_ons(person: User) -> list[dict[str, Any]]:
    """What providers of organizations told of the person."""
    return [
        {
            "subject": one.uid,
            "told_by_provider": one.extra_data,
            "made_at": _instant(one.date_joined),
            "last_used_at": _instant(one.last_login),
        }
        for one in SocialAccount.objects.filter(user=person).order_by("pk")
    ]


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
