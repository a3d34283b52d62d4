"""The wire of a node's keys and of its chain's end: what an agent signs to change its key or to go on after a loss.

Both calls carry a JSON body, the node's id and a signature over a prefix of their own and the body as sent, so that a
signature of one kind of call is none of another.
"""

import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from metering.wire_shapes import Hash, Name, Text

ROTATE_PATH: Final = "/api/v1/node-keys"
REJOIN_PATH: Final = "/api/v1/chain"
BODY_BYTES_MAX: Final = 2_048
ROTATE_PREFIX: Final = b"forecourt-rotate-v1\n"
PROOF_PREFIX: Final = b"forecourt-new-key-v1\n"
REJOIN_PREFIX: Final = b"forecourt-rejoin-v1\n"


class KeyRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node's wish for a new key. Keys are base64 of 32 raw Ed25519 bytes.

    The whole is signed with the old key; `proof` is the new key's signature of `proof_statement`.
    """

    node: Name
    old_key: Name
    new_key: Name
    proof: Name
    agent_version: Name


class KeyRotated(msgspec.Struct, frozen=True):
    """The answer: `version` of the key in force now. Unknown fields are passed over."""

    node: str
    version: int


class Rejoin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node's wish to go on at the end of its chain without the batches that it lost.

    `prev_hash` is the hash of the last batch that the server holds: what a copy of an earlier call does not have.
    """

    node: Name
    prev_hash: Hash
    agent_version: Name
    reason: Text


class ChainEnd(msgspec.Struct, frozen=True):
    """The answer: the next batch's number and link, and a number that no reading of the node had yet."""

    node: str
    next_seq: int
    prev_hash: str
    next_reading_seq: int


def proof_statement(node: str, old_key: str, new_key: str) -> bytes:
    """What the new key signs, so that nobody registers a key that he does not have."""
    return PROOF_PREFIX + f"{node}\n{old_key}\n{new_key}\n".encode()


def sign_statement(private_key: Ed25519PrivateKey, statement: bytes) -> str:
    """Base64 of the Ed25519 signature."""
    return base64.b64encode(private_key.sign(statement)).decode("ascii")


def signed_by(public_key_raw: bytes, statement: bytes, signature_b64: str) -> bool:
    """Whether the signature is that key's over these bytes. A malformed key or signature is False."""
    try:
        signature = base64.b64decode(signature_b64, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key_raw).verify(signature, statement)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
