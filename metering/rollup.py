"""Rolling up: a node's stored batches become usage hours, in the order of their numbers, each exactly once.

1. The node's rollup cursor is claimed with SKIP LOCKED: one worker at a node, others go on.
2. The next batches are read and decoded; nothing but their bytes, the meters' last counted values and the spans
   of bindings decides what comes out.
3. Readings are folded into slots, gauges into accelerator hours, unread ends of epochs into gaps.
4. Hours, the meters' last values and the cursor are written in the transaction that claimed them. Killed before
   its commit, nothing happened; the next worker does the same again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F

from clusters.models import Node
from clusters.naming import fitted
from metering.attribution import accelerator_timelines, endpoint_timelines
from metering.clock import clock_limits
from metering.gaps import Trouble, record_separate_gaps
from metering.hours import instant_of, unix_ms_of
from metering.meters import Identity, KnownMeter, NodeMeters, identity_of
from metering.models import Batch, NodeCursor, RollupCursor, Witness
from metering.registers import BatchTerms, MeterFold
from metering.rollup_gauges import roll_up_gauges
from metering.timeline import NOBODYS
from metering.usage_rows import UsageRow, add_usage
from metering.wire import GaugeColumn, MeterKey, inflate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

CHUNK_BATCHES: Final = 64
EPOCH_CHARS_MAX: Final = 64


class StoredColumn(msgspec.Struct, frozen=True):
    """A register column of a stored batch; its bounds were checked when it came in."""

    meter: MeterKey
    epoch: str
    epoch_started_ms: int | None
    epoch_proof: str
    first_seq: int
    values: list[int]
    read_at_ms: list[int]


class StoredBatch(msgspec.Struct, frozen=True):
    """What rollup needs of a stored batch."""

    registers: list[StoredColumn]
    gauges: list[GaugeColumn]


_decoder = msgspec.json.Decoder(StoredBatch)


@dataclass(frozen=True, slots=True)
class NodeRolled:
    """What one call did for a node; `more` says that batches are left."""

    batches: int
    readings: int
    rows: int
    more: bool


@dataclass(frozen=True, slots=True)
class _Chunk:
    node: Node
    batches: Sequence[tuple[StoredBatch, BatchTerms]]
    last_seq: int
    metered_to_at: datetime

    @property
    def earliest_ms(self) -> int:
        return min(
            (column.read_at_ms[0] for batch, _ in self.batches for column in batch.registers),
            default=unix_ms_of(self.metered_to_at),
        )


def lagging_nodes() -> list[UUID]:
    """Return the nodes with batches that are not rolled up, those that wait longest first."""
    return list(
        NodeCursor.objects.filter(node__rollup_cursor__rolled_seq__lt=F("last_seq"))
        .order_by("last_received_at", "node_id")
        .values_list("node_id", flat=True)
    )


def roll_up_node(*, node_id: UUID, now: datetime, chunk_batches: int = CHUNK_BATCHES) -> NodeRolled | None:
    """Roll up the node's next batches; None if another worker is at this node."""
    with transaction.atomic():
        cursor = (
            RollupCursor.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("node")
            .filter(node_id=node_id)
            .first()
        )
        if cursor is None:
            return None
        chunk = _read_chunk(cursor, chunk_batches)
        if chunk is None:
            return NodeRolled(0, 0, 0, more=False)
        rows = _roll_up(chunk, now)
        cursor.rolled_seq, cursor.rolled_to_at = chunk.last_seq, chunk.metered_to_at
        cursor.save(update_fields=["rolled_seq", "rolled_to_at"])
    readings = sum(len(column.values) for batch, _ in chunk.batches for column in batch.registers)
    return NodeRolled(len(chunk.batches), readings, rows, more=len(chunk.batches) == chunk_batches)


def _read_chunk(cursor: RollupCursor, chunk_batches: int) -> _Chunk | None:
    stored = (
        Batch.objects.filter(node_id=cursor.node_id, seq__gt=cursor.rolled_seq)
        .order_by("seq")
        .values_list("seq", "content_encoding", "body", "metered_to_at", "received_at", "clock_skew_ms")
    )
    enrolled_ms = unix_ms_of(cursor.node.enrolled_at or cursor.node.created_at)
    batches, rolled_to_at, last_seq = [], cursor.rolled_to_at, 0
    for seq, encoding, body, metered_to_at, received_at, skew_ms in stored[:chunk_batches]:
        limits = clock_limits(enrolled_ms=enrolled_ms, received_ms=unix_ms_of(received_at), clock_skew_ms=skew_ms)
        watermark_ms = unix_ms_of(rolled_to_at) if rolled_to_at else None
        batches.append((_decode(bytes(body), encoding), BatchTerms(seq, limits, watermark_ms)))
        rolled_to_at = max(rolled_to_at or metered_to_at, metered_to_at)
        last_seq = seq
    return _Chunk(cursor.node, batches, last_seq, rolled_to_at) if rolled_to_at and batches else None


def _decode(body: bytes, content_encoding: str) -> StoredBatch:
    return _decoder.decode(inflate(body, content_encoding))


