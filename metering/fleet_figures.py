"""What a provider's fleet adds up to, cluster by cluster: totals are never sums over a page of rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, Sum

from clusters.floor_cards import FloorCards, floor_cards
from clusters.models import Accelerator, Allocation, Cluster, Node
from clusters.occupancy import WHOLE_PERMILLE
from clusters.own_floor import own_floor
from metering.card_models import AcceleratorHour, FleetHour
from metering.completeness import LATE_AFTER
from tenants.limits.said_once import SaidOnce

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from django.db.models import QuerySet

    from tenants.models import Organization

GAUGE_HOURS: Final = timedelta(hours=2)
"""A reading that is fresh lies in the row of this hour or of the one before it."""
PERCENT: Final = 100
HOURS_SHOWN: Final = 24
# Clusters where they are summed, and node by node what came since: a day of 3,000 nodes is 72,000 rows.
METERED: Final = """
    SELECT cluster_id, sum(percents), sum(samples), sum(energy), sum(hours)
    FROM (
        SELECT cluster_id, utilisation_percent_sum AS percents, utilisation_samples AS samples, energy_mj AS energy,
            energy_hours AS hours
        FROM metering_clusterhour
        WHERE at >= %(from_at)s AND at < %(to_at)s AND cluster_id = ANY (%(clusters)s)
            AND at < (SELECT to_at FROM metering_clusterhourssummed WHERE from_at <= %(from_at)s)
        UNION ALL
        SELECT node.cluster_id, hour.utilisation_percent_sum, hour.utilisation_samples, hour.energy_mj,
            hour.energy_hours
        FROM metering_fleethour hour JOIN clusters_node node ON node.id = hour.node_id
        WHERE node.cluster_id = ANY (%(clusters)s) AND hour.at < %(to_at)s AND hour.at >= greatest(
            %(from_at)s, (SELECT to_at FROM metering_clusterhourssummed WHERE from_at <= %(from_at)s)
        )
    ) AS one
    GROUP BY cluster_id
"""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose clusters, which of them ("" for all), and the instants that figures of now go by."""

    provider_id: UUID
    cluster_slug: str
    gauges_from: datetime
    late_at: datetime


_SOMEWHERE: Final = _Asked(UUID(int=1), "some-cluster", *(datetime(1, 1, day, tzinfo=UTC) for day in (1, 2)))
"""Stands for what is asked in statements, which are written once."""


@dataclass(frozen=True, slots=True)
class FleetFigures(FloorCards):
    """A fleet, or a cluster of it, now and over the window it was asked for.

    Of the cards in service `read` have a power reading of the last five minutes, which sum to `power_mw`. What is not
    sliced is neither held nor free. None is unknown.
    """

    read: int = 0
    power_mw: int | None = None
    energy_mj: int | None = None
    utilisation_percent_sum: int = 0
    utilisation_samples: int = 0

    @property
    def free_gpus(self) -> Decimal:
        """What nobody holds now, in whole cards and thousandths of them."""
        return Decimal(self.free_permille) / WHOLE_PERMILLE

    @property
    def held_gpus(self) -> Decimal:
        """What is held now, in whole cards and thousandths of them."""
        return Decimal(self.held_permille) / WHOLE_PERMILLE

    @property
    def utilisation(self) -> Decimal | None:
        """The mean of all samples over the window, 0…1; None where nothing was sampled."""
        return mean_share(self.utilisation_percent_sum, self.utilisation_samples)


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """A cluster with its figures; also one without nodes."""

    id: UUID
    slug: str
    name: str
    figures: FleetFigures


def mean_share(percent_sum: int, samples: int) -> Decimal | None:
    """Return the mean of percentages as a share 0…1, None without samples."""
    return Decimal(percent_sum) / (samples * PERCENT) if samples else None


def free_permille_of(sliced: int, held: int) -> int:
    """Return what is free of one card whose slices sum to `sliced`, of which `held` is held, in thousandths.

    Slices that lie over each other, such as the whole card and parts of it, are free only as far as the card is.
    """
    return max(0, min(sliced - held, WHOLE_PERMILLE - held))


