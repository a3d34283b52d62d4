"""How a node's cards are: errors, clocks held back, activity, and who computes on them. Unknown is None, never zero."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Max, Sum

from clusters.models import AcceleratorHealth
from metering.card_models import AcceleratorEvent, AcceleratorHour, PartitionHour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from clusters.models import Node

EVENTS_SINCE: Final = timedelta(days=7)
ACTIVITY_SUMS: Final = {
    name: Sum(column)
    for name, column in (
        ("graphics", "graphics_permille_sum"),
        ("graphics_n", "graphics_samples"),
        ("sm", "sm_permille_sum"),
        ("sm_n", "sm_samples"),
        ("tensor", "tensor_permille_sum"),
        ("tensor_n", "tensor_samples"),
    )
}


@dataclass(frozen=True, slots=True)
class Activity:
    """How busy something was on average, each 0…1."""

    graphics: Decimal | None = None
    sm: Decimal | None = None
    tensor: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CardEventRow:
    """One kind of event of a card over the last days."""

    kind: str
    code: int
    occurrences: int
    last_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class CardProcess:
    """A process that computes on a card; `container_id` is "" outside a container and None where it is unknown."""

    pid: int
    container_id: str | None
    memory_mib: int | None


@dataclass(frozen=True, slots=True)
class CardHealth:
    """A card's health. `throttled` and `power_capped` are shares of the hours asked for; `told` is when ECC, rows and
    processes were last told."""

    told_at: datetime | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    rows_remapped: int | None = None
    row_remap_pending: bool | None = None
    row_remap_failed: bool | None = None
    processes: tuple[CardProcess, ...] | None = None
    events: tuple[CardEventRow, ...] = ()
    throttled: Decimal | None = None
    power_capped: Decimal | None = None
    activity: Activity = Activity()
    partitions: tuple[tuple[str, str, Activity], ...] = ()


def health_of(*, node: Node, from_at: datetime, now: datetime) -> dict[UUID, CardHealth]:
    """Return the health of the node's cards of which anything is known; gauges since `from_at`. Four queries."""
    events = _events(node, now)
    partitions = _partitions(node, from_at)
    gauges = _gauges(node, from_at)
    told = {row.accelerator_id: row for row in AcceleratorHealth.objects.filter(accelerator__node=node)}
    found = {}
    for card in told.keys() | events.keys() | partitions.keys() | gauges.keys():
        hours = gauges.get(card, {})
        found[card] = CardHealth(
            **_told(told.get(card)),
            events=tuple(events.get(card, ())),
            throttled=_share(hours.get("throttled"), hours.get("clock_n"), 1),
            power_capped=_share(hours.get("capped"), hours.get("clock_n"), 1),
            activity=_activity(hours),
            partitions=tuple(partitions.get(card, ())),
        )
    return found


def _told(row: AcceleratorHealth | None) -> dict[str, Any]:
    if row is None:
        return {}
    rows = [count for count in (row.rows_remapped_corrected, row.rows_remapped_uncorrected) if count is not None]
    processes = row.processes
    return {
        "told_at": row.seen_at,
        "ecc_corrected": row.ecc_corrected,
        "ecc_uncorrected": row.ecc_uncorrected,
        "rows_remapped": sum(rows) if rows else None,
        "row_remap_pending": row.row_remap_pending,
        "row_remap_failed": row.row_remap_failed,
        "processes": None
        if processes is None
        else tuple(CardProcess(one["pid"], one.get("container_id"), one.get("memory_mib")) for one in processes),
    }


def _events(node: Node, now: datetime) -> dict[UUID, list[CardEventRow]]:
    rows = (
        AcceleratorEvent.objects.filter(accelerator__node=node, hour_at__gte=now - EVENTS_SINCE)
        .values_list("accelerator_id", "kind", "code")
        .annotate(times=Sum("occurrences"), newest=Max("last_at"), said=Max("detail"))
        .order_by("accelerator_id", "-newest", "kind", "code")
    )
    found: dict[UUID, list[CardEventRow]] = defaultdict(list)
    for card, kind, code, times, newest, said in rows:
        found[card].append(CardEventRow(kind, code, times, newest, said))
    return found


def _gauges(node: Node, from_at: datetime) -> dict[UUID, dict[str, Any]]:
    rows = (
        AcceleratorHour.objects.filter(accelerator__node=node, hour_at__gte=from_at)
        .values("accelerator_id")
        .annotate(
            clock_n=Sum("clock_samples"),
            throttled=Sum("throttled_samples"),
            capped=Sum("power_capped_samples"),
            **ACTIVITY_SUMS,
        )
    )
    return {row["accelerator_id"]: dict(row) for row in rows}


def _partitions(node: Node, from_at: datetime) -> dict[UUID, list[tuple[str, str, Activity]]]:
    rows = (
        PartitionHour.objects.filter(slice__accelerator__node=node, hour_at__gte=from_at)
        .values(card=F("slice__accelerator_id"), profile=F("slice__profile"), label=F("slice__label"))
        .annotate(**ACTIVITY_SUMS)
        .order_by("card", "label")
    )
    found: dict[UUID, list[tuple[str, str, Activity]]] = defaultdict(list)
    for row in rows:
        found[row["card"]].append((row["profile"], row["label"], _activity(row)))
    return found


def _activity(row: Mapping[str, Any]) -> Activity:
    return Activity(*(_share(row.get(name), row.get(f"{name}_n"), 1000) for name in ("graphics", "sm", "tensor")))


def _share(total: int | None, samples: int | None, whole: int) -> Decimal | None:
    return None if not samples or total is None else Decimal(total) / samples / whole
