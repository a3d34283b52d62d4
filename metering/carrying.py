"""Carrying what people put in: where an hour's part gets another owner or other edges, the person's value goes along.

A substitution takes away what stood in a part and puts a value in. When the usage of that part is restated, both must
go where the usage goes: else the new owner pays what was found to be wrong, and the old one gets it back.

1. Rows of substitutions that stand in a part which is none any more, or is somebody else's, are found.
2. They are shared out over the parts that lie there now, in proportion to what was metered in each, else to their
   length. The sum stays to the unit.
3. Adjusting rows move them. In each new part it is a substitution of the same two people, so that the tenant who has
   the usage now reads it; the old one stays on record.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

from django.db.models import Min, Sum

from metering.adjustment_models import AdjustmentCause, Substitution, SubstitutionState, UsageAdjustment
from metering.attribution import NodeTimelines
from metering.hours import instant_of, unix_ms_of
from metering.models import Meter, Quality, UsageHour
from metering.queries import BILLED
from metering.rebuild import UNKNOWN_REQUESTS, Difference, Figure, derived, write_adjustment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from clusters.models import Node
    from metering.timeline import Slot

REASON: Final = "The part of the hour in which a person's value stands has another owner or other edges now."
_PART: Final = ("meter_id", "hour_at", "from_at", "deployment_id", "tenant_id")
Place = tuple["UUID", "datetime", "datetime", "UUID | None", "UUID | None"]
"""A meter, an hour, the beginning of a part of it, and whose that part is: deployment and tenant."""
Why = tuple[str, str]
"""Quality and rule."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an hour as it lies now."""

    place: Place
    to_at: datetime
    ms: int
    """How much of it lies where the value stood."""
    metered: Mapping[Why, int]

    def weight(self, why: Why) -> tuple[int, int, int]:
        """How much of a value belongs here: by what was metered so, by what is billed, by time."""
        billed = sum(value for (quality, _), value in self.metered.items() if quality in BILLED)
        return max(0, self.metered.get(why, 0)), max(0, billed), self.ms


