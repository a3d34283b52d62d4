"""Folding a node's batches, one after the other, on top of what is stored of its meters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from clusters.naming import fitted
from metering.attribution import NodeTimelines
from metering.clock import clock_limits
from metering.columns import BatchRuns, read_batch
from metering.gaps import Trouble
from metering.hours import instant_of, unix_ms_of
from metering.meters import METERS_MAX, Identity, KnownMeter, NodeMeters, identity_of
from metering.models import Batch
from metering.registers import BatchTerms, MeterFold
from metering.rollup_gauges import GaugeHour, fold_gauges
from metering.timeline import FOREVER_MS
from metering.wire import MeterKey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from clusters.models import Node
    from metering.columns import StoredBatch
    from metering.presence import NodeWatch
    from metering.registers import Run

EPOCH_CHARS_MAX: Final = 64
BATCHES_IN_MEMORY: Final = 32
OPEN_READINGS_MAX: Final = 500_000
"""Runs are folded when they hold this many readings together."""
ELSEWHERE: Final = ("held_by_another_node", "Another node holds this card; what this one read of it does not count.")
TOO_MANY: Final = (
    "too_many_meters",
    f"The node has {METERS_MAX} meters; what it read of a further one does not count. Which label makes so many?",
)

_meter_decoder = msgspec.json.Decoder(MeterKey)


@dataclass(frozen=True, slots=True)
class _Folding:
    """A meter of the node being folded."""

    meter: KnownMeter
    identity: Identity
    fold: MeterFold


@dataclass(frozen=True, slots=True)
class Place:
    """How far a node's chain was folded: its last batch, and the instant before which all was metered."""

    seq: int = 0
    metered_to_at: datetime | None = None


def fold_batches(*, fold: NodeFold, watch: NodeWatch, after: Place, to_seq: int) -> Place:
    """Fold the node's stored batches up to `to_seq`, few in memory at a time; return how far it is folded now."""
    node, place = fold.node, after
    enrolled_at = node.enrolled_at or node.created_at
    rows = Batch.objects.filter(node_id=node.id, seq__gt=after.seq, seq__lte=to_seq).order_by("seq")
    fields = ("seq", "content_encoding", "body", "metered_to_at", "received_at", "clock_skew_ms")
    for seq, encoding, body, metered_to_at, received_at, skew_ms in rows.values_list(*fields).iterator(
        chunk_size=BATCHES_IN_MEMORY
    ):
        limits = clock_limits(enrolled_at=enrolled_at, received_at=received_at, clock_skew_ms=skew_ms)
        before = place.metered_to_at
        batch = watch.see(read_batch(bytes(body), encoding), limits=limits, received_at=received_at, skew_ms=skew_ms)
        fold.add(batch, BatchTerms(seq, limits, unix_ms_of(before) if before else None))
        if fold.open_readings >= OPEN_READINGS_MAX:
            fold.flush()
        place = Place(seq, max(before or metered_to_at, metered_to_at))
    return place


