"""Working usage out again: a node's hours from its stored batches, beside what is stored.

1. From the last checkpoint before the first batch behind the window's hours, the chain is folded as rollup folds it,
   under the bindings, leases and cuts of now.
2. What comes out is compared with the stored rows, by meter, part, owner, quality and rule, over all versions.
   What a person substituted stands apart.
3. Differences are what faults, tampering or late bindings left. Applied, each becomes a row that adds what is missing
   or takes away what is too much, linked to the row that it corrects. Nothing is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, Sum

from metering.adjustment_models import ADJUSTMENT_VERSION_MIN, AdjustmentCause, UsageAdjustment
from metering.checkpoints import read_checkpoint
from metering.hours import instant_of
from metering.meters import NodeMeters
from metering.models import Batch, MeterState, RollupCursor, UsageHour, Witness
from metering.node_fold import NodeFold, fold_batches
from metering.presence import NodeWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet

    from clusters.models import Node
    from metering.meters import KnownMeter
    from metering.registers import MeterFold

KEY: Final = ("meter_id", "from_at", "deployment_id", "tenant_id", "quality", "rule", "context_over", "marks")
Key = tuple[UUID, datetime, UUID | None, UUID | None, str, str, int, str]
"""What usage hours are compared by: a sum over versions."""
UNKNOWN_REQUESTS: Final = (0, "")
"""`context_over` and `marks` of all that registers count: they do not know single requests."""


class BatchesArchived(Exception):
    """The batches that a window was counted from are no longer in the database, and no checkpoint lies behind them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What stands, or should stand, under one key."""

    value: int
    records: int
    hour_at: datetime
    to_at: datetime
    witness: str
    quantity: str
    model: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Usage that is stored otherwise than it comes out again; `stored` or `computed` may be missing."""

    key: Key
    stored: Figure | None
    computed: Figure | None

    @property
    def figure(self) -> Figure:
        """What is known of the usage hour, as computed where it should be there."""
        found = self.computed or self.stored
        assert found is not None
        return found

    @property
    def value(self) -> int:
        """What must be added."""
        return (self.computed.value if self.computed else 0) - (self.stored.value if self.stored else 0)

    @property
    def records(self) -> int:
        """Readings or events that must be added."""
        return (self.computed.records if self.computed else 0) - (self.stored.records if self.stored else 0)

    def __str__(self) -> str:
        found, (meter, from_at, deployment, _, quality, rule, *_) = self.figure, self.key
        stored, computed = self.stored, self.computed
        return (
            f"{from_at:%Y-%m-%dT%H:%M:%SZ} {found.quantity} {found.model or '-'} deployment {deployment or '-'} "
            f"{quality} {rule}: stored {stored.value if stored else 0} of {stored.records if stored else 0} records, "
            f"recomputed {computed.value if computed else 0} of {computed.records if computed else 0} (meter {meter})"
        )


def node_differences(*, node: Node, from_at: datetime | None, to_at: datetime | None) -> list[Difference]:
    """Compare a node's usage hours of a window with what its batches give; empty where all is right.

    Holds the node's rollup off meanwhile. Raises BatchesArchived.
    """
    with transaction.atomic():
        cursor = RollupCursor.objects.select_for_update().filter(node=node).first()
        return _differences(node, cursor, from_at, to_at) if cursor is not None else []


def rebuild_node(
    *,
    node: Node,
    from_at: datetime | None,
    to_at: datetime | None,
    cause: AdjustmentCause,
    reason: str,
    now: datetime,
) -> list[Difference]:
    """Correct a node's usage hours of a window by adjusting rows; return what was corrected. Raises BatchesArchived."""
    with transaction.atomic():
        cursor = RollupCursor.objects.select_for_update().filter(node=node).first()
        found = _differences(node, cursor, from_at, to_at) if cursor is not None else []
        if found:
            adjustment = UsageAdjustment(cause=cause, reason=reason, node=node, **_span(found), made_at=now)
            write_adjustment(adjustment, found)
    return found