def shares(value: int, weights: Sequence[int]) -> list[int]:
    """Share a value out by weights, none of them negative and not all zero; the shares add up to it. Pure."""
    total, size = sum(weights), abs(value)
    edges = [size * reached // total for reached in accumulate(weights, initial=0)]
    return [after - before if value > 0 else before - after for before, after in pairwise(edges)]


def carry_substituted(*, node: Node, from_at: datetime | None, to_at: datetime | None, now: datetime) -> int:
    """Move what people put in to where the usage of its hours is by now; return how many parts it was taken out of.

    Must run in the transaction that restated the usage of these hours and holds the node's rollup cursor.
    """
    standing = _standing(node, from_at, to_at)
    if not standing:
        return 0
    timelines = NodeTimelines(node, min(unix_ms_of(place[2]) for place, _ in standing))
    meters = Meter.objects.in_bulk({place[0] for place, _ in standing})
    moved = 0
    for (place, ends_at), sums in standing.items():
        meter = meters[place[0]]
        subject_id = meter.endpoint_id or meter.accelerator_id
        assert subject_id is not None, "a meter of a node reads an endpoint or a card"
        timeline = timelines.of("endpoint" if meter.endpoint_id else "accelerator", subject_id, meter.model)
        slots, at_ms = [], unix_ms_of(place[2])
        while at_ms < unix_ms_of(ends_at):
            slots.append(timeline.slot_at(at_ms))
            at_ms = slots[-1].to_ms
        if [_place(meter, slot) for slot in slots] != [place]:
            _move(meter, (place, ends_at), sums, slots, now)
            moved += 1
    return moved


def _standing(
    node: Node, from_at: datetime | None, to_at: datetime | None
) -> dict[tuple[Place, datetime], dict[Why, int]]:
    """Return what substitutions brought, by the part and its end, and by quality and rule."""
    rows = UsageHour.objects.filter(meter__node=node, adjustment__cause=AdjustmentCause.SUBSTITUTED)
    rows = rows if from_at is None else rows.filter(hour_at__gte=from_at)
    rows = rows if to_at is None else rows.filter(hour_at__lt=to_at)
    grouped = rows.values_list(*_PART, "quality", "rule").annotate(Sum("value"), Min("to_at"))
    sums: dict[Place, dict[Why, int]] = defaultdict(dict)
    ends: dict[Place, datetime] = {}
    for *place, quality, rule, value, ends_at in grouped.order_by(*_PART, "quality", "rule"):
        key: Place = tuple(place)
        sums[key][quality, rule] = int(value)
        ends[key] = min(ends_at, ends.get(key, ends_at))
    return {(place, ends[place]): found for place, found in sums.items() if any(found.values())}


def _place(meter: Meter, slot: Slot) -> Place:
    owner = slot.owner
    return meter.id, instant_of(slot.hour_ms), instant_of(slot.from_ms), owner.deployment_id, owner.tenant_id


def _move(
    meter: Meter,
    old: tuple[Place, datetime],
    sums: Mapping[Why, int],
    slots: Sequence[Slot],
    now: datetime,
) -> None:
    (place, ends_at), parts = old, [_part(meter, slot, old) for slot in slots]
    taken = {why: -value for why, value in sums.items()}
    _write(_adjustment(meter, place, ends_at, now), meter, place, ends_at, taken)
    brought: list[dict[Why, int]] = [{} for _ in parts]
    for why, value in sums.items():
        by_metered, by_billed, by_time = zip(*(part.weight(why) for part in parts), strict=True)
        weights = next(found for found in (by_metered, by_billed, by_time) if any(found))
        for each, share in zip(brought, shares(value, weights), strict=True):
            each[why] = share
    for part, found in zip(parts, brought, strict=True):
        adjustment = _adjustment(meter, part.place, part.to_at, now)
        _write(adjustment, meter, part.place, part.to_at, found)
        _say_again(place, part, found, adjustment)


def _part(meter: Meter, slot: Slot, old: tuple[Place, datetime]) -> _Part:
    (*_, began_at, _, _), ended_at = old
    ms = min(slot.to_ms, unix_ms_of(ended_at)) - max(slot.from_ms, unix_ms_of(began_at))
    place = _place(meter, slot)
    rows = derived(UsageHour.objects.filter(**dict(zip(_PART, place, strict=True))))
    metered = {
        (quality, rule): int(value)
        for quality, rule, value in rows.values_list("quality", "rule").annotate(Sum("value")).order_by()
    }
    return _Part(place, instant_of(slot.to_ms), ms, metered)


def _adjustment(meter: Meter, place: Place, to_at: datetime, now: datetime) -> UsageAdjustment:
    return UsageAdjustment(
        cause=AdjustmentCause.SUBSTITUTED,
        reason=REASON,
        node_id=meter.node_id,
        from_at=place[2],
        to_at=to_at,
        made_at=now,
    )


def _write(adjustment: UsageAdjustment, meter: Meter, place: Place, to_at: datetime, values: Mapping[Why, int]) -> None:
    meter_id, hour_at, from_at, deployment_id, tenant_id = place
    changes = [
        Difference(
            (meter_id, from_at, deployment_id, tenant_id, *why, *UNKNOWN_REQUESTS),
            None,
            Figure(value, 0, hour_at, to_at, meter.witness, meter.quantity, meter.model),
        )
        for why, value in values.items()
        if value or why[0] == Quality.SUBSTITUTED
    ]
    write_adjustment(adjustment, changes)


def _say_again(place: Place, part: _Part, found: Mapping[Why, int], adjustment: UsageAdjustment) -> None:
    """Put the substitution on record where it stands now, of whom proposed and who approved it."""
    approved = Substitution.objects.filter(
        meter_id=place[0], hour_at=place[1], from_at=place[2], state=SubstitutionState.APPROVED
    )
    last = approved.order_by("-decided_at", "-id").first()
    assert last is not None, "a person's value has its substitution"
    put_in = sum(value for (quality, _), value in found.items() if quality == Quality.SUBSTITUTED)
    taken = sum(value for (quality, _), value in found.items() if quality in BILLED and quality != Quality.SUBSTITUTED)
    Substitution.objects.create(
        provider_id=last.provider_id,
        tenant_id=part.place[4],
        deployment_id=part.place[3],
        meter_id=last.meter_id,
        hour_at=part.place[1],
        from_at=part.place[2],
        to_at=part.to_at,
        value_before=-taken,
        value=put_in,
        reason=last.reason,
        state=SubstitutionState.APPROVED,
        proposed_by_id=last.proposed_by_id,
        proposed_at=last.proposed_at,
        decided_by_id=last.decided_by_id,
        decided_at=last.decided_at,
        adjustment=adjustment,
    )
