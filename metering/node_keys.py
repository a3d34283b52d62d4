"""A node's own requests about its identity: another key, or to go on after it lost its spool.

Both are signed by the node's key in force, and the same call again does nothing and gets the same answer.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

import msgspec
from django.db import transaction

from clusters.enrolment import PUBLIC_KEY_BYTES, PublicKeyMalformed, PublicKeyTaken, put_key
from clusters.models import KeyOrigin, Node, NodeKey
from metering.gaps import Trouble, record_separate_gaps
from metering.ingest import Malformed, NodeRevoked, NodeUnknown, OutOfChain, SignatureInvalid
from metering.models import NodeCursor, UsageGap
from metering.shipped import read_shipped
from metering.wire import FIRST_PREV_HASH
from metering.wire_keys import (
    REJOIN_PREFIX,
    ROTATE_PREFIX,
    ChainEnd,
    KeyRotated,
    KeyRotation,
    Rejoin,
    proof_statement,
    signed_by,
)
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

Asked = TypeVar("Asked", KeyRotation, Rejoin)
REJOINED: Final = "chain_rejoined"
_REASON_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Asking:
    """One call of an agent: the body and headers as they came."""

    node: str
    body: bytes
    signature: str


def rotate_key(*, asking: Asking, now: datetime) -> KeyRotated:
    """Put the node's new key in force; what the old one signed before stays verifiable.

    Raises NodeUnknown, NodeRevoked, SignatureInvalid, Malformed, PublicKeyMalformed, PublicKeyTaken.
    """
    with transaction.atomic():
        node = _locked_node(asking.node)
        known = NodeKey.objects.filter(node=node, version=node.key_version).first()
        if known is not None and bytes(known.statement) == asking.body and known.signature == asking.signature:
            return KeyRotated(str(node.id), node.key_version)
        if not signed_by(bytes(node.public_key or b""), ROTATE_PREFIX + asking.body, asking.signature):
            raise SignatureInvalid("Forecourt-Signature is not this node's signature of exactly this body.")
        asked = _decoded(asking.body, KeyRotation, node)
        public_key = _new_key(asked, node)
        node.key_version += 1
        put_key(
            node=node,
            public_key=public_key,
            origin=KeyOrigin.ROTATED,
            now=now,
            statement=asking.body,
            signature=asking.signature,
        )
        node.save(update_fields=["public_key", "key_version"])
        _audit(node, "node.key_rotated", {"node": node.name, "key_version": node.key_version}, now)
    return KeyRotated(str(node.id), node.key_version)


def rejoin_chain(*, asking: Asking, now: datetime) -> ChainEnd:
    """Tell a node that lost batches where its chain ends, and put the break on record as a gap.

    The numbers of batches and readings go on after the last that are stored, so nothing stored is doubted and nothing
    lost is taken for repeated. Registers are cumulative: the next reading carries what the lost ones held. Raises
    NodeUnknown, NodeRevoked, SignatureInvalid, Malformed, OutOfChain (with the place that must be named).
    """
    with transaction.atomic():
        node = _locked_node(asking.node)
        if not signed_by(bytes(node.public_key or b""), REJOIN_PREFIX + asking.body, asking.signature):
            raise SignatureInvalid("Forecourt-Signature is not this node's signature of exactly this body.")
        asked = _decoded(asking.body, Rejoin, node)
        cursor = NodeCursor.objects.select_for_update().filter(node=node).first()
        last_seq, last_hash = (cursor.last_seq, cursor.last_hash) if cursor is not None else (0, FIRST_PREV_HASH)
        if asked.prev_hash != last_hash:
            raise OutOfChain(
                f"The chain ends with batch {last_seq}, {last_hash[:12]}….",
                expected_seq=last_seq + 1,
                expected_prev_hash=last_hash,
            )
        shipped = read_shipped(bytes(cursor.shipped)) if cursor is not None else {}
        if cursor is not None and last_seq:
            _record_break(node, cursor, asked, now)
    return ChainEnd(str(node.id), last_seq + 1, last_hash, max(shipped.values(), default=0) + 1)


def _record_break(node: Node, cursor: NodeCursor, asked: Rejoin, now: datetime) -> None:
    from_at = min(cursor.metered_to_at or now, now)
    if UsageGap.objects.filter(node=node, reason=REJOINED, from_at=from_at).exists():
        return
    reason = asked.reason[:_REASON_CHARS_MAX]
    detail = f"after batch {cursor.last_seq}: {reason}"
    trouble = Trouble("spool", "", REJOINED, detail, from_at=from_at, to_at=now, occurrences=1)
    record_separate_gaps(node=node, troubles=[trouble])
    after = {"node": node.name, "last_seq": cursor.last_seq, "reason": reason, "agent_version": asked.agent_version}
    _audit(node, "node.chain_rejoined", after, now)


def _locked_node(text: str) -> Node:
    node = None
    with contextlib.suppress(ValueError):
        node = Node.objects.select_for_update().filter(id=UUID(text), public_key__isnull=False).first()
    if node is None:
        raise NodeUnknown("Forecourt-Node names no enrolled node; enrol it first.")
    if node.revoked_at is not None:
        raise NodeRevoked(f"The key of {node.name} was revoked at {node.revoked_at.isoformat()}; enrol it again.")
    return node


def _decoded(body: bytes, kind: type[Asked], node: Node) -> Asked:
    try:
        asked = msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as broken:
        raise Malformed(str(broken), where="$") from broken
    if asked.node != str(node.id):
        raise Malformed(f"$.node: {asked.node[:64]}; expected {node.id}, as the header says", where="$.node")
    return asked


def _new_key(asked: KeyRotation, node: Node) -> bytes:
    """Return the new key, proved to be in the hands of who asks and nobody's before."""
    if _raw_key(asked.old_key, "old_key") != bytes(node.public_key or b""):
        raise Malformed("$.old_key is not the key in force", where="$.old_key")
    public_key = _raw_key(asked.new_key, "new_key")
    if not signed_by(public_key, proof_statement(asked.node, asked.old_key, asked.new_key), asked.proof):
        raise Malformed("$.proof is not the new key's signature", where="$.proof")
    if NodeKey.objects.filter(public_key=public_key).exists() or Node.objects.filter(public_key=public_key).exists():
        raise PublicKeyTaken("This key was registered before; make a new one.", field="new_key")
    return public_key


def _raw_key(text: str, field: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise PublicKeyMalformed(f"{field} is not base64 of {PUBLIC_KEY_BYTES} bytes", field=field)
    return raw


def _audit(node: Node, action: str, after: dict[str, object], now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=node.cluster.provider_id,
        actor=f"node {node.id}",
        action=action,
        subject=str(node.id),
        after=after,
        at=now,
    )
