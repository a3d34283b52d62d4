"""Signatures as Standard Webhooks defines them (https://www.standardwebhooks.com, symmetric, version 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  the standard's mark of a secret
SECRET_BYTES: Final = 32
"""The standard asks for 24 to 64."""


def new_secret() -> str:
    """Return a new random secret as it is shown and stored."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, sent_at_s: int, body: bytes) -> str:
    """Return one signature over the id, the time of this try and the body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{message_id}.{sent_at_s}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(secrets_in_force: Sequence[str], message_id: str, sent_at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the three headers of a message, with a signature by every secret in force."""
    sent_at_s = int(sent_at.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at_s),
        "webhook-signature": " ".join(signature(each, message_id, sent_at_s, body) for each in secrets_in_force),
    }


def payload(kind: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Return the body of a message: what happened, when, and what of it a program needs."""
    document = {"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