def _roll_up(chunk: _Chunk, now: datetime) -> int:
    node = chunk.node
    meters = NodeMeters(node)
    wanted: dict[Identity, str] = {}
    by_meter: dict[Identity, list[tuple[StoredColumn, BatchTerms]]] = defaultdict(list)
    for batch, terms in chunk.batches:
        for column in batch.registers:
            identity = identity_of(column.meter)
            wanted[identity] = column.meter.engine
            by_meter[identity].append((_with_short_epoch(column), terms))
    meters.ensure(wanted, chunk.batches[0][1].limits.nearest(chunk.earliest_ms))
    folds = _fold(chunk, meters, by_meter)
    rows = [row for known, fold in folds for row in _rows(known, fold)]
    add_usage(rows, now)
    _write_states(folds)
    record_separate_gaps(node=node, troubles=_tails(by_meter, meters, folds))
    roll_up_gauges(meters=meters, batches=[(batch.gauges, terms.limits) for batch, terms in chunk.batches])
    return len(rows)


def _with_short_epoch(column: StoredColumn) -> StoredColumn:
    if len(column.epoch) <= EPOCH_CHARS_MAX:
        return column
    return msgspec.structs.replace(column, epoch=fitted(column.epoch, EPOCH_CHARS_MAX))


def _fold(
    chunk: _Chunk,
    meters: NodeMeters,
    by_meter: dict[Identity, list[tuple[StoredColumn, BatchTerms]]],
) -> list[tuple[KnownMeter, MeterFold]]:
    known = {identity: meters.by_identity[identity] for identity in by_meter if identity in meters.by_identity}
    from_ms = min(
        [chunk.batches[0][1].limits.nearest(chunk.earliest_ms)]
        + [meter.state.read_at_ms for meter in known.values() if meter.state]
    )
    endpoints = endpoint_timelines(chunk.node, from_ms)
    cards = accelerator_timelines(chunk.node, from_ms)
    first_contact = any(meter.state is None for meter in known.values())
    watched = meters.watched_since_ms() if first_contact else {}
    folds = []
    for identity, meter in known.items():
        if identity[0] == "endpoint":
            timeline = endpoints.get((meter.subject_id, meter.model), NOBODYS)
        else:
            timeline = cards.get(meter.subject_id, NOBODYS)
        fold = MeterFold(meter.quantity, timeline, meter.state, watched.get(meter.subject_id))
        for column, terms in by_meter[identity]:
            fold.add(column, terms)
        folds.append((meter, fold))
    return folds


def _rows(meter: KnownMeter, fold: MeterFold) -> Iterable[UsageRow]:
    witness = Witness.ENERGY if meter.quantity == "energy_mj" else Witness.ENGINE
    for key, tally in fold.tallies.items():
        yield UsageRow(
            meter_id=meter.id,
            witness=witness,
            quantity=meter.quantity,
            model=meter.model,
            hour_at=instant_of(key.slot.hour_ms),
            from_at=instant_of(key.slot.from_ms),
            to_at=instant_of(key.slot.to_ms),
            deployment_id=key.slot.owner.deployment_id,
            tenant_id=key.slot.owner.tenant_id,
            quality=key.quality,
            rule=key.rule,
            version=key.version,
            value=tally.value,
            records=tally.records,
            first_batch_seq=tally.first_seq,
            last_batch_seq=tally.last_seq,
        )


def _tails(
    by_meter: dict[Identity, list[tuple[StoredColumn, BatchTerms]]],
    meters: NodeMeters,
    folds: list[tuple[KnownMeter, MeterFold]],
) -> list[Trouble]:
    """Ends of epochs that nobody read, and cards that are not this node's to meter."""
    subjects = {meters.by_identity[identity].id: identity for identity in by_meter if identity in meters.by_identity}
    troubles = [
        Trouble(
            subject=subjects[meter.id][0],
            subject_id=subjects[meter.id][1],
            reason="tail_unseen",
            detail="The register began anew; what it counted after its last reading was not seen.",
            from_at=instant_of(tail.from_ms),
            to_at=instant_of(tail.to_ms),
            occurrences=1,
        )
        for meter, fold in folds
        for tail in fold.tails
    ]
    for identity, columns in by_meter.items():
        if identity not in meters.by_identity:
            limits = columns[0][1].limits
            troubles.append(
                Trouble(
                    subject=identity[0],
                    subject_id=identity[1],
                    reason="held_by_another_node",
                    detail="Another node holds this card; what this one read of it does not count.",
                    from_at=instant_of(limits.nearest(columns[0][0].read_at_ms[0])),
                    to_at=instant_of(limits.nearest(columns[-1][0].read_at_ms[-1])),
                    occurrences=sum(len(column.values) for column, _ in columns),
                )
            )
    return troubles


WRITE_STATES: Final = """
    INSERT INTO metering_meterstate (meter_id, epoch, seq, value, read_at, closed)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::boolean[])
    ON CONFLICT (meter_id) DO UPDATE SET epoch = EXCLUDED.epoch, seq = EXCLUDED.seq, value = EXCLUDED.value,
        read_at = EXCLUDED.read_at, closed = EXCLUDED.closed
"""


def _write_states(folds: Iterable[tuple[KnownMeter, MeterFold]]) -> None:
    states = [(meter.id, fold.state) for meter, fold in folds if fold.state is not None]
    if states:
        with connection.cursor() as cursor:
            cursor.execute(
                WRITE_STATES,
                [
                    [meter_id for meter_id, _ in states],
                    [state.epoch for _, state in states],
                    [state.seq for _, state in states],
                    [state.value for _, state in states],
                    [instant_of(state.read_at_ms) for _, state in states],
                    [state.closed for _, state in states],
                ],
            )
