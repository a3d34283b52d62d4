"""A cluster's day: what each use cost, so that the uses sum to what the cluster cost, and what was earned with it.

The identity that always holds, to the last of 18 decimals: workload + idle + overhead = total, where workload and idle
are the cards, the rent and the energy of GPU time in use and not in use, and overhead is shared out by the same time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.economics.cost import CostRates, rates_at
from billing.economics.uses import NOBODY, NodeHour, Tokens, Use, Used, UseKind, uses_of
from billing.money import CHARGE_DECIMALS, largest_remainder_units

QUANTUM = 10**CHARGE_DECIMALS
IDLE = Use(UseKind.IDLE, NOBODY, NOBODY)


@dataclass(frozen=True, slots=True)
class UseCost:
    """What one use of a cluster took and cost over a day.

    `costed_ms` is the GPU time of cards with a known price and `metered_ms` that with metered energy: amounts are
    those of this time, and the rest is unknown. `energy_cost` is None where no energy was metered at all or nobody
    entered what power costs, `carbon_g`
    also where the grid's factor is not known for all of it.
    """

    use: Use
    gpu_ms: int
    costed_ms: int
    metered_ms: int
    energy_mj: int
    tokens: Tokens
    gpu_cost: Decimal
    energy_cost: Decimal | None
    overhead_cost: Decimal
    carbon_g: Decimal | None
    card_ms: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Sum:
    cards_ms: dict[str, int] = field(default_factory=dict)
    gpu_ms: int = 0
    costed_ms: int = 0
    metered_ms: int = 0
    energy_mj: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    powered: bool = False
    gpu: Fraction = Fraction(0)
    energy: Fraction = Fraction(0)
    overhead: Fraction = Fraction(0)
    carbon: Fraction | None = Fraction(0)


def cost_of_day(hours: Sequence[datetime], nodes: Iterable[NodeHour], rates: Sequence[CostRates]) -> list[UseCost]:
    """Return what each use of a cluster cost over some UTC hours; hours before the first rates cost an unknown amount.

    `hours` are all of the day's, also those in which no node stood there: rent and overhead run on, and are idle.
    """
    by_hour: dict[datetime, dict[Use, Used]] = {hour: {} for hour in hours}
    for node in nodes:
        _join(by_hour[node.hour_at], uses_of(node))
    sums: dict[Use, _Sum] = defaultdict(_Sum)
    for hour, uses in by_hour.items():
        _add_hour(sums, hour, uses, rates_at(rates, hour))
    costs = [_quantised([one.gpu for one in sums.values()]), _quantised([one.energy for one in sums.values()])]
    overheads = _quantised([one.overhead for one in sums.values()])
    rows = [
        UseCost(
            use=use,
            gpu_ms=one.gpu_ms,
            costed_ms=one.costed_ms,
            metered_ms=one.metered_ms,
            energy_mj=one.energy_mj,
            tokens=one.tokens,
            gpu_cost=gpu,
            energy_cost=energy if one.powered else None,
            overhead_cost=overhead,
            carbon_g=_grams(one.carbon) if (one.metered_ms or one.energy_mj) and one.carbon is not None else None,
            card_ms=dict(one.cards_ms),
        )
        for (use, one), gpu, energy, overhead in zip(sums.items(), *costs, overheads, strict=True)
    ]
    return sorted(rows, key=lambda row: row.use)


def share_amount(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """Share an amount of at most 18 decimals out by weights, to the last of them; the parts sum to it."""
    scaled = Fraction(amount) * QUANTUM
    assert scaled.denominator == 1, amount
    return [_unscaled(part) for part in largest_remainder_units(scaled.numerator, weights)]


def _join(into: dict[Use, Used], uses: Mapping[Use, Used]) -> None:
    for use, used in uses.items():
        one = into.setdefault(use, Used())
        for card, ms in used.gpu_ms.items():
            one.gpu_ms[card] = one.gpu_ms.get(card, 0) + ms
        one.energy_mj += used.energy_mj
        one.metered_ms += used.metered_ms
        one.tokens = one.tokens + used.tokens


def _add_hour(sums: dict[Use, _Sum], hour: datetime, uses: Mapping[Use, Used], rates: CostRates | None) -> None:
    whole_ms = sum(used.total_ms for used in uses.values())
    for use, used in uses.items():
        one = sums[use]
        one.gpu_ms += used.total_ms
        one.metered_ms += used.metered_ms
        one.energy_mj += used.energy_mj
        one.tokens = one.tokens + used.tokens
        for card, ms in used.gpu_ms.items():
            one.cards_ms[card] = one.cards_ms.get(card, 0) + ms
        if rates is not None:
            _add_cost(one, used, rates)
        elif used.energy_mj or used.metered_ms:
            one.carbon = None
    if rates is None:
        return
    rent, overhead = rates.rent_of_hour(hour), rates.overhead_of_hour(hour)
    shares = {use: Fraction(used.total_ms, whole_ms) for use, used in uses.items()} if whole_ms else {IDLE: Fraction(1)}
    for use, share in shares.items():
        sums[use].gpu += rent * share
        sums[use].overhead += overhead * share


def _add_cost(one: _Sum, used: Used, rates: CostRates) -> None:
    for card, ms in used.gpu_ms.items():
        per_ms = rates.gpu_per_ms(card)
        if per_ms is not None:
            one.gpu += per_ms * ms
            one.costed_ms += ms
    one.powered = one.powered or bool(used.metered_ms or used.energy_mj)
    one.energy += rates.energy_amount(used.energy_mj)
    carbon = rates.carbon_g(used.energy_mj)
    if carbon is None:
        one.carbon = one.carbon if used.energy_mj == 0 else None
    elif one.carbon is not None:
        one.carbon += carbon


def _quantised(amounts: Sequence[Fraction]) -> list[Decimal]:
    """Round amounts to 18 decimals so that they sum to their rounded sum."""
    total = round(sum(amounts, Fraction(0)) * QUANTUM)
    if not total:
        return [Decimal(0)] * len(amounts)
    return [_unscaled(part) for part in largest_remainder_units(total, amounts)]


def _grams(grams: Fraction) -> Decimal:
    return Decimal(round(grams * 10**6)).scaleb(-6)


def _unscaled(units: int) -> Decimal:
    sign, digits = (1 if units < 0 else 0), tuple(int(digit) for digit in str(abs(units)))
    return Decimal((sign, digits, -CHARGE_DECIMALS))