def write_adjustment(adjustment: UsageAdjustment, differences: Iterable[Difference]) -> None:
    """Store an adjustment with a row for each difference. Must run in the transaction that found them."""
    adjustment.save(force_insert=True)
    found = sorted(differences, key=lambda one: tuple(map(str, one.key)))
    earlier = _earlier(found)
    rows = []
    for one in found:
        meter_id, from_at, deployment_id, tenant_id, quality, rule, context_over, marks = one.key
        same = [row for row in earlier.get((meter_id, one.figure.hour_at), ()) if row.key == one.key]
        version = max((row.version + 1 for row in same), default=ADJUSTMENT_VERSION_MIN)
        rows.append(
            UsageHour(
                meter_id=meter_id,
                witness=one.figure.witness,
                quantity=one.figure.quantity,
                model=one.figure.model,
                hour_at=one.figure.hour_at,
                from_at=from_at,
                to_at=one.figure.to_at,
                deployment_id=deployment_id,
                tenant_id=tenant_id,
                quality=quality,
                rule=rule,
                version=max(version, ADJUSTMENT_VERSION_MIN),
                context_over=context_over,
                marks=marks,
                value=one.value,
                records=one.records,
                adjustment=adjustment,
                adjusts_id=_corrected(one, same or earlier.get((meter_id, one.figure.hour_at), [])),
                updated_at=adjustment.made_at,
            )
        )
    UsageHour.objects.bulk_create(rows, batch_size=1_000)


@dataclass(frozen=True, slots=True)
class _Earlier:
    id: UUID
    key: Key
    version: int
    to_at: datetime


def _earlier(found: Iterable[Difference]) -> Mapping[tuple[UUID, datetime], list[_Earlier]]:
    """Return the rows of the same meters and hours, the first written first."""
    places = {(one.key[0], one.figure.hour_at) for one in found}
    rows = UsageHour.objects.filter(
        meter_id__in={meter for meter, _ in places}, hour_at__in={hour_at for _, hour_at in places}
    ).order_by("version", "id")
    earlier: dict[tuple[UUID, datetime], list[_Earlier]] = {}
    for row_id, version, hour_at, to_at, *key in rows.values_list("id", "version", "hour_at", "to_at", *KEY):
        earlier.setdefault((key[0], hour_at), []).append(_Earlier(row_id, tuple(key), version, to_at))
    return earlier


def _corrected(one: Difference, rows: Iterable[_Earlier]) -> UUID | None:
    """Return the row that a difference corrects: of the same key, or the one whose part held this usage before."""
    from_at = one.key[1]
    fitting = [row for row in rows if row.key[1] <= from_at < row.to_at and row.version < ADJUSTMENT_VERSION_MIN]
    fitting.sort(key=lambda row: row.key == one.key, reverse=True)
    return fitting[0].id if fitting else None


def _span(found: Iterable[Difference]) -> dict[str, datetime]:
    figures = [one.figure for one in found]
    return {"from_at": min(one.hour_at for one in figures), "to_at": max(one.to_at for one in figures)}


def _differences(
    node: Node, cursor: RollupCursor, from_at: datetime | None, to_at: datetime | None
) -> list[Difference]:
    rows = _stored_rows(node, from_at, to_at)
    stored = _stored(rows)
    computed = _computed(node, cursor, rows, from_at, to_at)
    keys = sorted(stored.keys() | computed.keys(), key=lambda key: tuple(map(str, key)))
    differences = (Difference(key, stored.get(key), computed.get(key)) for key in keys)
    return [one for one in differences if one.value or one.records]


def derived(rows: QuerySet[UsageHour]) -> QuerySet[UsageHour]:
    """Return the rows that come from readings and events: without what a person put in."""
    # Not by a join that leaves out: PostgreSQL then expects next to no row, and reads all of them once for each meter.
    substituted = UsageAdjustment.objects.filter(pk=OuterRef("adjustment"), cause=AdjustmentCause.SUBSTITUTED)
    return rows.exclude(Exists(substituted))


def _stored_rows(node: Node, from_at: datetime | None, to_at: datetime | None) -> QuerySet[UsageHour]:
    rows = derived(UsageHour.objects.filter(meter__node=node))
    rows = rows if from_at is None else rows.filter(hour_at__gte=from_at)
    return rows if to_at is None else rows.filter(hour_at__lt=to_at)


def _stored(rows: QuerySet[UsageHour]) -> dict[Key, Figure]:
    sums = rows.values_list(*KEY, "hour_at", "witness", "quantity", "model").annotate(
        Sum("value"), Sum("records"), Min("to_at")
    )
    found: dict[Key, Figure] = {}
    for *key, hour_at, witness, quantity, model, value, records, to_at in sums.order_by():
        figure = Figure(int(value), int(records), hour_at, to_at, witness, quantity, model)
        found[tuple(key)] = figure
    return found


