"""Taking a batch in: verify, chain, store the bytes, acknowledge. One transaction, and the answer after its commit.

1. Bytes over the limit, an unknown or revoked node and a wrong signature are refused before anything is parsed.
2. The body is inflated and decoded within limits.
3. The next batch of a chain that tells of nothing but readings is stored by one statement (`metering.chain`).
4. For all else the chain is locked: the next number is stored with what it tells of the node's inventory and troubles;
   a stored number with the same bytes gets the same answer; with other bytes it is a conflict, and both are kept; any
   other number is out of the chain, and the answer says which one is expected.
5. Every refusal is counted in a transaction of its own.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from msgspec import json

from clusters.models import Node
from metering.batch_readings import count_readings
from metering.chain import Chain, Link, advance, known_chains, lock_chain, read_chain
from metering.clock import CLOCK_SKEW_MS_MAX, ClockLimits, clock_limits
from metering.hours import instant_of
from metering.ingest_counts import UNKNOWN_REPORTER, count_outcomes
from metering.models import Batch, BatchConflict, NodeCursor
from metering.received import Head, Readings, head_of, read_received, readings_of
from metering.seen import record_seen
from metering.shipped import read_shipped, write_shipped
from metering.signing_keys import adopt_key
from metering.wire import (
    BATCH_BYTES_MAX,
    WIRE_VERSION,
    BatchMalformed,
    BatchTooLarge,
    batch_hash,
    decode_batch,
    inflate,
    verify,
)
from tenants.ids import new_id
from tenants.problems import Problem

SIGNATURE_CHARS: Final = 88
AGENT_VERSION_CHARS_MAX: Final = 32
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A batch that its node signed, and what belongs beside its body."""

    batch: Head
    readings: list[Readings]
    hash: str
    signature: str


def ingest_batch(*, sent: Sent, now: datetime) -> dict[str, int]:
    """Store a batch and return its answer: `seq`, the counts of its readings, and `next_seq`.

    Raises TooLarge, NodeUnknown, NodeRevoked, SignatureInvalid, Malformed, OutOfChain, ConflictingBatch.
    """
    reporter = UNKNOWN_REPORTER
    try:
        chain = _find_chain(sent)
        reporter = str(chain.node_id)
        opened, chain = _open(sent, chain)
        if chain.goes_on_with(opened.batch.seq, opened.batch.prev_hash) and not _tells_more(opened.batch, chain):
            answer = _extend(chain, opened, sent, now)
            if answer is not None:
                return answer
        known_chains.forget(chain.node_id)
        answer, refusal = _take_in_order(opened, sent, chain, now)
        if refusal is not None:
            raise refusal
    except Problem as refused:
        count_refused(reporter=reporter, code=refused.code, now=now)
        raise
    assert answer is not None
    return answer


def _take_in_order(
    opened: Opened, sent: Sent, before: Chain, now: datetime
) -> tuple[dict[str, int] | None, Problem | None]:
    """Judge a batch while nobody else can move the chain; a refusal is returned, so that what it keeps is committed."""
    batch = opened.batch
    with transaction.atomic():
        chain = lock_chain(before.node_id)
        _require_key(chain, sent, opened)
        if chain.goes_on_with(batch.seq, batch.prev_hash):
            _record_more(chain, opened, sent, now)
            answer = _extend(chain, opened, sent, now)
            # Only revoking does not wait for the chain.
            return answer, None if answer else NodeRevoked(f"The key of {chain.name} was revoked just now.")
        stored = Batch.objects.filter(node=chain.node_id, seq=batch.seq).only("hash", "readings", "outcome").first()
        if stored is None:
            return None, _out_of_chain(chain, batch)
        if stored.hash != opened.hash:
            return None, _refuse(chain, opened, sent, now)
        count_outcomes(reporter=str(chain.node_id), counts={("batch", "duplicate"): 1}, now=now)
        return _answer(stored.seq, stored.readings, stored.outcome), None


