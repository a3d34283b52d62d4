"""One node in detail: its cards hour by hour, who holds them now, its meters, gaps and chain of batches."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec
from django.db.models import Q

from clusters.models import Allocation, Node, Slice
from clusters.own_floor import own_floor
from metering.card_health import CardHealth, health_of
from metering.clock import ClockState
from metering.control_models import NodePresence
from metering.fleet import FleetCluster, FleetNode, fleet_of
from metering.fleet_figures import mean_share
from metering.models import AcceleratorHour, Batch, BatchConflict, Meter, NodeCursor, RollupCursor, UsageGap
from metering.node_hours import SilenceRow, covered, last_hours, silence_rows

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

HOURS_SHOWN: Final = 24
GAPS_SINCE: Final = timedelta(days=7)
GAPS_MAX: Final = 50
SILENCES_MAX: Final = 20
"""A node whose clock or network is broken has hundreds; the page of gaps lists them."""
BATCHES_MAX: Final = 12
METERS_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class CardHour:
    """One card in one hour: mean utilisation 0…1 and mean power in mW, None where not sampled."""

    utilisation: Decimal | None
    power_mw: int | None


@dataclass(frozen=True, slots=True)
class HoldNow:
    """A slice in service and who holds it now; no tenant: it is free."""

    kind: str
    label: str
    profile: str
    share_permille: int
    tenant: str
    from_at: datetime | None
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class MeterReading:
    """A meter of an endpoint and the last reading that was counted; None where none was yet."""

    url: str
    model: str
    quantity: str
    labels: str
    epoch: str
    seq: int | None
    value: int | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class GapRow:
    """A span of the node that could not be metered."""

    subject: str
    subject_id: str
    from_at: datetime
    to_at: datetime
    reason: str
    detail: str
    occurrences: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A link of the chain, as received."""

    seq: int
    hash: str
    prev_hash: str
    readings: int
    metered_to_at: datetime
    received_at: datetime
    clock_skew_ms: int | None


@dataclass(frozen=True, slots=True)
class Chain:
    """Where the chain of batches stands, its newest links, and how far usage is worked out."""

    last_seq: int
    last_hash: str
    rolled_seq: int
    rolled_to_at: datetime | None
    conflicts: int
    batches: tuple[BatchRow, ...]


@dataclass(frozen=True, slots=True)
class NodeDetail:
    """Everything the page of a node shows; `hours` name the UTC hours of the cards' lists, the oldest first."""

    cluster: FleetCluster
    node: FleetNode
    driver_version: str
    hours: tuple[datetime, ...]
    card_hours: dict[UUID, tuple[CardHour, ...]]
    holds: dict[UUID, tuple[HoldNow, ...]]
    meters: tuple[MeterReading, ...]
    gaps: tuple[GapRow, ...]
    chain: Chain
    health: dict[UUID, CardHealth]
    covered: tuple[tuple[datetime, int | None], ...]
    clock: ClockState | None
    silences: tuple[SilenceRow, ...]


def node_detail(*, provider: Organization, cluster_slug: str, name: str, now: datetime) -> NodeDetail | None:
    """Return a provider's node, None where it has no such node; a fixed number of queries."""
    found = Node.objects.filter(cluster__provider=provider, cluster__slug=cluster_slug, name=name).first()
    if found is None:
        return None
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = tuple(this_hour - timedelta(hours=back) for back in reversed(range(HOURS_SHOWN)))
    [cluster] = fleet_of(provider=provider, from_at=hours[0], to_at=now, node_ids=[found.id])
    with own_floor(provider):
        card_hours, holds = _card_hours(found, hours), _holds(found, now)
        health = health_of(node=found, from_at=hours[0], now=now)
    return NodeDetail(
        cluster=cluster,
        node=cluster.nodes[0],
        driver_version=found.driver_version,
        hours=hours,
        card_hours=card_hours,
        holds=holds,
        meters=_meters(found),
        gaps=_gaps(found, now),
        chain=_chain(found),
        health=health,
        covered=_covered(found, now),
        clock=_clock(found),
        silences=tuple(
            silence_rows(
                organization=provider, from_at=now - GAPS_SINCE, to_at=now, node_id=found.id, limit=SILENCES_MAX
            )
        ),
    )