def _computed(
    node: Node,
    cursor: RollupCursor,
    rows: QuerySet[UsageHour],
    from_at: datetime | None,
    to_at: datetime | None,
) -> dict[Key, Figure]:
    behind = rows.aggregate(first=Min("first_batch_seq"), last=Max("last_batch_seq"))
    first = 1 if from_at is None else min(behind["first"] or cursor.rolled_seq, cursor.rolled_seq)
    place, states, clock = read_checkpoint(node, first)
    to_seq = _last(node, cursor, behind["last"], to_at)
    _require_batches(node, place.seq, to_seq)
    fold = NodeFold(node, NodeMeters(node, states))
    fold_batches(fold=fold, watch=NodeWatch(node, clock), after=place, to_seq=to_seq)
    computed: dict[Key, Figure] = {}
    for meter, one in fold.folded():
        _add_tallies(computed, meter, one, (from_at, to_at))
    return computed


def _require_batches(node: Node, after_seq: int, to_seq: int) -> None:
    """Numbers have no gaps, so batches that are counted fewer are archived, all of them or some between others.

    What is not there would come out as usage that was never metered. Raises BatchesArchived.
    """
    needed = Batch.objects.filter(node=node, seq__gt=after_seq, seq__lte=to_seq)
    if needed.count() == max(0, to_seq - after_seq):
        return
    earliest = needed.order_by("seq").values_list("seq", flat=True).first()
    if earliest is None or earliest == after_seq + 1:
        raise BatchesArchived(f"Node {node.name}: batches of {after_seq + 1} to {to_seq} are archived; restore them.")
    raise BatchesArchived(f"Node {node.name}: the batches before {earliest} are archived; name a later start.")


def _last(node: Node, cursor: RollupCursor, behind: int | None, to_at: datetime | None) -> int:
    """Return the batch after which nothing more of the window can come: all was metered past it, or counted later."""
    if to_at is None:
        return cursor.rolled_seq
    past = Batch.objects.filter(Q(metered_to_at__gte=to_at), node=node, seq__lte=cursor.rolled_seq)
    first_past = past.order_by("seq").values_list("seq", flat=True).first() or cursor.rolled_seq
    return max(first_past, min(behind or 0, cursor.rolled_seq))


def _add_tallies(
    computed: dict[Key, Figure],
    meter: KnownMeter,
    fold: MeterFold,
    window: tuple[datetime | None, datetime | None],
) -> None:
    witness = Witness.ENERGY if meter.quantity == "energy_mj" else Witness.ENGINE
    for tally in fold.tallies.values():
        slot = tally.slot
        hour_at = instant_of(slot.hour_ms)
        if (window[0] is not None and hour_at < window[0]) or (window[1] is not None and hour_at >= window[1]):
            continue
        owner = slot.owner
        key = (
            meter.id,
            instant_of(slot.from_ms),
            owner.deployment_id,
            owner.tenant_id,
            str(tally.quality),
            str(tally.rule),
            *UNKNOWN_REQUESTS,
        )
        before = computed.get(key)
        computed[key] = Figure(
            tally.value + (before.value if before else 0),
            tally.records + (before.records if before else 0),
            hour_at,
            instant_of(slot.to_ms),
            witness,
            meter.quantity,
            meter.model,
        )


def hours_against_registers() -> tuple[int, list[str]]:
    """Compare the sum of every meter's usage hours with what its register counted; what does not fit is described.

    What a person substituted does not count.
    """
    sums = dict(
        derived(UsageHour.objects.filter(meter__node__isnull=False))
        .values_list("meter_id")
        .annotate(Sum("value"))
        .order_by()
    )
    states = MeterState.objects.values_list(
        "meter_id", "value", "base", "meter__node__name", "meter__quantity", "meter__model"
    )
    wrong, looked_at = [], 0
    for meter_id, value, base, node, quantity, model in states.order_by("meter_id").iterator(chunk_size=2_000):
        looked_at += 1
        summed = int(sums.pop(meter_id, 0))
        if summed != value - base:
            wrong.append(
                f"{node} {quantity} {model or '-'}: hours {summed}, register {value - base} (meter {meter_id})"
            )
    wrong += [f"meter {meter_id}: hours {summed}, no register" for meter_id, summed in sums.items() if summed]
    return looked_at, wrong