def _record_more(chain: Chain, opened: Opened, sent: Sent, now: datetime) -> None:
    """Store what a batch tells beside its readings. Must run while the chain is locked."""
    if not _tells_more(opened.batch, chain):
        return
    batch = decode_batch(sent.body, sent.content_encoding)
    node = Node.objects.get(id=chain.node_id)
    if not chain.key_adopted and not adopt_key(node=node, cursor=NodeCursor.objects.get(node=node), seq=batch.seq):
        raise SignatureInvalid("The node's key was changed meanwhile; sign the same bytes with the new one.")
    record_seen(node=node, batch=batch, previous_at=chain.metered_to_at, limits=_limits(chain, sent, now))


def count_refused(*, reporter: str, code: str, now: datetime) -> None:
    """Count a refused batch, in a transaction of its own so that the refusal cannot undo it."""
    with transaction.atomic():
        count_outcomes(reporter=reporter, counts={("batch", code): 1}, now=now)


def _node_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find_chain(sent: Sent) -> Chain:
    if len(sent.body) > BATCH_BYTES_MAX:
        raise TooLarge(f"The body has more than {BATCH_BYTES_MAX} bytes.")
    node_id = _node_id(sent.node)
    chain = (known_chains.get(node_id) or read_chain(node_id)) if node_id else None
    if chain is None:
        raise NodeUnknown("Forecourt-Node names no enrolled node; enrol it first.")
    return chain


def _open(sent: Sent, chain: Chain) -> tuple[Opened, Chain]:
    """Verify the bytes, then decode them; nothing is refused by what was only remembered of the chain."""
    signature = _canonical_signature(sent.signature)
    if chain.revoked_at is not None or not verify(chain.public_key, sent.body, signature):
        chain = read_chain(chain.node_id) or chain
        _require_not_revoked(chain)
        if not verify(chain.public_key, sent.body, signature):
            raise SignatureInvalid("Forecourt-Signature is not this node's signature of exactly this body.")
    try:
        text = inflate(sent.body, sent.content_encoding)
        batch, readings = read_received(text) or _read_thoroughly(sent)
    except BatchTooLarge as refused:
        raise TooLarge(str(refused), what=refused.what, limit=refused.limit) from refused
    except BatchMalformed as refused:
        raise Malformed(str(refused), where=refused.where) from refused
    if batch.node != str(chain.node_id):
        raise Malformed(f"$.node: {batch.node}; expected {chain.node_id}, as the header says", where="$.node")
    return Opened(batch, readings, batch_hash(sent.body), signature), chain


def _read_thoroughly(sent: Sent) -> tuple[Head, list[Readings]]:
    batch = decode_batch(sent.body, sent.content_encoding)
    return head_of(batch), readings_of(batch)


def _require_not_revoked(chain: Chain) -> None:
    if chain.revoked_at is not None:
        raise NodeRevoked(f"The key of {chain.name} was revoked at {chain.revoked_at.isoformat()}; enrol it again.")


def _require_key(chain: Chain, sent: Sent, opened: Opened) -> None:
    """Look again at what may have changed since the bytes were verified."""
    _require_not_revoked(chain)
    if not verify(chain.public_key, sent.body, opened.signature):
        raise SignatureInvalid("Forecourt-Signature is not this node's signature of exactly this body.")


