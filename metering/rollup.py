"""Rolling up: a node's stored batches become usage hours, in the order of their numbers, each exactly once.

1. The node's rollup cursor is claimed with SKIP LOCKED: one worker at a node, others go on.
2. The next batches are read and decoded; nothing but their bytes, the meters' last counted values and the spans
   of bindings decides what comes out.
3. Readings are folded into slots, gauges into accelerator hours, unread ends of epochs into gaps.
4. Hours, the meters' last values and the cursor are written in the transaction that claimed them. Killed before
   its commit, nothing happened; the next worker does the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F

from clusters.models import Node
from clusters.naming import fitted
from metering.attribution import NodeTimelines
from metering.clock import clock_limits
from metering.gaps import Trouble, record_separate_gaps
from metering.hours import instant_of, unix_ms_of
from metering.meters import Identity, KnownMeter, NodeMeters, identity_of
from metering.models import Batch, NodeCursor, RollupCursor, Witness
from metering.presence import NodeWatch
from metering.registers import BatchTerms, MeterFold
from metering.rollup_gauges import GaugeHour, fold_gauges, write_gauges
from metering.timeline import FOREVER_MS
from metering.usage_rows import UsageRow, add_usage
from metering.wire import GaugeColumn, MeterKey, inflate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

CHUNK_BATCHES: Final = 64
EPOCH_CHARS_MAX: Final = 64


class StoredColumn(msgspec.Struct, frozen=True):
    """A register column of a stored batch; its bounds were checked when it came in.

    The meter stays as its bytes: a node writes a meter the same way every time, so that it is read once.
    """

    meter: msgspec.Raw
    epoch: str
    epoch_started_ms: int | None
    epoch_proof: str
    first_seq: int
    values: list[int]
    read_at_ms: list[int]


class StoredBatch(msgspec.Struct, frozen=True):
    """What rollup needs of a stored batch."""

    boot_id: str
    created_at_ms: int
    monotonic_ms: int
    metered_to_ms: int
    registers: list[StoredColumn]
    gauges: list[GaugeColumn]


_decoder = msgspec.json.Decoder(StoredBatch)
_meter_decoder = msgspec.json.Decoder(MeterKey)


@dataclass(frozen=True, slots=True)
class NodeRolled:
    """What one call did for a node; `more` says that batches are left."""

    batches: int
    readings: int
    rows: int
    more: bool


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
        stored = list(
            Batch.objects.filter(node_id=node_id, seq__gt=cursor.rolled_seq)
            .order_by("seq")
            .values_list("seq", "content_encoding", "body", "metered_to_at", "received_at", "clock_skew_ms")[
                :chunk_batches
            ]
        )
        if not stored:
            return NodeRolled(0, 0, 0, more=False)
        fold, watch = NodeFold(cursor.node), NodeWatch(cursor.node)
        enrolled_at = cursor.node.enrolled_at or cursor.node.created_at
        for seq, encoding, body, metered_to_at, received_at, skew_ms in stored:
            terms = BatchTerms(
                seq,
                clock_limits(enrolled_at=enrolled_at, received_at=received_at, clock_skew_ms=skew_ms),
                unix_ms_of(cursor.rolled_to_at) if cursor.rolled_to_at else None,
            )
            # One batch is in memory at a time.
            batch = _decoder.decode(inflate(bytes(body), encoding))
            batch = watch.see(batch, limits=terms.limits, received_at=received_at, skew_ms=skew_ms)
            fold.add(batch, terms)
            cursor.rolled_seq, cursor.rolled_to_at = seq, max(cursor.rolled_to_at or metered_to_at, metered_to_at)
        rows = _write(cursor.node, fold, now)
        watch.write(now)
        cursor.save(update_fields=["rolled_seq", "rolled_to_at"])
    return NodeRolled(len(stored), fold.readings, rows, more=len(stored) == chunk_batches)


def _write(node: Node, fold: NodeFold, now: datetime) -> int:
    folds = fold.folded()
    rows = [row for meter, one in folds for row in _rows(meter, one)]
    add_usage(rows, now)
    _write_states(folds)
    record_separate_gaps(node=node, troubles=fold.troubles())
    write_gauges(meters=fold.meters, hours=fold.gauges)
    return len(rows)


def _rows(meter: KnownMeter, fold: MeterFold) -> Iterable[UsageRow]:
    witness = Witness.ENERGY if meter.quantity == "energy_mj" else Witness.ENGINE
    for tally in fold.tallies.values():
        yield UsageRow(
            meter_id=meter.id,
            witness=witness,
            quantity=meter.quantity,
            model=meter.model,
            hour_at=instant_of(tally.slot.hour_ms),
            from_at=instant_of(tally.slot.from_ms),
            to_at=instant_of(tally.slot.to_ms),
            deployment_id=tally.slot.owner.deployment_id,
            tenant_id=tally.slot.owner.tenant_id,
            quality=tally.quality,
            rule=tally.rule,
            version=tally.version,
            value=tally.value,
            records=tally.records,
            first_batch_seq=tally.first_seq,
            last_batch_seq=tally.last_seq,
        )


class NodeFold:
    """A node's batches being folded, one after the other, on top of what is stored of its meters."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.meters = NodeMeters(node)
        self.readings = 0
        self.gauges: dict[tuple[str, int], GaugeHour] = {}
        self._folds: dict[bytes, tuple[Identity, MeterFold | None]] = {}
        self._by_meter: dict[UUID, tuple[KnownMeter, Identity, MeterFold]] = {}
        self._elsewhere: dict[Identity, Trouble] = {}
        states = [meter.state.read_at_ms for meter in self.meters.by_identity.values() if meter.state]
        self._timelines = NodeTimelines(node, min(states, default=FOREVER_MS))
        self._watched: dict[UUID, int] | None = None

    def add(self, batch: StoredBatch, terms: BatchTerms) -> None:
        """Fold one batch, the next of the node."""
        unknown = {bytes(column.meter) for column in batch.registers} - self._folds.keys()
        if unknown:
            self._meet(unknown, batch, terms)
        for column in batch.registers:
            identity, fold = self._folds[bytes(column.meter)]
            self.readings += len(column.values)
            if fold is None:
                self._miss(identity, column, terms)
            else:
                fold.add(_with_short_epoch(column), terms)
        fold_gauges(batch.gauges, terms.limits, self.gauges)

    def folded(self) -> list[tuple[KnownMeter, MeterFold]]:
        """Return the meters that had readings."""
        return [(meter, fold) for meter, _, fold in self._by_meter.values()]

    def troubles(self) -> list[Trouble]:
        """Ends of epochs that nobody read, and cards that are not this node's to meter."""
        tails = [
            Trouble(
                subject=identity[0],
                subject_id=identity[1],
                reason="tail_unseen",
                detail="The register began anew; what it counted after its last reading was not seen.",
                from_at=instant_of(tail.from_ms),
                to_at=instant_of(tail.to_ms),
                occurrences=1,
            )
            for _, identity, fold in self._by_meter.values()
            for tail in fold.tails
        ]
        return [*tails, *self._elsewhere.values()]

    def _meet(self, unknown: set[bytes], batch: StoredBatch, terms: BatchTerms) -> None:
        """Find or make the meters that this chunk has not named before."""
        keys = {raw: _meter_decoder.decode(raw) for raw in unknown}
        first_ms = min(column.read_at_ms[0] for column in batch.registers)
        first_ms = terms.limits.nearest(first_ms)
        self.meters.ensure({identity_of(key): key.engine for key in keys.values()}, first_ms)
        self._timelines.reach(first_ms)
        for raw, key in keys.items():
            identity = identity_of(key)
            meter = self.meters.by_identity.get(identity)
            if meter is None:
                self._folds[raw] = (identity, None)
                continue
            if meter.id not in self._by_meter:
                self._by_meter[meter.id] = (meter, identity, self._begin(meter, identity))
            self._folds[raw] = (identity, self._by_meter[meter.id][2])

    def _begin(self, meter: KnownMeter, identity: Identity) -> MeterFold:
        if meter.state is not None:
            return MeterFold(
                meter.quantity, self._timelines.of(identity[0], meter.subject_id, meter.model), meter.state
            )
        if self._watched is None or meter.subject_id not in self._watched:
            self._watched = self.meters.watched_since_ms()
        watched_ms = self._watched.get(meter.subject_id)
        if watched_ms is not None:
            self._timelines.reach(watched_ms)
        timeline = self._timelines.of(identity[0], meter.subject_id, meter.model)
        return MeterFold(meter.quantity, timeline, None, watched_ms)

    def _miss(self, identity: Identity, column: StoredColumn, terms: BatchTerms) -> None:
        before = self._elsewhere.get(identity)
        from_at = instant_of(terms.limits.nearest(column.read_at_ms[0]))
        self._elsewhere[identity] = Trouble(
            subject=identity[0],
            subject_id=identity[1],
            reason="held_by_another_node",
            detail="Another node holds this card; what this one read of it does not count.",
            from_at=before.from_at if before else from_at,
            to_at=instant_of(terms.limits.nearest(column.read_at_ms[-1])),
            occurrences=len(column.values) + (before.occurrences if before else 0),
        )


def _with_short_epoch(column: StoredColumn) -> StoredColumn:
    if len(column.epoch) <= EPOCH_CHARS_MAX:
        return column
    return msgspec.structs.replace(column, epoch=fitted(column.epoch, EPOCH_CHARS_MAX))


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
