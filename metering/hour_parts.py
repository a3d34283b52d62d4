"""What stands in an hour of a provider's nodes, meter by meter: what one looks at before proposing a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, Min, OuterRef, Q, Sum

from clusters.own_floor import own_floor
from metering.models import Meter, Quality, UsageHour
from metering.queries import BILLED

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

HOUR: Final = timedelta(hours=1)
AROUND: Final = timedelta(days=7)
"""How far around an hour a meter must have counted to be missed in it."""
_PLACE: Final = (
    "meter_id",
    "from_at",
    "meter__node__name",
    "meter__model",
    "meter__quantity",
    "meter__accelerator__position",
)
_ORDER: Final = (*_PLACE[2:], "from_at", "meter_id", "deployment__slug")


@dataclass(frozen=True, slots=True)
class HourPart:
    """One meter in one part of an hour: what is billed there and what is held, in the meter's own unit."""

    meter_id: UUID
    from_at: datetime
    to_at: datetime
    node: str
    deployment: str | None
    tenant: str | None
    model: str
    quantity: str
    card: int | None
    """Position of the card on its node, for a card's meter."""
    billed: int
    held: int
    substituted: int
    metered: bool = True
    """Whether anything stands there at all; if not, it is the whole hour of a meter that counted in the days around."""


def hour_parts(
    *,
    provider: Organization,
    hour_at: datetime,
    now: datetime,
    node: str = "",
    meter_id: UUID | None = None,
    limit: int = 500,
) -> list[HourPart]:
    """Return the parts of one hour, by node, model and class; `node` is a name, "" for all.

    A part whose usage moved to another owner is one row, of the owner that has usage there. Meters that counted in the
    days around and not in this hour, once it is over, come last.
    """
    with own_floor(provider):
        metered = _metered(provider, hour_at, node, meter_id, limit)
        if hour_at + HOUR > now:
            return metered
        return [*metered, *_unmetered(provider, hour_at, node, meter_id, limit - len(metered))]


def _metered(provider: Organization, hour_at: datetime, node: str, meter_id: UUID | None, limit: int) -> list[HourPart]:
    rows = UsageHour.objects.filter(
        from_at__gte=hour_at, from_at__lt=hour_at + HOUR, meter__node__cluster__provider=provider
    )
    rows = rows.filter(meter__node__name=node) if node else rows
    rows = rows if meter_id is None else rows.filter(meter_id=meter_id)
    found = (
        rows.values_list(*_PLACE, "deployment__slug", "tenant__name")
        .annotate(
            ends_at=Min("to_at"),
            billed=Sum("value", filter=Q(quality__in=BILLED), default=0),
            held=Sum("value", filter=Q(quality=Quality.QUARANTINED), default=0),
            substituted=Sum("value", filter=Q(quality=Quality.SUBSTITUTED), default=0),
        )
        .order_by(*_ORDER)
    )
    parts: dict[tuple[UUID, datetime], list[HourPart]] = {}
    for meter, from_at, name, model, quantity, card, deployment, tenant, to_at, *sums in found[:limit]:
        billed, held, substituted = map(int, sums)
        part = HourPart(
            meter, from_at, to_at, name, deployment, tenant, model, quantity, card, billed, held, substituted
        )
        parts.setdefault((meter, from_at), []).append(part)
    return [part for ones in parts.values() for part in ([one for one in ones if one.billed or one.held] or ones[:1])]


def _unmetered(
    provider: Organization, hour_at: datetime, node: str, meter_id: UUID | None, limit: int
) -> list[HourPart]:
    around = UsageHour.objects.filter(meter=OuterRef("pk"), from_at__gte=hour_at - AROUND, from_at__lt=hour_at + AROUND)
    # Those of the hour are looked up in one set: most meters are in it, and no other is asked for the days around.
    metered = UsageHour.objects.filter(from_at__gte=hour_at, from_at__lt=hour_at + HOUR).values("meter_id")
    meters = Meter.objects.filter(~Q(id__in=metered), Exists(around), node__cluster__provider=provider)
    meters = meters.filter(node__name=node) if node else meters
    meters = meters if meter_id is None else meters.filter(id=meter_id)
    rows = meters.order_by("node__name", "model", "quantity", "accelerator__position", "id").values_list(
        "id", "node__name", "model", "quantity", "accelerator__position"
    )
    return [
        HourPart(meter, hour_at, hour_at + HOUR, name, None, None, model, quantity, card, 0, 0, 0, metered=False)
        for meter, name, model, quantity, card in rows[:limit]
    ]
