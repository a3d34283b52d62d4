"""What an organization may know of free capacity: how much, from when on, and at what price; never who holds what."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from billing.models import Contract, ContractState
from billing.price_versions import load_versions
from billing.rating.versions import version_in_force
from clusters.capacity import Wish, earliest_start, models_of, require_model, rooms
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class CapacityAnswer:
    """Whether a wish can be met, and if not, when. `nodes` is how many nodes it takes at least, 0 where it cannot be.

    `price_per_gpu_hour` is the price in force by the contract asked for, None without one or without a price.
    """

    wish: Wish
    free: int
    enough: bool
    nodes: int
    earliest_start: datetime | None
    price_per_gpu_hour: Decimal | None
    currency: str


def open_contracts(organization: Organization, now: datetime) -> list[Contract]:
    """Return the contracts under which an organization may take capacity now, or gives it, by number; one query."""
    running = Contract.objects.for_org(organization).filter(state=ContractState.ACTIVE)
    still = running.filter(Q(to_at__isnull=True) | Q(to_at__gt=now))
    return list(still.select_related("provider", "tenant", "price_book").order_by("number"))


def capacity_answer(wish: Wish, contracts: Iterable[Contract], now: datetime) -> CapacityAnswer:
    """Answer a wish over the providers of some contracts; with one contract also its price.

    Raises `WrongWish`.
    """
    wish.check()
    chosen = list(contracts)
    providers = {contract.provider_id for contract in chosen}
    found = rooms(wish, provider_ids=providers)
    free = sum(room.free for room in found)
    if providers and not free:
        require_model(wish, provider_ids=providers)
    enough = free >= wish.count
    start = wish.from_at if enough else earliest_start(wish, provider_ids=providers)
    alone = chosen[0] if len(chosen) == 1 else None
    return CapacityAnswer(
        wish=wish,
        free=free,
        enough=enough,
        nodes=_nodes([room.free for room in found], wish.count) if enough else 0,
        earliest_start=start,
        price_per_gpu_hour=price_in_force(alone.price_book_id, wish.model, now) if alone else None,
        currency=alone.currency if alone else "",
    )


def offered_models(contracts: Iterable[Contract]) -> list[tuple[str, str, str]]:
    """Return what the providers of some contracts have to let: (card model, kind, MIG profile or thousandths)."""
    return models_of({contract.provider_id for contract in contracts})


def price_in_force(book_id: UUID | None, model: str, at: datetime) -> Decimal | None:
    """Return a book's price per GPU-hour of a card at an instant, None where there is no book or no price."""
    if book_id is None:
        return None
    versions = load_versions(book_ids=[book_id], from_at=at, to_at=at).get(book_id, ())
    version = version_in_force(versions, at)
    return version.price_per_gpu_hour(model) if version else None


def _nodes(rooms_by_size: list[int], count: int) -> int:
    """Return how many nodes it takes at least; rooms come with the fullest first."""
    for nodes, _ in enumerate(rooms_by_size, 1):
        if sum(rooms_by_size[:nodes]) >= count:
            return nodes
    return 0
