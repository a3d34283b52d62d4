"""What an agent asks about its own identity, made of the wire's own words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from metering.node_keys import Asking
from metering.wire_keys import (
    REJOIN_PREFIX,
    ROTATE_PREFIX,
    KeyRotation,
    Rejoin,
    proof_statement,
    sign_statement,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def public_b64(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def rotation(named: str, old: Ed25519PrivateKey, new: Ed25519PrivateKey, **fields: str) -> Asking:
    """A rotation from `old` to `new`; `fields` replace parts of the body before it is signed."""
    old_key, new_key = public_b64(old), public_b64(new)
    proof = sign_statement(new, proof_statement(named, old_key, new_key))
    asked = KeyRotation(named, old_key, new_key, proof, "0.1.0")
    body = msgspec.json.encode(msgspec.structs.replace(asked, **fields))
    return Asking(named, body, sign_statement(old, ROTATE_PREFIX + body))


def rejoining(node: str, key: Ed25519PrivateKey, prev_hash: str, reason: str = "the spool was lost") -> Asking:
    body = msgspec.json.encode(Rejoin(node, prev_hash, "0.1.0", reason))
    return Asking(node, body, sign_statement(key, REJOIN_PREFIX + body))
