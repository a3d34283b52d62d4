"""Identifiers of rows: UUID version 7, so that keys sort by the time they were made."""

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """Return a new time-ordered identifier (RFC 9562, version 7)."""
    return compat.uuid7()
