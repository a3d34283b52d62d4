"""What a provider's floor adds up to over a window, summed by the database: no row of it is read for each card."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from django.db import connection
from django.db.models import Exists, OuterRef

from billing.queries.occupancy import in_view
from clusters.models import Node, Slice
from clusters.occupancy import WHOLE_PERMILLE, Occupancy, unix_second
from clusters.own_floor import own_floor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.fleet_figures import ClusterFigures
    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Holder:
    """A tenant that holds something within the window: `share_permille` adds each of its holdings up, however long."""

    tenant_id: UUID
    tenant: str
    share_permille: int


@dataclass(frozen=True, slots=True)
class FloorSums:
    """A floor over `[from_at, to_at)`: how many nodes it has, what of it is held, and by whom.

    `holders` are those of `holder_count` that hold the most, the first of them most of all; `next_from_at` is the first
    beginning after the instant asked.
    """

    nodes: int
    occupancy: Occupancy
    holders: tuple[Holder, ...]
    holder_count: int
    next_from_at: datetime | None


# What is held from one instant to another is added up before its seconds are counted: a lease of many cards is once.
# What is in view is as `billing.queries.occupancy.in_view` has it. Of a window it holds whole seconds, as
# `clusters.occupancy.clip` counts them. Names go by their letters' numbers, as they do in Python.
HOLDERS: Final = """
    SELECT tenant_id, name, share, count(*) OVER (), sum(gpu_ms) OVER (), min(next_from_at) OVER ()
    FROM (
        SELECT held.tenant_id, tenant.name COLLATE "C" AS name, sum(held.share)::bigint AS share,
            sum(held.share * (
                floor(extract(epoch FROM least(coalesce(held.to_at, %(to_at)s), %(to_at)s)))::bigint
                - floor(extract(epoch FROM greatest(held.from_at, %(from_at)s)))::bigint
            )) AS gpu_ms,
            min(held.from_at) FILTER (WHERE held.from_at > %(now)s) AS next_from_at
        FROM (
            SELECT allocation.tenant_id, allocation.from_at, allocation.to_at, sum(slice.share_permille) AS share
            FROM clusters_allocation allocation
            JOIN clusters_slice slice ON slice.id = allocation.slice_id
            JOIN clusters_accelerator card ON card.id = slice.accelerator_id
            JOIN clusters_node node ON node.id = card.node_id
            WHERE node.cluster_id = ANY (%(clusters)s)
                AND (slice.retired_at IS NULL OR slice.retired_at > %(from_at)s)
                AND (card.retired_at IS NULL OR card.retired_at > %(from_at)s)
                AND (allocation.to_at IS NULL OR allocation.to_at > %(from_at)s) AND allocation.from_at < %(to_at)s
            GROUP BY 1, 2, 3
        ) AS held JOIN tenants_organization tenant ON tenant.id = held.tenant_id
        GROUP BY held.tenant_id, tenant.name
    ) AS holder
    ORDER BY share DESC, name, tenant_id
    LIMIT %(holders)s
"""


def floor_sums(
    provider: Organization,
    clusters: Sequence[ClusterFigures],
    from_at: datetime,
    to_at: datetime,
    *,
    now: datetime,
    holders: int,
) -> FloorSums:
    """Return what `occupancy_view` over the same window adds up to, and what begins next after `now`; one query.

    `clusters` are those of the provider that are looked at, with what they show from `from_at` on. At most so many
    `holders` are named.
    """
    asked: dict[str, Any] = {
        "clusters": [cluster.id for cluster in clusters],
        "from_at": from_at,
        "to_at": to_at,
        "now": now,
        "holders": holders,
    }
    with own_floor(provider), connection.cursor() as cursor:
        cursor.execute(HOLDERS, asked)
        found = cursor.fetchall()
    seconds = unix_second(to_at) - unix_second(from_at)
    cards = sum(cluster.figures.cards_shown for cluster in clusters)
    _tenant, _name, _share, count, gpu_ms, next_from_at = found[0] if found else (None, "", 0, 0, 0, None)
    return FloorSums(
        nodes=sum(cluster.figures.nodes_shown for cluster in clusters),
        occupancy=Occupancy(int(gpu_ms), cards * WHOLE_PERMILLE * seconds),
        holders=tuple(Holder(*row[:3]) for row in found),
        holder_count=count,
        next_from_at=next_from_at,
    )


def nodes_in_view(
    provider: Organization, clusters: Sequence[ClusterFigures], from_at: datetime, *, first: int = 0, count: int
) -> list[UUID]:
    """Return `count` nodes of a floor after its `first` ones, in the order in which `occupancy_view` has them.

    How many each of its `clusters` shows is known, so that only those are asked in which these nodes stand; one query.
    """
    places: list[UUID] = []
    reached = passed = 0
    # Nodes of clusters of one name stand among each other.
    for _name, alike in groupby(clusters, key=lambda cluster: cluster.name):
        members = list(alike)
        begins, reached = reached, reached + sum(cluster.figures.nodes_shown for cluster in members)
        if reached <= first:
            passed = reached
        elif begins < first + count:
            places.extend(cluster.id for cluster in members)
    # In their order, and each asked for itself: of thousands only the first ones are.
    shown = Slice.objects.filter(in_view(from_at), accelerator__node=OuterRef("id"))
    nodes = Node.objects.filter(Exists(shown), cluster__in=places).order_by("cluster__name", "name", "id")
    with own_floor(provider):
        return list(nodes.values_list("id", flat=True)[first - passed : first - passed + count])
