"""A provider's fleet as its meters show it: clusters, nodes, accelerators; a fixed number of queries at any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Max, Sum

from clusters.models import Accelerator, Endpoint, Node
from clusters.own_floor import own_floor
from metering.models import AcceleratorHour, Quality, UsageHour, Witness

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

SEALED_BY_SERVER: Final = "sealed by server"
"""How the version of a collector begins, whose batches this server seals: no GPU server signed them."""


@dataclass(frozen=True, slots=True)
class FleetAccelerator:
    """One card: its latest gauges within the window and its energy over it in mJ; None is unknown, never zero."""

    id: UUID
    uuid: str
    serial: str
    model: str
    position: int
    memory_mib: int | None
    retired_at: datetime | None
    last_read_at: datetime | None
    utilisation_percent: int | None
    power_mw: int | None
    memory_used_mib_max: int | None
    utilisation_percent_mean: int | None
    energy_mj: int | None


@dataclass(frozen=True, slots=True)
class FleetNode:
    """One server; `metered_to_at` is how far it has reported, None: never. Without `enrolled_at` it has no agent."""

    id: UUID
    name: str
    agent_version: str
    enrolled_at: datetime | None
    revoked_at: datetime | None
    last_received_at: datetime | None
    metered_to_at: datetime | None
    clock_skew_ms: int | None
    accelerators: tuple[FleetAccelerator, ...]
    endpoints: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def energy_mj(self) -> int | None:
        """Energy of its cards over the window, None where none of them was metered."""
        return _known_sum(card.energy_mj for card in self.accelerators)


@dataclass(frozen=True, slots=True)
class FleetCluster:
    """One site with its nodes."""

    id: UUID
    slug: str
    name: str
    nodes: tuple[FleetNode, ...]

    @property
    def energy_mj(self) -> int | None:
        """Energy of its nodes over the window, None where none of them was metered."""
        return _known_sum(node.energy_mj for node in self.nodes)


@dataclass(frozen=True, slots=True)
class _Gauges:
    last_read_at: datetime
    utilisation_percent: int | None
    power_mw: int | None
    memory_used_mib_max: int | None
    utilisation_sum: int
    utilisation_samples: int


def fleet_of(
    *,
    provider: Organization,
    from_at: datetime,
    to_at: datetime,
    cluster_slug: str = "",
    node_ids: Collection[UUID] | None = None,
    gauges_only: bool = False,
) -> tuple[FleetCluster, ...]:
    """Return a provider's clusters, or one of them, or those with some nodes, as metered over `[from_at, to_at)`.

    Five queries; three with `gauges_only`, which leaves energy unknown and endpoints out. Clusters, nodes and cards
    come in the order of their names and positions.
    """
    nodes = Node.objects.filter(cluster__provider=provider).select_related("cluster", "cursor")
    if cluster_slug:
        nodes = nodes.filter(cluster__slug=cluster_slug)
    if node_ids is not None:
        nodes = nodes.filter(id__in=node_ids)
    # What is named is looked up as it is; of what is not named the database finds the nodes in each statement.
    ids = nodes.values("id") if node_ids is None else list(node_ids)
    with own_floor(provider):
        cards = _cards(ids, from_at, to_at, energy={} if gauges_only else _energy(ids, from_at, to_at))
        return _clusters(nodes, cards, {} if gauges_only else _endpoints(ids))


def _endpoints(node_ids: Any) -> dict[UUID, list[tuple[str, str, tuple[str, ...]]]]:
    """What each node serves: address, engine and models."""
    endpoints: dict[UUID, list[tuple[str, str, tuple[str, ...]]]] = {}
    rows = Endpoint.objects.filter(node__in=node_ids).order_by("url")
    for serves, url, engine, models in rows.values_list("node_id", "url", "engine", "served_models"):
        endpoints.setdefault(serves, []).append((url, engine, tuple(models)))
    return endpoints


def _clusters(
    nodes: QuerySet[Node],
    cards: dict[UUID, list[FleetAccelerator]],
    endpoints: dict[UUID, list[tuple[str, str, tuple[str, ...]]]],
) -> tuple[FleetCluster, ...]:
    clusters: dict[UUID, tuple[str, str, list[FleetNode]]] = {}
    for node in nodes.order_by("cluster__slug", "cluster_id", "name", "id"):
        cluster = node.cluster
        cursor = getattr(node, "cursor", None)
        seen = FleetNode(
            id=node.id,
            name=node.name,
            agent_version=node.agent_version,
            enrolled_at=node.enrolled_at,
            revoked_at=node.revoked_at,
            last_received_at=cursor.last_received_at if cursor else None,
            metered_to_at=cursor.metered_to_at if cursor else None,
            clock_skew_ms=cursor.clock_skew_ms if cursor else None,
            accelerators=tuple(cards.get(node.id, ())),
            endpoints=tuple(endpoints.get(node.id, ())),
        )
        clusters.setdefault(cluster.id, (cluster.slug, cluster.name, []))[2].append(seen)
    return tuple(FleetCluster(key, slug, name, tuple(found)) for key, (slug, name, found) in clusters.items())


def _known_sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _energy(node_ids: Any, from_at: datetime, to_at: datetime) -> dict[UUID, int]:
    """What each card used over the window, in mJ."""
    return dict(
        UsageHour.objects.filter(
            witness=Witness.ENERGY,
            meter__accelerator__node__in=node_ids,
            quality__in=(Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED),
            from_at__gte=from_at,
            from_at__lt=to_at,
        )
        .values_list("meter__accelerator_id")
        .annotate(total=Sum("value"))
    )


def _cards(
    node_ids: Any, from_at: datetime, to_at: datetime, *, energy: dict[UUID, int]
) -> dict[UUID, list[FleetAccelerator]]:
    gauges = _gauges(node_ids, from_at, to_at)
    found: dict[UUID, list[FleetAccelerator]] = {}
    for card in Accelerator.objects.filter(node__in=node_ids).order_by("node_id", "position", "uuid"):
        hour = gauges.get(card.id)
        mean = hour.utilisation_sum // hour.utilisation_samples if hour and hour.utilisation_samples else None
        found.setdefault(card.node_id, []).append(
            FleetAccelerator(
                id=card.id,
                uuid=card.uuid,
                serial=card.serial,
                model=card.model,
                position=card.position,
                memory_mib=card.memory_mib,
                retired_at=card.retired_at,
                last_read_at=hour.last_read_at if hour else None,
                utilisation_percent=hour.utilisation_percent if hour else None,
                power_mw=hour.power_mw if hour else None,
                memory_used_mib_max=hour.memory_used_mib_max if hour else None,
                utilisation_percent_mean=mean,
                energy_mj=int(energy[card.id]) if card.id in energy else None,
            )
        )
    return found


def _gauges(node_ids: Any, from_at: datetime, to_at: datetime) -> dict[UUID, _Gauges]:
    """The latest gauges of each card within the window, and sums over it."""
    newest = "-hour_at"
    rows = (
        AcceleratorHour.objects.filter(accelerator__node__in=node_ids, hour_at__gte=from_at, hour_at__lt=to_at)
        .values_list("accelerator_id")
        .annotate(
            read_at=Max("last_read_at"),
            used=ArrayAgg("last_utilisation_percent", order_by=newest),
            power=ArrayAgg("last_power_mw", order_by=newest),
            memory=Max("memory_used_mib_max"),
            total=Sum("utilisation_percent_sum"),
            samples=Sum("utilisation_samples"),
        )
    )
    return {
        card: _Gauges(read_at, used[0], power[0], memory, int(total), int(samples))
        for card, read_at, used, power, memory, total, samples in rows
    }
