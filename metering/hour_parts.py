"""What stands in an hour of a provider's nodes, meter by meter: what one looks at before proposing a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, Min, OuterRef, Q, Sum

from clusters.models import Node
from clusters.own_floor import own_floor
from metering.models import Meter, Quality, UsageHour
from metering.queries import BILLED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

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


def metered_nodes(provider: Organization) -> list[tuple[UUID, str]]:
    """Return the id and the name of each of a provider's nodes that has a meter, by name; one query."""
    nodes = Node.objects.filter(Exists(Meter.objects.filter(node=OuterRef("pk"))), cluster__provider=provider)
    with own_floor(provider):
        return list(nodes.order_by("name", "pk").values_list("pk", "name"))


def hour_parts(*, provider: Organization, meters: QuerySet[Meter], hour_at: datetime, now: datetime) -> list[HourPart]:
    """Return the parts of one hour that some of a provider's meters have, by node, model and class.

    A part whose usage moved to another owner is one row, of the owner that has usage there. Meters that counted in the
    days around and not in this hour, once it is over, come last.
    """
    with own_floor(provider):
        asked = list(meters.filter(node__cluster__provider=provider).values_list("pk", flat=True))
        metered = _metered(asked, hour_at)
        if hour_at + HOUR > now:
            return metered
        stands = {part.meter_id for part in metered}
        return [*metered, *_unmetered([each for each in asked if each not in stands], hour_at)]


def _metered(meters: Sequence[UUID], hour_at: datetime) -> list[HourPart]:
    rows = UsageHour.objects.filter(from_at__gte=hour_at, from_at__lt=hour_at + HOUR, meter__in=meters)
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
    for meter, from_at, name, model, quantity, card, deployment, tenant, to_at, *sums in found:
        billed, held, substituted = map(int, sums)
        part = HourPart(
            meter, from_at, to_at, name, deployment, tenant, model, quantity, card, billed, held, substituted
        )
        parts.setdefault((meter, from_at), []).append(part)
    return [part for ones in parts.values() for part in ([one for one in ones if one.billed or one.held] or ones[:1])]


def _unmetered(meters: Sequence[UUID], hour_at: datetime) -> list[HourPart]:
    around = UsageHour.objects.filter(meter=OuterRef("pk"), from_at__gte=hour_at - AROUND, from_at__lt=hour_at + AROUND)
    missed = Meter.objects.filter(Exists(around), id__in=meters)
    rows = missed.order_by("node__name", "model", "quantity", "accelerator__position", "id").values_list(
        "id", "node__name", "model", "quantity", "accelerator__position"
    )
    return [
        HourPart(meter, hour_at, hour_at + HOUR, name, None, None, model, quantity, card, 0, 0, 0, metered=False)
        for meter, name, model, quantity, card in rows
    ]
