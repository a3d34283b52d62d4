"""Taking a batch in: verify, chain, store the bytes, acknowledge. One transaction, and the answer after its commit.

1. Bytes over the limit, an unknown or revoked node and a wrong signature are refused before anything is parsed.
2. The body is inflated and decoded within limits.
3. The node's cursor is locked. The next number of the chain is stored with what it tells of the node's inventory
   and troubles; a stored number with the same bytes gets the same answer; with other bytes it is a conflict, and
   both are kept; any other number is out of the chain, and the answer says which one is expected.
4. Every refusal is counted in a transaction of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from clusters.models import Node
from metering.batch_readings import ReadingCounts, count_readings
from metering.clock import CLOCK_SKEW_MS_MAX, clock_limits
from metering.hours import instant_of
from metering.ingest_counts import UNKNOWN_REPORTER, count_outcomes
from metering.models import Batch, BatchConflict, NodeCursor, RollupCursor
from metering.seen import record_seen
from metering.shipped import read_shipped, write_shipped
from metering.signing_keys import adopt_key
from metering.wire import (
    BATCH_BYTES_MAX,
    BatchMalformed,
    BatchTooLarge,
    batch_hash,
    decode_batch,
    verify,
)
from metering.wire import Batch as WireBatch
from tenants.ids import new_id
from tenants.problems import Problem

SIGNATURE_CHARS: Final = 88
MILLISECOND: Final = timedelta(milliseconds=1)


class NodeUnknown(Problem):
    """No node has this id, or it has no key."""

    status = 404
    code = "node_unknown"
    title = "The node is not enrolled"


class NodeRevoked(Problem):
    """The node's key is no longer accepted."""

    status = 401
    code = "node_revoked"
    title = "The node's key was revoked"


class SignatureInvalid(Problem):
    """The signature is not the node's over exactly these bytes."""

    status = 401
    code = "signature_invalid"
    title = "The signature does not fit the batch"


class TooLarge(Problem):
    """More bytes, readings or columns than a batch may have."""

    status = 413
    code = "batch_too_large"
    title = "The batch is too large"


class Malformed(Problem):
    """Signed bytes that are not a batch of this node."""

    status = 400
    code = "batch_malformed"
    title = "The batch cannot be read"


class OutOfChain(Problem):
    """Not the next batch of the node's chain."""

    status = 409
    code = "out_of_chain"
    title = "The batch is not the next one"


class ConflictingBatch(Problem):
    """Other bytes are stored under this number; these were kept as evidence."""

    status = 409
    code = "batch_conflict"
    title = "Another batch has this number"


@dataclass(frozen=True, slots=True)
class Sent:
    """One try of an agent to deliver a batch: the body and headers as they came."""

    node: str
    body: bytes
    content_encoding: str
    signature: str
    sent_at: str = ""


def ingest_batch(*, sent: Sent, now: datetime) -> dict[str, int]:
    """Store a batch and return its answer: `seq`, the counts of its readings, and `next_seq`.

    Raises TooLarge, NodeUnknown, NodeRevoked, SignatureInvalid, Malformed, OutOfChain, ConflictingBatch.
    """
    reporter = UNKNOWN_REPORTER
    try:
        node = _find_node(sent)
        reporter = str(node.id)
        batch = _open(sent, node)
    except Problem as refused:
        count_refused(reporter=reporter, code=refused.code, now=now)
        raise
    refusal: Problem | None = None
    answer: dict[str, int] = {}
    with transaction.atomic():
        cursor = _locked_cursor(node)
        if cursor.last_seq + 1 == batch.seq and cursor.last_hash == batch.prev_hash:
            answer = _store(node, cursor, batch, sent, now)
        else:
            stored = Batch.objects.filter(node=node, seq=batch.seq).only("hash", "outcome").first()
            if stored is not None and stored.hash == batch_hash(sent.body):
                answer = stored.outcome
                count_outcomes(reporter=reporter, counts={("batch", "duplicate"): 1}, now=now)
            else:
                refusal = _refuse(node, cursor, batch, sent, now) if stored else _out_of_chain(cursor, batch)
    if refusal is not None:
        count_refused(reporter=reporter, code=refusal.code, now=now)
        raise refusal
    return answer


def count_refused(*, reporter: str, code: str, now: datetime) -> None:
    """Count a refused batch, in a transaction of its own so that the refusal cannot undo it."""
    with transaction.atomic():
        count_outcomes(reporter=reporter, counts={("batch", code): 1}, now=now)


def _node_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find_node(sent: Sent) -> Node:
    if len(sent.body) > BATCH_BYTES_MAX:
        raise TooLarge(f"The body has more than {BATCH_BYTES_MAX} bytes.")
    node_id = _node_id(sent.node)
    node = Node.objects.filter(id=node_id, public_key__isnull=False).first() if node_id else None
    if node is None:
        raise NodeUnknown("Forecourt-Node names no enrolled node; enrol it first.")
    return node


def _open(sent: Sent, node: Node) -> WireBatch:
    """Verify the bytes, then decode them."""
    if node.revoked_at is not None:
        raise NodeRevoked(f"The key of {node.name} was revoked at {node.revoked_at.isoformat()}; enrol it again.")
    signature = _canonical_signature(sent.signature)
    if not verify(bytes(node.public_key or b""), sent.body, signature):
        raise SignatureInvalid("Forecourt-Signature is not this node's signature of exactly this body.")
    try:
        batch = decode_batch(sent.body, sent.content_encoding)
    except BatchTooLarge as refused:
        raise TooLarge(str(refused), what=refused.what, limit=refused.limit) from refused
    except BatchMalformed as refused:
        raise Malformed(str(refused), where=refused.where) from refused
    if batch.node != str(node.id):
        raise Malformed(f"$.node: {batch.node}; expected {node.id}, as the header says", where="$.node")
    return batch