def _canonical_signature(text: str) -> str:
    """The signature in its one canonical form, so that what is stored fits its column; "" if it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    canonical = base64.b64encode(raw).decode("ascii")
    return canonical if len(canonical) <= SIGNATURE_CHARS else ""


def _refuse(chain: Chain, opened: Opened, sent: Sent, now: datetime) -> Problem:
    """Keep the other bytes as evidence; the refusal is raised once they are committed."""
    seq = opened.batch.seq
    BatchConflict.objects.bulk_create(
        [
            BatchConflict(
                node_id=chain.node_id,
                seq=seq,
                hash=opened.hash,
                signature=opened.signature,
                body=sent.body,
                received_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    return ConflictingBatch(
        f"Batch {seq} of this node is stored with other bytes; both are kept.", expected_seq=chain.last_seq + 1
    )


def _out_of_chain(chain: Chain, batch: Head) -> Problem:
    return OutOfChain(
        f"Batch {batch.seq} does not follow; expected {chain.last_seq + 1} after {chain.last_hash[:12]}….",
        expected_seq=chain.last_seq + 1,
        expected_prev_hash=chain.last_hash,
    )


def _tells_more(batch: Head, chain: Chain) -> bool:
    """Whether one statement is not enough: inventory, troubles, or the first batch under a new key."""
    return bool(
        not chain.key_adopted
        or batch.tells_more
        or chain.agent_version != batch.agent_version[:AGENT_VERSION_CHARS_MAX]
    )


def _extend(chain: Chain, opened: Opened, sent: Sent, now: datetime) -> dict[str, int] | None:
    """Store the next batch of a chain and return its answer; None if the chain is not where it was believed to be."""
    batch = opened.batch
    skew_ms = _clock_skew_ms(sent.sent_at, now)
    shipped = read_shipped(chain.shipped)
    counts = count_readings(
        node_id=chain.node_id,
        seq=batch.seq,
        readings=opened.readings,
        shipped=shipped,
        limits=_limits(chain, sent, now),
    )
    exceptions = {
        "duplicates": counts.duplicates,
        "conflicts": counts.conflicts,
        "quarantined": counts.quarantined,
    }
    # Nearly every batch has none, and what is not stored takes no place in each of millions.
    outcome = {name: count for name, count in exceptions.items() if count}
    link = Link(
        id=new_id(),
        seq=batch.seq,
        hash=opened.hash,
        signature=opened.signature,
        content_encoding=sent.content_encoding,
        body=sent.body,
        readings=counts.received,
        outcome=json.encode(outcome).decode(),
        metered_to_at=_metered_to(chain, batch, skew_ms, now),
        received_at=now,
        clock_skew_ms=skew_ms,
        shipped=write_shipped(shipped),
        counts=(counts.accepted, counts.duplicates, counts.conflicts, counts.quarantined),
    )
    if not advance(chain, link):
        return None
    known_chains.keep(
        replace(
            chain,
            agent_version=batch.agent_version[:AGENT_VERSION_CHARS_MAX],
            key_adopted=True,
            last_seq=batch.seq,
            last_hash=opened.hash,
            metered_to_at=max(link.metered_to_at, chain.metered_to_at or link.metered_to_at),
            shipped=link.shipped,
        )
    )
    return _answer(batch.seq, counts.received, outcome)


def _answer(seq: int, readings: int, outcome: dict[str, int]) -> dict[str, int]:
    """Return the answer to a batch: its readings by what became of them, which adds up to `received`."""
    duplicates, conflicts, quarantined = (outcome.get(name, 0) for name in ("duplicates", "conflicts", "quarantined"))
    return {
        "seq": seq,
        "received": readings,
        "accepted": readings - duplicates - conflicts - quarantined,
        "duplicates": duplicates,
        "conflicts": conflicts,
        "quarantined": quarantined,
        "next_seq": seq + 1,
        "wire_version": WIRE_VERSION,
    }


def _limits(chain: Chain, sent: Sent, now: datetime) -> ClockLimits:
    skew_ms = _clock_skew_ms(sent.sent_at, now)
    return clock_limits(enrolled_at=chain.since_at, received_at=now, clock_skew_ms=skew_ms)


def _clock_skew_ms(sent_at: str, now: datetime) -> int | None:
    """The server's clock minus the node's, as the unsigned header tells; None where it does not."""
    try:
        sent = datetime.fromisoformat(sent_at)
        return (now - sent.astimezone(UTC)) // MILLISECOND if sent.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _metered_to(chain: Chain, batch: Head, skew_ms: int | None, now: datetime) -> datetime:
    """How far the node is metered with this batch: never past now, and not by a clock that is off."""
    before = chain.metered_to_at or min(now, chain.since_at)
    if skew_ms is not None and abs(skew_ms) > CLOCK_SKEW_MS_MAX:
        return before
    return max(before, min(now, instant_of(batch.metered_to_ms)))
