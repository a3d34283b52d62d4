"""Who holds which of a provider's slices over a window: nodes, cards, slices and their leases."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.terms import gpu_hour_price, terms_by_id
from clusters.models import Allocation, Slice
from clusters.occupancy import Hold, Occupancy, occupancy
from clusters.own_floor import own_floor
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A slice held over `[from_at, to_at)`; lease and contract are empty for an allocation without a lease."""

    tenant: str
    tenant_id: UUID
    from_at: datetime
    to_at: datetime | None
    lease: str
    contract: str
    currency: str
    price_per_gpu_hour: Decimal | None


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice with who holds it within the window, in order of time."""

    id: UUID
    kind: str
    label: str
    profile: str
    share_permille: int
    retired_at: datetime | None
    holds: tuple[HoldRow, ...]


@dataclass(frozen=True, slots=True)
class CardRow:
    """One physical card."""

    id: UUID
    uuid: str
    model: str
    position: int
    slices: tuple[SliceRow, ...]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One server with its cards."""

    id: UUID
    name: str
    cluster: str
    cards: tuple[CardRow, ...]
    occupancy: Occupancy


@dataclass(frozen=True, slots=True)
class OccupancyView:
    """A provider's floor over `[from_at, to_at)`."""

    from_at: datetime
    to_at: datetime
    nodes: tuple[NodeRow, ...]
    occupancy: Occupancy


def in_view(from_at: datetime, path: str = "") -> Q:
    """Which slices, at the end of a path of relations, a window from `from_at` on shows."""
    stays = Q()
    for retired in (f"{path}retired_at", f"{path}accelerator__retired_at"):
        stays &= Q(**{f"{retired}__isnull": True}) | Q(**{f"{retired}__gt": from_at})
    return stays


def slices_in_view(organization: Organization, from_at: datetime, cluster_id: UUID | None = None) -> QuerySet[Slice]:
    """Return the slices of a provider that a window from `from_at` on shows: what was retired before is left out."""
    slices = Slice.objects.filter(in_view(from_at), accelerator__node__cluster__provider=organization)
    return slices if cluster_id is None else slices.filter(accelerator__node__cluster_id=cluster_id)


def occupancy_view(
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    *,
    cluster_id: UUID | None = None,
    node_ids: Collection[UUID] | None = None,
) -> OccupancyView:
    """Return who holds what of a provider's cards, or of those of some nodes; four queries, whatever their number.

    Retired cards are left out. What a page sums over all nodes is in `billing.queries.occupancy_sums`.
    """
    slices = slices_in_view(organization, from_at, cluster_id).select_related("accelerator__node__cluster")
    if node_ids is not None:
        slices = slices.filter(accelerator__node__in=node_ids)
    ordered = slices.order_by(
        "accelerator__node__cluster__name",
        "accelerator__node__name",
        "accelerator__node",
        "accelerator__position",
        "label",
        "pk",
    )
    by_node: dict[UUID, list[Slice]] = defaultdict(list)
    with own_floor(organization):
        for held in ordered:
            by_node[held.accelerator.node_id].append(held)
        # Of nodes that are named their slices are; of a whole floor the database finds them again.
        of_slices = slices_in_view(organization, from_at, cluster_id).values("pk")
        named = [held.id for members in by_node.values() for held in members]
        holds = _holds(of_slices if node_ids is None else named, from_at, to_at)
    nodes = tuple(_node_row(members, holds, from_at, to_at) for members in by_node.values())
    return OccupancyView(
        from_at=from_at,
        to_at=to_at,
        nodes=nodes,
        occupancy=Occupancy(
            sum(node.occupancy.held_gpu_ms for node in nodes),
            sum(node.occupancy.capacity_gpu_ms for node in nodes),
        ),
    )


def _holds(slices: Any, from_at: datetime, to_at: datetime) -> dict[UUID, list[HoldRow]]:
    """Who holds what of some slices over the window, by slice."""
    allocations = Allocation.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at), from_at__lt=to_at, slice__in=slices
    )
    term = "term_allocation__term"
    rows = allocations.order_by("slice_id", "from_at").values_list(
        "slice_id",
        "tenant__name",
        "tenant_id",
        "from_at",
        "to_at",
        f"{term}__ref",
        f"{term}__contract__number",
        f"{term}__contract__currency",
        f"{term}_id",
    )
    terms = terms_by_id({row[-1] for row in rows if row[-1] is not None})
    found: dict[UUID, list[HoldRow]] = defaultdict(list)
    # All slices of a lease begin together: what it says then is read once, not once for each slice.
    prices: dict[tuple[UUID, datetime], Decimal | None] = {}
    for slice_id, tenant, tenant_id, start, end, ref, contract, currency, term_id in rows:
        price = None
        if term_id is not None:
            key = (term_id, max(start, from_at))
            if key not in prices:
                prices[key] = gpu_hour_price(terms[term_id], key[1])
            price = prices[key]
        hold = HoldRow(tenant, tenant_id, start, end, ref or "", contract or "", currency or "", price)
        found[slice_id].append(hold)
    return found


def _node_row(slices: list[Slice], holds: dict[UUID, list[HoldRow]], from_at: datetime, to_at: datetime) -> NodeRow:
    by_card: dict[UUID, list[Slice]] = defaultdict(list)
    for held in slices:
        by_card[held.accelerator_id].append(held)
    cards = tuple(_card_row(members, holds) for members in by_card.values())
    node = slices[0].accelerator.node
    held_spans = [
        Hold(str(held.id), held.share_permille, hold.from_at, hold.to_at)
        for held in slices
        for hold in holds.get(held.id, ())
    ]
    return NodeRow(node.id, node.name, node.cluster.name, cards, occupancy(held_spans, len(cards), from_at, to_at))


def _card_row(slices: list[Slice], holds: dict[UUID, list[HoldRow]]) -> CardRow:
    card = slices[0].accelerator
    return CardRow(
        id=card.id,
        uuid=card.uuid,
        model=card.model,
        position=card.position,
        slices=tuple(
            SliceRow(
                id=held.id,
                kind=held.kind,
                label=held.label,
                profile=held.profile,
                share_permille=held.share_permille,
                retired_at=held.retired_at,
                holds=tuple(holds.get(held.id, ())),
            )
            for held in slices
        ),
    )
