"""What a provider's floor adds up to over a window, summed by the database: no row of it is read for each card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import BigIntegerField, Count, Exists, F, Func, Min, OuterRef, Q, Sum
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Greatest, Least

from billing.queries.occupancy import in_view, slices_in_view
from clusters.models import Allocation, Node, Slice
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


class _UnixSecond(Func):
    """The Unix second that an instant lies in, as `clusters.occupancy.unix_second` has it."""

    template = "floor(extract(epoch FROM %(expressions)s))::bigint"
    arity = 1
    output_field = BigIntegerField()


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
    slices = slices_in_view(organization, from_at, cluster_id)
    cards = slices.order_by().values("accelerator_id", node=F("accelerator__node_id")).distinct()
    rows = (
        Allocation.objects.filter(
            in_view(from_at, "slice__"),
            Q(to_at__isnull=True) | Q(to_at__gt=from_at),
            from_at__lt=to_at,
            **{f"slice__accelerator__node__{name}": value for name, value in place.items()},
        )
        .order_by()
        .values_list("tenant_id", "tenant__name")
        .annotate(
            share=Sum("slice__share_permille"),
            held_gpu_ms=Sum(F("slice__share_permille") * _seconds_within(from_at, to_at)),
            next_from_at=Min("from_at", filter=Q(from_at__gt=now)),
        )
    )
    with own_floor(organization):
        counted = cards.aggregate(nodes=Count("node", distinct=True), cards=Count("accelerator_id"))
        found = list(rows)
    found.sort(key=lambda row: (-row[2], row[1], row[0]))
    seconds = unix_second(to_at) - unix_second(from_at)
    return FloorSums(
        nodes=counted["nodes"],
        occupancy=Occupancy(sum(int(row[3]) for row in found), counted["cards"] * WHOLE_PERMILLE * seconds),
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


def _seconds_within(from_at: datetime, to_at: datetime) -> CombinedExpression:
    """The whole seconds of a hold within a window that it touches, as `clusters.occupancy.clip` counts them."""
    end, start = Least(Coalesce(F("to_at"), to_at), to_at), Greatest(F("from_at"), from_at)
    return CombinedExpression(_UnixSecond(end), CombinedExpression.SUB, _UnixSecond(start))
