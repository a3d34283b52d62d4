"""A node's chain of batches in the database: where it stands, and the one statement that takes it a batch further.

What a process knows of a chain it keeps, so that most batches need no reading. That is safe because nothing is decided
by it alone: the statement that stores a batch moves the chain only from the very place, under the very key, that the
process believed in, and only while the node is not revoked. If it moves nothing, the chain is read again and locked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import OperationalError, connection
from psycopg import RawCursor
from psycopg.types.numeric import Int8

from metering.models import NodeCursor, RollupCursor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

CHAINS_KEPT_MAX: Final = 4_096
"""A few KiB each."""
PREPARE_AFTER: Final = 2


@dataclass(frozen=True, slots=True)
class Chain:
    """A node that has a key, and the last batch of its chain."""

    node_id: UUID
    name: str
    public_key: bytes
    agent_version: str
    since_at: datetime
    """When it enrolled."""
    revoked_at: datetime | None
    last_seq: int
    last_hash: str
    metered_to_at: datetime | None
    shipped: bytes
    key_adopted: bool
    """Whether a batch under this key is stored already."""

    def goes_on_with(self, seq: int, prev_hash: str) -> bool:
        """Whether a batch of this number after this hash is the next one."""
        return seq == self.last_seq + 1 and prev_hash == self.last_hash


class KnownChains:
    """Chains as this process last saw them; the least used are forgotten."""

    def __init__(self, limit: int = CHAINS_KEPT_MAX) -> None:
        self._limit = limit
        self._chains: OrderedDict[UUID, Chain] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, node_id: UUID) -> Chain | None:
        """Return what is known of a node's chain; it may have moved on since."""
        with self._lock:
            chain = self._chains.get(node_id)
            if chain is not None:
                self._chains.move_to_end(node_id)
            return chain

    def keep(self, chain: Chain) -> None:
        """Remember a chain."""
        with self._lock:
            self._chains[chain.node_id] = chain
            self._chains.move_to_end(chain.node_id)
            if len(self._chains) > self._limit:
                self._chains.popitem(last=False)

    def forget(self, node_id: UUID) -> None:
        """Forget a chain that was not where it was believed to be."""
        with self._lock:
            self._chains.pop(node_id, None)


known_chains: Final = KnownChains()

READ: Final = """
    SELECT node.id, node.name, node.public_key, node.agent_version, coalesce(node.enrolled_at, node.created_at),
        node.revoked_at, chain.last_seq, chain.last_hash, chain.metered_to_at, chain.shipped,
        chain.key_version = node.key_version
    FROM clusters_node node LEFT JOIN metering_nodecursor chain ON chain.node_id = node.id
    WHERE node.id = $1 AND node.public_key IS NOT NULL
"""
READ_LOCKED: Final = READ.replace("LEFT JOIN", "JOIN") + " FOR UPDATE OF chain"
ADVANCE: Final = """
    WITH moved AS (
        UPDATE metering_nodecursor chain SET last_seq = $3, last_hash = $4, metered_to_at = $15,
            last_received_at = greatest(chain.last_received_at, $12), clock_skew_ms = $13, shipped = $14
        FROM clusters_node node
        WHERE chain.node_id = $2 AND chain.last_seq = $3 - 1 AND chain.last_hash = $5
            AND node.id = $2 AND node.public_key = $16 AND node.revoked_at IS NULL
        RETURNING chain.last_received_at
    ), stored AS (
        INSERT INTO metering_batch (
            id, node_id, seq, hash, prev_hash, signature, content_encoding, body, readings, outcome,
            metered_to_at, received_at, clock_skew_ms
        ) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, moved.last_received_at, $13 FROM moved
    ), counted AS (
        INSERT INTO metering_ingestcount AS kept (id, reporter, kind, outcome, hour_at, count)
        SELECT gen_random_uuid(), $2::text, given.kind, given.outcome, date_trunc('hour', $12, 'UTC'), given.count
        FROM moved, (VALUES ('batch', 'accepted', 1::bigint), ('reading', 'accepted', $17),
            ('reading', 'duplicate', $18), ('reading', 'conflict', $19), ('reading', 'quarantined', $20)
        ) given (kind, outcome, count)
        WHERE given.count > 0
        ON CONFLICT (reporter, kind, outcome, hour_at) DO UPDATE SET count = kept.count + EXCLUDED.count
    )
    SELECT count(*) FROM moved
"""


@dataclass(frozen=True, slots=True)
class Link:
    """What a batch adds to its node's chain."""

    id: UUID
    seq: int
    hash: str
    signature: str
    content_encoding: str
    body: bytes
    readings: int
    outcome: str
    """Readings that were not accepted by outcome, as JSON."""
    metered_to_at: datetime
    received_at: datetime
    clock_skew_ms: int | None
    shipped: bytes
    counts: tuple[int, int, int, int]
    """Readings accepted, repeated, in conflict, quarantined."""


def read_chain(node_id: UUID) -> Chain | None:
    """Return where a node's chain stands; None if no node with a key has this id."""
    rows = _run(READ, [node_id])
    if rows and rows[0][6] is None:
        NodeCursor.objects.bulk_create([NodeCursor(node_id=node_id)], ignore_conflicts=True)
        RollupCursor.objects.bulk_create([RollupCursor(node_id=node_id)], ignore_conflicts=True)
        rows = _run(READ, [node_id])
    return Chain(*rows[0]) if rows else None


def lock_chain(node_id: UUID) -> Chain:
    """Return where the chain of a known node stands, and let nobody else move it until the transaction ends."""
    rows = _run(READ_LOCKED, [node_id])
    return Chain(*rows[0])


def advance(chain: Chain, link: Link) -> bool:
    """Store a batch, count it and move the chain, all or nothing; False if the chain is not where `chain` says, the
    node has another key or is revoked.

    One statement: outside a transaction it is one of its own, committed when this returns.
    """
    assert link.seq == chain.last_seq + 1
    metered_to_at = max(link.metered_to_at, chain.metered_to_at or link.metered_to_at)
    rows = _run(
        ADVANCE,
        [
            link.id,
            chain.node_id,
            Int8(link.seq),
            link.hash,
            chain.last_hash,
            link.signature,
            link.content_encoding,
            link.body,
            Int8(link.readings),
            link.outcome,
            link.metered_to_at,
            link.received_at,
            None if link.clock_skew_ms is None else Int8(link.clock_skew_ms),
            link.shipped,
            metered_to_at,
            chain.public_key,
            *map(Int8, link.counts),
        ],
    )
    return bool(rows[0][0])


def _run(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement; once more over a new connection if the kept one turns out to be lost.

    Running twice is harmless: what the first run may have committed makes the second one find the chain moved.
    """
    try:
        return _run_once(query, parameters)
    except OperationalError:
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
    return _run_once(query, parameters)


def _run_once(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement with its parameters apart from its text, in binary: a body is not turned into a literal.

    Outside a transaction it is committed when this returns.
    """
    connection.ensure_connection()
    if connection.in_atomic_block:
        connection.cursor().close()  # the transaction is told for whom it reads; a raw cursor tells nothing
    with connection.wrap_database_errors, RawCursor(connection.connection) as cursor:
        connection.connection.prepare_threshold = PREPARE_AFTER if settings.PREPARED_STATEMENTS else None
        cursor.execute(query, parameters, binary=True)
        return cursor.fetchall()