def total_of(clusters: Iterable[ClusterFigures]) -> FleetFigures:
    """Add clusters up; a sum of unknowns is unknown."""
    parts = [cluster.figures for cluster in clusters]
    return FleetFigures(
        nodes=sum(part.nodes for part in parts),
        in_service=sum(part.in_service for part in parts),
        retired=sum(part.retired for part in parts),
        metered=sum(part.metered for part in parts),
        held_permille=sum(part.held_permille for part in parts),
        free_permille=sum(part.free_permille for part in parts),
        nodes_shown=sum(part.nodes_shown for part in parts),
        cards_shown=sum(part.cards_shown for part in parts),
        partly_held=_nodes_named([part.partly_held for part in parts]),
        read=sum(part.read for part in parts),
        power_mw=_known_sum(part.power_mw for part in parts),
        energy_mj=_known_sum(part.energy_mj for part in parts),
        utilisation_percent_sum=sum(part.utilisation_percent_sum for part in parts),
        utilisation_samples=sum(part.utilisation_samples for part in parts),
    )


def cluster_figures(
    *,
    provider: Organization,
    now: datetime,
    from_at: datetime,
    cluster_slug: str = "",
    shown_from: datetime | None = None,
) -> tuple[ClusterFigures, ...]:
    """Return a provider's clusters by name with their figures, windowed over `[from_at, now)`; four queries.

    `shown_from` is when a view of the floor begins, for a page that draws it: see `FloorCards`.
    """
    chosen = Cluster.objects.filter(provider=provider)
    if cluster_slug:
        chosen = chosen.filter(slug=cluster_slug)
    clusters = list(chosen.order_by("name", "id"))
    ids = [cluster.id for cluster in clusters]
    asked = _Asked(provider.pk, cluster_slug, now - GAUGE_HOURS, now - LATE_AFTER)
    with own_floor(provider):
        cards = floor_cards(ids, now=now, held_from=from_at, shown_from=shown_from)
        power = _power(asked, by_slug=bool(cluster_slug))
        metered = _metered(ids, from_at, now)
    found = []
    for cluster in clusters:
        read, power_mw = power.get(cluster.id, (0, None))
        percent_sum, samples, energy_mj = metered.get(cluster.id, (0, 0, None))
        counted = cards[cluster.id]
        figures = FleetFigures(
            nodes=counted.nodes,
            in_service=counted.in_service,
            retired=counted.retired,
            metered=counted.metered,
            held_permille=counted.held_permille,
            free_permille=counted.free_permille,
            nodes_shown=counted.nodes_shown,
            cards_shown=counted.cards_shown,
            partly_held=counted.partly_held,
            read=read,
            power_mw=power_mw,
            energy_mj=energy_mj,
            utilisation_percent_sum=percent_sum,
            utilisation_samples=samples,
        )
        found.append(ClusterFigures(cluster.id, cluster.slug, cluster.name, figures))
    return tuple(found)


def cluster_hours(*, cluster_id: UUID, now: datetime) -> list[tuple[datetime, Decimal | None, int | None]]:
    """Return a cluster's last 24 UTC hours, the running one last: mean utilisation 0…1, and mean power in mW of all
    cards together; None where nothing was sampled.
    """
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in reversed(range(HOURS_SHOWN))]
    rows = (
        AcceleratorHour.objects.filter(
            accelerator__node__cluster=cluster_id, hour_at__gte=hours[0], hour_at__lte=this_hour
        )
        .values("hour_at")
        .annotate(
            percents=Sum("utilisation_percent_sum"),
            samples=Sum("utilisation_samples"),
            power=Sum(F("power_mw_sum") / F("power_samples"), filter=Q(power_samples__gt=0)),
        )
        .values_list("hour_at", "percents", "samples", "power")
    )
    known = {at: (mean_share(percents, samples), power) for at, percents, samples, power in rows}
    return [(at, *known.get(at, (None, None))) for at in hours]


def utilisation_while_held(
    *,
    provider: Organization,
    from_at: datetime,
    to_at: datetime,
    cluster_slug: str = "",
    accelerator_ids: Collection[UUID] | None = None,
    known: FleetFigures | None = None,
) -> Decimal | None:
    """Return the mean utilisation, 0…1, of a provider's cards in hours at whose start somebody held them.

    Nodes of which every card is held throughout are read as the sums of their hours, others hour by hour. `known` are
    the figures of all the nodes over the same window, where they were read: then only the others are.
    """
    place = {"cluster__provider": provider, **({"cluster__slug": cluster_slug} if cluster_slug else {})}
    with own_floor(provider):
        nodes = Node.objects.filter(**place)
        if accelerator_ids is not None:
            hours = AcceleratorHour.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at)
            return mean_share(*_while_held(hours.filter(accelerator__node__in=nodes, accelerator__in=accelerator_ids)))
        return mean_share(*_used_while_held(nodes, from_at, to_at, known))


