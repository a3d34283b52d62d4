"""What rollup learns of a node beside its usage: when it looked, and what its clock does.

Both follow the chain of batches and nothing else, so that they come out the same however the work was cut up. They are
written in rollup's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from django.db import connection

from metering.clock import ClockState, Stamps, measure_clock
from metering.control_models import NodePresence, Silence, SilenceEnd
from metering.hours import instant_of, unix_ms_of
from metering.looks import Looks, instants_of

if TYPE_CHECKING:
    from datetime import datetime

    from clusters.models import Node
    from metering.clock import ClockLimits
    from metering.columns import StoredBatch


class NodeWatch:
    """A node being watched through its batches, one after the other, on top of what is stored of it."""

    def __init__(self, node: Node, clock: ClockState | None = None) -> None:
        """Go on from what is stored; with `clock` from there, to work a node's usage out again."""
        self.node = node
        if clock is not None:
            self.looks, self.clock = Looks(None), clock
            return
        stored = NodePresence.objects.filter(node=node).first()
        seen_ms = unix_ms_of(stored.observed_to_at) if stored and stored.observed_to_at else None
        self.looks = Looks(seen_ms, stored.usual_pause_ms if stored else None)
        self.clock = msgspec.convert(stored.clock, ClockState) if stored else ClockState()

    def see(
        self, batch: StoredBatch, *, limits: ClockLimits, received_at: datetime, skew_ms: int | None
    ) -> StoredBatch:
        """Learn from the next batch, and return it with its instants moved by what the node's clock is off."""
        received_ms = unix_ms_of(received_at)
        self.clock = measure_clock(
            self.clock, Stamps(batch.boot_id, batch.created_at_ms, batch.monotonic_ms, received_ms, skew_ms)
        )
        if self.clock.correction_ms:
            batch = batch.moved(self.clock.correction_ms)
        instants = instants_of(batch.ticks, batch.metered_to_ms)
        self.looks.add(at_ms for at_ms in instants if limits.trusts(at_ms))
        return batch

    def write(self, now: datetime) -> None:
        """Store what was learnt. Must run in the transaction that holds the node's rollup cursor."""
        with connection.cursor() as cursor:
            hours = sorted(self.looks.hours.items())
            if hours:
                cursor.execute(
                    ADD_HOURS,
                    [
                        self.node.id,
                        now,
                        [instant_of(hour_ms) for hour_ms, _ in hours],
                        [one.observed_ms for _, one in hours],
                        [one.looks for _, one in hours],
                    ],
                )
            to_at = instant_of(self.looks.to_ms) if self.looks.to_ms is not None else None
            clock = msgspec.json.encode(self.clock).decode()
            cursor.execute(WRITE_PRESENCE, [self.node.id, to_at, self.looks.usual_ms, clock])
        if self.looks.holes:
            self._write_holes(now)

    def _write_holes(self, now: datetime) -> None:
        """A hole is a silence that ended unfilled; the one that stands open is the first of them."""
        holes = [(instant_of(hole.from_ms), instant_of(hole.to_ms)) for hole in self.looks.holes]
        standing = Silence.objects.select_for_update().filter(node=self.node, to_at__isnull=True).first()
        if standing is not None:
            standing.from_at, standing.to_at = holes.pop(0)
            standing.end = SilenceEnd.MISSED
            standing.save(update_fields=["from_at", "to_at", "end"])
        Silence.objects.bulk_create(
            [
                Silence(node=self.node, from_at=from_at, to_at=to_at, end=SilenceEnd.MISSED, found_at=now)
                for from_at, to_at in holes
            ]
        )


ADD_HOURS: Final = """
    INSERT INTO metering_nodehour AS kept (node_id, hour_at, observed_ms, looks, updated_at)
    SELECT given.node, at, observed_ms, looks, given.now
    FROM (SELECT %s::uuid AS node, %s::timestamptz AS now) AS given,
        unnest(%s::timestamptz[], %s::integer[], %s::integer[]) AS hours (at, observed_ms, looks)
    ON CONFLICT (node_id, hour_at) DO UPDATE SET observed_ms = kept.observed_ms + EXCLUDED.observed_ms,
        looks = kept.looks + EXCLUDED.looks, updated_at = EXCLUDED.updated_at
"""
WRITE_PRESENCE: Final = """
    INSERT INTO metering_nodepresence (node_id, observed_to_at, usual_pause_ms, clock) VALUES (%s, %s, %s, %s::jsonb)
    ON CONFLICT (node_id) DO UPDATE SET observed_to_at = EXCLUDED.observed_to_at,
        usual_pause_ms = EXCLUDED.usual_pause_ms, clock = EXCLUDED.clock
"""
