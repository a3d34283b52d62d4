"""Rolling up: a node's stored batches become usage hours, in the order of their numbers, each exactly once.

1. The node's rollup cursor is claimed with SKIP LOCKED: one worker at a node, others go on.
2. The next batches are read and decoded; nothing but their bytes, the meters' last counted values and the spans
   of bindings decides what comes out.
3. Readings are folded into slots, gauges into accelerator hours, unread ends of epochs into gaps.
4. Hours, the meters' last values and the cursor are written in the transaction that claimed them. Killed before
   its commit, nothing happened; the next worker does the same again.
5. A binding or cut that is about usage rolled up before is noticed here, and moved by `metering.restating`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import F

from metering.checkpoints import claim_cursor, is_due, write_checkpoint
from metering.gaps import record_separate_gaps
from metering.hours import instant_of
from metering.meters import NodeMeters
from metering.models import Batch, NodeCursor, Witness
from metering.node_fold import NodeFold, Place, fold_batches
from metering.ownership import note_owners
from metering.presence import NodeWatch
from metering.rollup_gauges import write_gauges
from metering.usage_rows import UsageRow, add_usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from clusters.models import Node
    from metering.meters import KnownMeter
    from metering.registers import MeterFold

CHUNK_BATCHES: Final = 512
CHUNK_READINGS: Final = 400_000
"""A chunk ends with the batch that reaches this: what it takes in memory and in time is bounded by it."""


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
        cursor = claim_cursor(node_id)
        if cursor is None:
            return None
        to_seq, more = _chunk(node_id, cursor.rolled_seq, chunk_batches)
        if to_seq == cursor.rolled_seq:
            return NodeRolled(0, 0, 0, more=False)
        _hold_cards(cursor.node)
        after = Place(cursor.rolled_seq, cursor.rolled_to_at)
        meters, watch = NodeMeters(cursor.node), NodeWatch(cursor.node)
        # Before the fold reads them: what is stored between the two counts already, and is only looked at once more.
        note_owners(node=cursor.node, reached_at=meters.reached_at, now=now)
        fold = NodeFold(cursor.node, meters)
        place = fold_batches(fold=fold, watch=watch, after=after, to_seq=to_seq)
        rows = _write(cursor.node, fold, now)
        watch.write(now)
        cursor.rolled_seq, cursor.rolled_to_at = place.seq, place.metered_to_at
        cursor.save(update_fields=["rolled_seq", "rolled_to_at"])
        if is_due(after, place):
            write_checkpoint(node=cursor.node, place=place, clock=watch.clock)
    return NodeRolled(place.seq - after.seq, fold.readings, rows, more=more)


HOLD_CARDS: Final = "SELECT FROM clusters_accelerator WHERE node_id = %s ORDER BY id FOR SHARE"


def _hold_cards(node: Node) -> None:
    """Keep the node's cards from moving until what they showed is committed; in the order in which lists take them.

    Writing their hours would hold each of them as it comes, and could wait for a list that waits for the next.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD_CARDS, [node.id])


def _chunk(node_id: UUID, after_seq: int, chunk_batches: int) -> tuple[int, bool]:
    """Return the last batch of the next chunk, and whether there are more behind it."""
    waiting = Batch.objects.filter(node_id=node_id, seq__gt=after_seq).order_by("seq")
    to_seq, readings = after_seq, 0
    for number, (seq, count) in enumerate(waiting.values_list("seq", "readings")[: chunk_batches + 1]):
        if number == chunk_batches or readings >= CHUNK_READINGS:
            return to_seq, True
        to_seq, readings = seq, readings + count
    return to_seq, False


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


WRITE_STATES: Final = """
    INSERT INTO metering_meterstate (meter_id, epoch, seq, value, read_at, closed, base)
    SELECT * FROM unnest(
        %s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::boolean[], %s::bigint[]
    )
    ON CONFLICT (meter_id) DO UPDATE SET epoch = EXCLUDED.epoch, seq = EXCLUDED.seq, value = EXCLUDED.value,
        read_at = EXCLUDED.read_at, closed = EXCLUDED.closed, base = EXCLUDED.base
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
                    [state.base for _, state in states],
                ],
            )
