"""Tiers, packages and free allowances: dividing lots by how much was used before them.

A table goes through its lots in one order (`lots.order`), so neither the order nor the grain of usage matters. Counts
of a year or of the term's life go on from what the period before handed over.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.money import to_charge
from billing.rating.lots import Lot, Piece, Positions, covered, dearest_first, groups, order, part_of, split
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import Price, line_key
from billing.rating.token_price_wording import Allowance, Package, Span, Tier, TierMode, TierTable

RULE_GRADUATED = "token_price_tier"
RULE_VOLUME = "token_price_volume"
RULE_ALLOWANCE = "token_price_allowance"
RULE_PACKAGED = "token_price_packaged"
RULE_PACKAGE = "token_price_package"

TIER_POSITION = "tier_position"
PACKAGE_LEFT = "package_left"


@dataclass(frozen=True, slots=True)
class Begun:
    """Packages that were begun: how many, with the first and the last of the lots that they are for."""

    package: Package
    year: int
    count: int
    first: Lot
    last: Lot


def free_units(lots: Iterable[Lot], name: str, units: int) -> tuple[list[Piece], list[Lot]]:
    """Take `units` of an allowance off lots that it covers, and return the free pieces and what is left."""
    inside, left = covered(lots, name, "allowances")
    free: list[Piece] = []
    for lot in dearest_first(inside):
        part: Lot | None = lot
        if units:
            taken, part = split(lot, min(units, lot.count))
            units -= taken.count
            free.append(Piece(lot, taken.mix, _free(lot), RULE_ALLOWANCE))
        left += [part] if part else []
    return free, left


def fill_packages(lots: Iterable[Lot], name: str, positions: Positions) -> tuple[list[Piece], list[Begun], list[Lot]]:
    """Put lots into packages of a name: return their pieces, the packages begun for them, and the other lots."""
    inside, left = covered(lots, name, "packages")
    key = line_key(PACKAGE_LEFT, name)
    begun: dict[tuple[int, int], Begun] = {}
    pieces: list[Piece] = []
    for lot in order(inside):
        package = part_of(lot, name, "packages")
        assert isinstance(package, Package)
        year = lot.year if package.span is Span.YEAR else 0
        room = positions.of(key, year=year, carried=package.span is not Span.PERIOD)
        count = -(-max(0, lot.count - room) // package.units)
        positions.now[key] = room + count * package.units - lot.count
        pieces.append(Piece(lot, lot.mix, _free(lot), RULE_PACKAGED))
        about = (lot.moment[0], year)
        if count:
            before = begun.get(about)
            total = count + (before.count if before else 0)
            begun[about] = Begun(package, year, total, before.first if before else lot, lot)
    return pieces, list(begun.values()), left


def fill_tiers(lots: Iterable[Lot], name: str, positions: Positions) -> tuple[list[Piece], list[Lot]]:
    """Price lots by the table of a name, and return their pieces and the lots that it does not cover."""
    inside, left = covered(lots, name, "tiers")
    pieces: list[Piece] = []
    for about, found in groups(inside, name):
        key = line_key(TIER_POSITION, name, *about)
        totals = Counter[int]()
        for lot in found:
            totals[_year(lot, name)] += lot.count
        for lot in found:
            table, year = _table(lot, name), _year(lot, name)
            position = positions.of(key, year=year, carried=table.span is not Span.PERIOD)
            if table.mode is TierMode.VOLUME:
                # What lies before this lot and what comes from it on is the whole of the span.
                pieces.append(_piece(lot, table, _tier_at(table, position + totals[year] - 1)))
            else:
                pieces += _graduated(lot, table, position)
            positions.now[key] = position + lot.count
            totals[year] -= lot.count
    return pieces, left


def unit_price(lot: Lot, amount: Decimal, percent: Decimal | None = None) -> Price:
    """Return a price of a lot's quantity times its factor and a percentage, rounded to 18 decimals."""
    quantity = QUANTITIES[lot.quantity]
    if lot.factor == 1 and percent is None:
        return quantity.price(amount)
    return quantity.price(
        to_charge(Fraction(amount) * lot.factor * Fraction(100 if percent is None else percent) / 100)
    )


def _free(lot: Lot) -> Price:
    return QUANTITIES[lot.quantity].price(Decimal(0))


def _table(lot: Lot, name: str) -> TierTable:
    table = part_of(lot, name, "tiers")
    assert isinstance(table, TierTable)
    return table


def _year(lot: Lot, name: str) -> int:
    return lot.year if _table(lot, name).span is Span.YEAR else 0


def _tier_at(table: TierTable, position: int) -> int:
    """Return which tier the unit with so many before it lies in."""
    return next(index for index, tier in enumerate(table.tiers) if tier.up_to is None or position < tier.up_to)


def _graduated(lot: Lot, table: TierTable, position: int) -> Iterable[Piece]:
    rest: Lot | None = lot
    while rest is not None:
        index = _tier_at(table, position)
        end = table.tiers[index].up_to
        inside, rest = split(rest, rest.count if end is None else min(rest.count, end - position))
        position += inside.count
        yield _piece(inside, table, index)


def _piece(lot: Lot, table: TierTable, index: int) -> Piece:
    rule = RULE_VOLUME if table.mode is TierMode.VOLUME else RULE_GRADUATED
    return Piece(lot, lot.mix, _tier_price(lot, table.tiers[index]), rule, index + 1)


def _tier_price(lot: Lot, tier: Tier) -> Price:
    if tier.price is not None:
        return unit_price(lot, tier.price)
    assert lot.price_amount is not None
    return unit_price(lot, lot.price_amount, tier.percent)


def in_turn(
    names: Sequence[str], lots: list[Lot], step: Callable[[list[Lot], str], tuple[list[Piece], list[Lot]]]
) -> tuple[list[Piece], list[Lot]]:
    """Take lots through a step for every name; each lot is in one at most, since parts of a wording do not overlap."""
    pieces: list[Piece] = []
    for name in names:
        found, lots = step(lots, name)
        pieces += found
    return pieces, lots


def allowed_units(stretches: Iterable[tuple[int, Iterable[Allowance]]], name: str, seconds_per_period: int) -> int:
    """Return the units of an allowance, prorated by the seconds of each stretch in the period and rounded down."""
    whole = sum(
        seconds * allowance.units_per_period
        for seconds, allowances in stretches
        for allowance in allowances
        if allowance.name == name
    )
    return whole // seconds_per_period