def _canonical_signature(text: str) -> str:
    """The signature in its one canonical form, so that what is stored fits its column; "" if it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    canonical = base64.b64encode(raw).decode("ascii")
    return canonical if len(canonical) <= SIGNATURE_CHARS else ""


def _locked_cursor(node: Node) -> NodeCursor:
    cursor = NodeCursor.objects.select_for_update().filter(node=node).first()
    if cursor is None:
        NodeCursor.objects.bulk_create([NodeCursor(node=node)], ignore_conflicts=True)
        RollupCursor.objects.bulk_create([RollupCursor(node=node)], ignore_conflicts=True)
        cursor = NodeCursor.objects.select_for_update().get(node=node)
    return cursor


def _refuse(node: Node, cursor: NodeCursor, batch: WireBatch, sent: Sent, now: datetime) -> Problem:
    """Keep the other bytes as evidence; the refusal is raised once they are committed."""
    BatchConflict.objects.bulk_create(
        [
            BatchConflict(
                node=node,
                seq=batch.seq,
                hash=batch_hash(sent.body),
                signature=_canonical_signature(sent.signature),
                body=sent.body,
                received_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    return ConflictingBatch(
        f"Batch {batch.seq} of this node is stored with other bytes; both are kept.", expected_seq=cursor.last_seq + 1
    )


def _out_of_chain(cursor: NodeCursor, batch: WireBatch) -> Problem:
    return OutOfChain(
        f"Batch {batch.seq} does not follow; expected {cursor.last_seq + 1} after {cursor.last_hash[:12]}….",
        expected_seq=cursor.last_seq + 1,
        expected_prev_hash=cursor.last_hash,
    )


def _store(node: Node, cursor: NodeCursor, batch: WireBatch, sent: Sent, now: datetime) -> dict[str, int]:
    """Store the batch, its inventory and troubles, and move the cursor."""
    if cursor.key_version != node.key_version and not adopt_key(node=node, cursor=cursor, seq=batch.seq):
        raise SignatureInvalid("The node's key was changed meanwhile; sign the same bytes with the new one.")
    skew_ms = _clock_skew_ms(sent.sent_at, now)
    shipped = read_shipped(bytes(cursor.shipped))
    limits = clock_limits(enrolled_at=node.enrolled_at or node.created_at, received_at=now, clock_skew_ms=skew_ms)
    counts = count_readings(node_id=node.id, batch=batch, shipped=shipped, limits=limits)
    answer = {
        "seq": batch.seq,
        "received": counts.received,
        "accepted": counts.accepted,
        "duplicates": counts.duplicates,
        "conflicts": counts.conflicts,
        "quarantined": counts.quarantined,
        "next_seq": batch.seq + 1,
    }
    previous_at = cursor.metered_to_at
    metered_to_at = _metered_to(node, cursor, batch, skew_ms, now)
    if batch.outcomes or batch.accelerators or batch.endpoints or node.agent_version != batch.agent_version[:32]:
        record_seen(node=node, batch=batch, previous_at=previous_at, limits=limits)
    digest = batch_hash(sent.body)
    _write(
        node=node,
        batch=batch,
        row=[
            new_id(),
            node.id,
            batch.seq,
            digest,
            batch.prev_hash,
            _canonical_signature(sent.signature),
            sent.content_encoding,
            sent.body,
            counts.received,
            json.dumps(answer),
            metered_to_at,
            now,
            skew_ms,
        ],
        cursor=[digest, max(metered_to_at, previous_at or metered_to_at), now, skew_ms, write_shipped(shipped)],
    )
    _count_stored(node, counts, now)
    return answer


WRITE: Final = """
    WITH stored AS (
        INSERT INTO metering_batch (
            id, node_id, seq, hash, prev_hash, signature, content_encoding, body, readings, outcome,
            metered_to_at, received_at, clock_skew_ms
        ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    )
    UPDATE metering_nodecursor SET last_seq = %s, last_hash = %s, metered_to_at = %s, last_received_at = %s,
        clock_skew_ms = %s, shipped = %s WHERE node_id = %s
"""


def _write(*, node: Node, batch: WireBatch, row: list[Any], cursor: list[Any]) -> None:
    with connection.cursor() as execute:
        execute.execute(WRITE, [*row, batch.seq, *cursor, node.id])


def _count_stored(node: Node, counts: ReadingCounts, now: datetime) -> None:
    count_outcomes(
        reporter=str(node.id),
        counts={
            ("batch", "accepted"): 1,
            ("reading", "accepted"): counts.accepted,
            ("reading", "duplicate"): counts.duplicates,
            ("reading", "conflict"): counts.conflicts,
            ("reading", "quarantined"): counts.quarantined,
        },
        now=now,
    )


def _clock_skew_ms(sent_at: str, now: datetime) -> int | None:
    """The server's clock minus the node's, as the unsigned header tells; None where it does not."""
    try:
        sent = datetime.fromisoformat(sent_at)
        return (now - sent.astimezone(UTC)) // MILLISECOND if sent.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _metered_to(node: Node, cursor: NodeCursor, batch: WireBatch, skew_ms: int | None, now: datetime) -> datetime:
    """How far the node is metered with this batch: never past now, and not by a clock that is off."""
    before = cursor.metered_to_at or min(now, node.enrolled_at or node.created_at)
    if skew_ms is not None and abs(skew_ms) > CLOCK_SKEW_MS_MAX:
        return before
    return max(before, min(now, instant_of(batch.metered_to_ms)))
