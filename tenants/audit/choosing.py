"""What of the audit log an address asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.dateparse import parse_date

from tenants.audit.reading import Choice

if TYPE_CHECKING:
    from django.http import QueryDict


def choice_of(asked: QueryDict) -> Choice:
    """Return what an address asks for: `actor`, `action`, `subject`, `from` and `to`, days in UTC, both included.

    A day that is none asks for nothing.
    """
    texts = {name: asked.get(name, "").strip()[:200] for name in ("actor", "action", "subject")}
    return Choice(**texts, from_at=_day(asked.get("from", "")), to_at=_after(_day(asked.get("to", ""))))


def _after(last: datetime | None) -> datetime | None:
    """Return where a day ends; nothing is after the last one that there is."""
    try:
        return last + timedelta(days=1) if last else None
    except OverflowError:
        return None


def _day(text: str) -> datetime | None:
    try:
        found = parse_date(text)
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if found else None
    except ValueError:
        return None
