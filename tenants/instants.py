"""How the API writes instants."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def instant_text(at: datetime | None) -> str | None:
    """Return an instant by RFC 3339 in UTC; None for none."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