def _card_hours(node: Node, hours: tuple[datetime, ...]) -> dict[UUID, tuple[CardHour, ...]]:
    unknown = CardHour(None, None)
    by_card: dict[UUID, dict[datetime, CardHour]] = defaultdict(dict)
    rows = AcceleratorHour.objects.filter(accelerator__node=node, hour_at__gte=hours[0], hour_at__lte=hours[-1])
    for row in rows:
        power = row.power_mw_sum // row.power_samples if row.power_samples else None
        used = mean_share(row.utilisation_percent_sum, row.utilisation_samples)
        by_card[row.accelerator_id][row.hour_at] = CardHour(used, power)
    return {card: tuple(known.get(hour, unknown) for hour in hours) for card, known in by_card.items()}


def _holds(node: Node, now: datetime) -> dict[UUID, tuple[HoldNow, ...]]:
    now_held = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=now), from_at__lte=now, slice__accelerator__node=node
    )
    held: dict[UUID, tuple[str, datetime, datetime | None]] = {
        slice_id: (tenant, from_at, to_at)
        for slice_id, tenant, from_at, to_at in now_held.values_list("slice_id", "tenant__name", "from_at", "to_at")
    }
    found: dict[UUID, list[HoldNow]] = defaultdict(list)
    slices = Slice.objects.filter(Q(retired_at__isnull=True) | Q(id__in=list(held)), accelerator__node=node)
    for one in slices.order_by("accelerator_id", "-share_permille", "label", "id"):
        tenant, from_at, to_at = held.get(one.id, ("", None, None))
        found[one.accelerator_id].append(
            HoldNow(one.kind, one.label, one.profile, one.share_permille, tenant, from_at, to_at)
        )
    return {card: tuple(rows) for card, rows in found.items()}


def _meters(node: Node) -> tuple[MeterReading, ...]:
    rows = (
        Meter.objects.filter(endpoint__node=node)
        .order_by("endpoint__url", "model", "quantity", "labels")
        .values_list(
            "endpoint__url", "model", "quantity", "labels", "state__epoch", "state__seq", "state__value",
            "state__read_at",
        )[:METERS_MAX]
    )  # fmt: skip
    return tuple(
        MeterReading(url, model, quantity, labels, epoch or "", seq, value, read_at)
        for url, model, quantity, labels, epoch, seq, value, read_at in rows
    )


def _gaps(node: Node, now: datetime) -> tuple[GapRow, ...]:
    rows = (
        UsageGap.objects.filter(node=node, to_at__gte=now - GAPS_SINCE, from_at__lt=now)
        .order_by("-from_at", "id")
        .values_list("subject", "subject_id", "from_at", "to_at", "reason", "detail", "occurrences")
    )
    return tuple(GapRow(*row) for row in rows[:GAPS_MAX])


def _chain(node: Node) -> Chain:
    cursor = NodeCursor.objects.filter(node=node).values_list("last_seq", "last_hash").first()
    rolled = RollupCursor.objects.filter(node=node).values_list("rolled_seq", "rolled_to_at").first()
    # The bodies are megabytes and stay where they are.
    rows = (
        Batch.objects.filter(node=node)
        .order_by("-seq")
        .values_list("seq", "hash", "prev_hash", "readings", "metered_to_at", "received_at", "clock_skew_ms")
    )
    return Chain(
        last_seq=cursor[0] if cursor else 0,
        last_hash=cursor[1] if cursor else "",
        rolled_seq=rolled[0] if rolled else 0,
        rolled_to_at=rolled[1] if rolled else None,
        conflicts=BatchConflict.objects.filter(node=node).count(),
        batches=tuple(BatchRow(*row) for row in rows[:BATCHES_MAX]),
    )


def _covered(node: Node, now: datetime) -> tuple[tuple[datetime, int | None], ...]:
    hours = last_hours(now)
    known = covered(node_ids=[node.id], hours=hours).get(node.id, {})
    return tuple((hour, known.get(hour)) for hour in hours)


def _clock(node: Node) -> ClockState | None:
    stored = NodePresence.objects.filter(node=node).values_list("clock").first()
    return msgspec.convert(stored[0], ClockState) if stored else None
