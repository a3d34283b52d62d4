"""What a provider's floor adds up to over a window, summed by the database: no row of it is read for each card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, Sum

from billing.queries.occupancy import in_view
from clusters.models import Accelerator, Allocation, Node, Slice
from clusters.occupancy import WHOLE_PERMILLE, Occupancy, unix_second
from clusters.own_floor import own_floor

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

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

    `holders` come with those that hold the most first; `next_from_at` is the first beginning after the instant asked.
    """

    nodes: int
    occupancy: Occupancy
    holders: tuple[Holder, ...]
    next_from_at: datetime | None


# What is held from one instant to another is added up before its seconds are counted: a lease of many cards is once.
# Of a window it holds whole seconds, as `clusters.occupancy.clip` counts them.
HOLDERS: Final = """
    SELECT held.tenant_id, tenant.name, sum(held.share)::bigint, sum(held.share * (
            floor(extract(epoch FROM least(coalesce(held.to_at, %s), %s)))::bigint
            - floor(extract(epoch FROM greatest(held.from_at, %s)))::bigint
        ))::numeric, min(held.from_at) FILTER (WHERE held.from_at > %s)
    FROM ({held}) AS held JOIN tenants_organization tenant ON tenant.id = held.tenant_id
    GROUP BY held.tenant_id, tenant.name
"""


def floor_sums(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    *,
    now: datetime,
    cluster_id: UUID | None = None,
) -> FloorSums:
    """Return what `occupancy_view` over the same window adds up to, and what begins next after `now`; two queries."""
    place = {"cluster__provider": organization, **({"cluster": cluster_id} if cluster_id else {})}
    in_place = {f"node__{name}": value for name, value in place.items()}
    stays = Q(retired_at__isnull=True) | Q(retired_at__gt=from_at)  # of a slice and of its card, as `in_view` has it
    shown = Exists(Slice.objects.filter(stays, accelerator=OuterRef("id")))
    cards = Accelerator.objects.filter(stays, shown, **in_place).order_by().values("node_id")
    held = (
        Allocation.objects.filter(
            in_view(from_at, "slice__"),
            Q(to_at__isnull=True) | Q(to_at__gt=from_at),
            from_at__lt=to_at,
            **{f"slice__accelerator__{name}": value for name, value in in_place.items()},
        )
        .order_by()
        .values("tenant_id", "from_at", "to_at")
        .annotate(share=Sum("slice__share_permille"))
    )
    query, values = held.query.sql_with_params()
    with own_floor(organization), connection.cursor() as cursor:
        counted = cards.annotate(cards=Count("id")).aggregate(nodes=Count("node_id"), all_cards=Sum("cards", default=0))
        cursor.execute(HOLDERS.format(held=query), [to_at, to_at, from_at, now, *values])
        found = cursor.fetchall()
    found.sort(key=lambda row: (-row[2], row[1], row[0]))
    seconds = unix_second(to_at) - unix_second(from_at)
    return FloorSums(
        nodes=counted["nodes"],
        occupancy=Occupancy(sum(int(row[3]) for row in found), int(counted["all_cards"]) * WHOLE_PERMILLE * seconds),
        holders=tuple(Holder(*row[:3]) for row in found),
        next_from_at=min((row[4] for row in found if row[4] is not None), default=None),
    )


def nodes_in_view(
    organization: Organization, from_at: datetime, *, cluster_id: UUID | None = None, first: int = 0, count: int
) -> list[UUID]:
    """Return `count` nodes of a floor after its `first` ones, in the order in which `occupancy_view` has them."""
    # In their order, and each asked for itself: of thousands only the first ones are.
    shown = Slice.objects.filter(in_view(from_at), accelerator__node=OuterRef("id"))
    place = {"cluster__provider": organization, **({"cluster": cluster_id} if cluster_id else {})}
    nodes = Node.objects.filter(Exists(shown), **place).order_by("cluster__name", "name", "id")
    with own_floor(organization):
        return list(nodes.values_list("id", flat=True)[first : first + count])
