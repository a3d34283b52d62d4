"""The token of an invitation: derived from the installation's secret key, so that a copy of the database opens none."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

PURPOSE: Final = b"forecourt.invitation"
TOKEN_CHARACTERS: Final = 43


def token_of(*, secret_key: str, invitation_id: UUID, turn: int) -> str:
    """Return the token of a turn of an invitation: HMAC-SHA256 as 43 characters for an address.

    A worker that died while it sent the letter makes the same token again, so the first letter stays good.
    """
    key = hmac.digest(secret_key.encode(), PURPOSE, "sha256")
    digest = hmac.digest(key, invitation_id.bytes + turn.to_bytes(4, "big"), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def digest_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
