"""Identifiers of rows: UUID version 7, so that keys sort by the time they were made."""

from datetime import datetime
from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """Return a new time-ordered identifier (RFC 9562, version 7)."""
    return compat.uuid7()


def first_id_of(at: datetime) -> UUID:
    """Return the least identifier that can be made at an instant: those made before are less, others are not."""
    return UUID(int=max(0, int(at.timestamp() * 1_000)) << 80)
