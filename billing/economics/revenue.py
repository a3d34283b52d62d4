"""Where what was charged was earned: charges of a day placed on the GPU time and the tokens that they are for.

A charge for GPU time goes to its tenant's held time of that card model, so that a lease's rent stands beside the cost
of what ran on it. A charge for tokens goes to its tenant's tokens of that model. What fits nowhere (a minimum, a
discount, a reservation, tokens that no node is known to have made) stays a row of its own without a place, and is in
every sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from billing.economics.days import UseCost, share_amount
from billing.economics.uses import Use, UseKind
from billing.money import exact_sum
from billing.rating.credit import RULE_DRAWN
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.rated import Unit

UNPLACED = "unplaced"
NOT_EARNED = (*DEPOSIT_RULES, RULE_DRAWN)
"""Rows that are no price of anything: a deposit is held and goes back, and credit pays for what was earned."""


class Earned(NamedTuple):
    """What a tenant was charged on a day for one model (a served one, or a card) in one unit and currency."""

    tenant: str
    model: str
    unit: str
    currency: str
    amount: Decimal


class Place(NamedTuple):
    """A cluster's use, or no cluster ("") and the kind `UNPLACED`."""

    cluster: str
    kind: str
    tenant: str
    model: str
    currency: str


@dataclass(frozen=True, slots=True)
class _Spot:
    cluster: str
    use: Use
    weight: int


def place_revenue(earned: Iterable[Earned], costs: Mapping[str, Sequence[UseCost]]) -> dict[Place, Decimal]:
    """Return the amounts of a day by place; they sum to what was earned. `costs` are the day's uses by cluster."""
    found: dict[Place, list[Decimal]] = defaultdict(list)
    for one in earned:
        spots = _spots(one, costs)
        if not spots:
            found[Place("", UNPLACED, one.tenant, one.model, one.currency)].append(one.amount)
            continue
        parts = share_amount(one.amount, [spot.weight for spot in spots])
        for spot, part in zip(spots, parts, strict=True):
            place = Place(spot.cluster, spot.use.kind, one.tenant, spot.use.model, one.currency)
            found[place].append(part)
    return {place: exact_sum(parts) for place, parts in found.items()}


def _spots(one: Earned, costs: Mapping[str, Sequence[UseCost]]) -> list[_Spot]:
    if one.unit == Unit.AMOUNT:
        return []
    weighed = [
        _Spot(cluster, row.use, _weight(one, row))
        for cluster, rows in sorted(costs.items())
        for row in rows
        if row.use.tenant == one.tenant
    ]
    return [spot for spot in weighed if spot.weight]


def _weight(one: Earned, row: UseCost) -> int:
    if one.unit == Unit.GPU_SECONDS:
        return row.card_ms.get(one.model, 0) if row.use.kind is UseKind.HELD else 0
    return row.tokens.total if row.use.model == one.model else 0