def _used_while_held(
    nodes: QuerySet[Node], from_at: datetime, to_at: datetime, known: FleetFigures | None
) -> tuple[int, int]:
    """The samples' sum and count of nodes held throughout, and of the others' hours at whose start they were held."""
    hours = AcceleratorHour.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at)
    others = known.partly_held if known is not None else None
    if others is None:
        others = _partly_held(nodes, from_at, to_at)
    percents, samples = _while_held(hours.filter(accelerator__node__in=others)) if others else (0, 0)
    if known is None:
        all_percents, all_samples = _sampled(nodes.exclude(id__in=others).values("id"), from_at, to_at)
        return all_percents + percents, all_samples + samples
    less = _sampled(others, from_at, to_at) if others else (0, 0)
    return known.utilisation_percent_sum - less[0] + percents, known.utilisation_samples - less[1] + samples


def _partly_held(nodes: QuerySet[Node], from_at: datetime, to_at: datetime) -> tuple[UUID, ...]:
    """Those of some nodes of which a card was not held by one holder throughout."""
    throughout = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gte=to_at), slice__accelerator=OuterRef("id"), from_at__lte=from_at
    )
    cards = Accelerator.objects.filter(~Exists(throughout), node__in=nodes)
    return tuple(cards.order_by().values_list("node_id", flat=True).distinct())


def _sampled(nodes: Any, from_at: datetime, to_at: datetime) -> tuple[int, int]:
    """The samples' sum and count of all cards of nodes."""
    found = FleetHour.objects.filter(node__in=nodes, at__gte=from_at, at__lt=to_at).aggregate(
        percents=Sum("utilisation_percent_sum", default=0), samples=Sum("utilisation_samples", default=0)
    )
    return int(found["percents"]), int(found["samples"])


def _while_held(hours: QuerySet[AcceleratorHour]) -> tuple[int, int]:
    """The samples' sum and count of those hours of cards at whose start somebody held them."""
    held = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=OuterRef("hour_at")),
        slice__accelerator=OuterRef("accelerator"),
        from_at__lte=OuterRef("hour_at"),
    )
    found = hours.filter(Exists(held)).aggregate(
        percents=Sum("utilisation_percent_sum", default=0), samples=Sum("utilisation_samples", default=0)
    )
    return int(found["percents"]), int(found["samples"])


def _known_sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _nodes_named(parts: Sequence[tuple[UUID, ...] | None]) -> tuple[UUID, ...] | None:
    """The nodes that parts name; None where one of them was not asked for them."""
    named = [part for part in parts if part is not None]
    return tuple(chain.from_iterable(named)) if named and len(named) == len(parts) else None


def _in_clusters(path: str, *, by_slug: bool) -> dict[str, Any]:
    """Which rows are of the clusters asked for; `path` leads from them to their cluster."""
    clusters = Cluster.objects.filter(provider=_SOMEWHERE.provider_id)
    if by_slug:
        clusters = clusters.filter(slug=_SOMEWHERE.cluster_slug)
    return {f"{path}__in": clusters.values("id")}


def _power(asked: _Asked, *, by_slug: bool) -> dict[UUID, tuple[int, int | None]]:
    """How many cards were read within the last minutes, and what they draw: each card's latest reading."""
    return {
        cluster_id: (read, int(power_mw)) for cluster_id, read, power_mw in _power_said(by_slug=by_slug).rows(asked)
    }


@cache
def _power_said(*, by_slug: bool) -> SaidOnce:
    latest = (
        AcceleratorHour.objects.filter(
            accelerator__retired_at__isnull=True,
            hour_at__gte=_SOMEWHERE.gauges_from,
            last_read_at__gte=_SOMEWHERE.late_at,
            last_power_mw__isnull=False,
            **_in_clusters("accelerator__node__cluster", by_slug=by_slug),
        )
        .order_by("accelerator_id", "-hour_at")
        .distinct("accelerator_id")
        .values("accelerator_id", "last_power_mw", cluster=F("accelerator__node__cluster_id"))
    )
    return SaidOnce(_SOMEWHERE, latest).grouped("cluster", read="count(*)", power_mw="sum(last_power_mw)")


def _metered(cluster_ids: list[UUID], from_at: datetime, to_at: datetime) -> dict[UUID, tuple[int, int, int | None]]:
    """The utilisation of each cluster and what its cards used, in mJ: as nodes add up, which is what hours do."""
    with connection.cursor() as cursor:
        cursor.execute(METERED, {"from_at": from_at, "to_at": to_at, "clusters": cluster_ids})
        return {
            cluster_id: (int(percents), int(samples), int(energy) if hours else None)
            for cluster_id, percents, samples, energy, hours in cursor.fetchall()
        }