class NodeFold:
    """A node's batches being folded, one after the other, on top of what is stored of its meters."""

    def __init__(self, node: Node, meters: NodeMeters | None = None) -> None:
        self.node = node
        self.meters = meters or NodeMeters(node)
        self.readings = 0
        self.open_readings = 0
        self.gauges: dict[tuple[str, int], GaugeHour] = {}
        self._runs = BatchRuns()
        self._named: dict[bytes, tuple[Identity, _Folding | None]] = {}
        self._by_meter: dict[UUID, _Folding] = {}
        self._elsewhere: dict[Identity, Trouble] = {}
        states = [meter.state.read_at_ms for meter in self.meters.by_identity.values() if meter.state]
        self._timelines = NodeTimelines(node, min(states, default=FOREVER_MS))
        self._watched: dict[UUID, int] | None = None

    def add(self, batch: StoredBatch, terms: BatchTerms) -> None:
        """Fold one batch, the next of the node."""
        self.readings += len(batch.values)
        self.open_readings += len(batch.values)
        unknown = set(batch.meters) - self._named.keys()
        if unknown:
            self._meet(unknown, batch, terms)
        self._fold(self._runs.add(batch, terms))
        fold_gauges(batch.gauges, terms.limits, self.gauges)

    def folded(self) -> list[tuple[KnownMeter, MeterFold]]:
        """Fold what is still open and return the meters that had readings."""
        self.flush()
        return [(folding.meter, folding.fold) for folding in self._by_meter.values()]

    def flush(self) -> None:
        """Fold what is still open."""
        self._fold(self._runs.rest())
        self.open_readings = 0

    def _fold(self, runs: Iterable[tuple[bytes, Run]]) -> None:
        for raw, run in runs:
            identity, folding = self._named[raw]
            if folding is None:
                self._miss(identity, run)
            elif (counted := _up_to(run, folding.meter.last_seq)) is not None:
                folding.fold.add(_with_short_epoch(counted))

    def troubles(self) -> list[Trouble]:
        """Ends of epochs that nobody read, and cards that are not this node's to meter. After `folded`."""
        tails = [
            Trouble(
                subject=folding.identity[0],
                subject_id=folding.identity[1],
                reason="tail_unseen",
                detail="The register began anew; what it counted after its last reading was not seen.",
                from_at=instant_of(tail.from_ms),
                to_at=instant_of(tail.to_ms),
                occurrences=1,
                value_max={f"{folding.meter.quantity} {folding.meter.model}".rstrip(): tail.value_max},
            )
            for folding in self._by_meter.values()
            for tail in folding.fold.tails
        ]
        return [*tails, *self._elsewhere.values()]

    def _meet(self, unknown: set[bytes], batch: StoredBatch, terms: BatchTerms) -> None:
        """Find or make the meters that this chunk has not named before."""
        keys = {raw: _meter_decoder.decode(raw) for raw in unknown}
        first_ms = min(times[0] for times in batch.read_at_ms)
        first_ms = terms.limits.nearest(first_ms)
        self.meters.ensure({identity_of(key): key.engine for key in keys.values()}, first_ms)
        self._timelines.reach(first_ms)
        for raw, key in keys.items():
            identity = identity_of(key)
            meter = self.meters.by_identity.get(identity)
            if meter is None:
                self._named[raw] = (identity, None)
                continue
            if meter.id not in self._by_meter:
                self._by_meter[meter.id] = _Folding(meter, identity, self._begin(meter, identity))
            self._named[raw] = (identity, self._by_meter[meter.id])

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

    def _miss(self, identity: Identity, run: Run) -> None:
        before = self._elsewhere.get(identity)
        reason, detail = TOO_MANY if identity in self.meters.too_many else ELSEWHERE
        limits = run.terms[0].limits
        from_at = instant_of(limits.nearest(run.read_at_ms[0]))
        self._elsewhere[identity] = Trouble(
            subject=identity[0],
            subject_id=identity[1],
            reason=reason,
            detail=detail,
            from_at=before.from_at if before else from_at,
            to_at=instant_of(run.terms[-1].limits.nearest(run.read_at_ms[-1])),
            occurrences=len(run.read_at_ms) + (before.occurrences if before else 0),
        )


def _with_short_epoch(run: Run) -> Run:
    return run if len(run.epoch) <= EPOCH_CHARS_MAX else replace(run, epoch=fitted(run.epoch, EPOCH_CHARS_MAX))


def _up_to(run: Run, last_seq: int | None) -> Run | None:
    """Return the run without the readings after a number; None if nothing is left."""
    if last_seq is None or run.first_seq + len(run.values) - 1 <= last_seq:
        return run
    count = last_seq + 1 - run.first_seq
    return replace(run, values=run.values[:count], read_at_ms=run.read_at_ms[:count]) if count > 0 else None
