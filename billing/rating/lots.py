"""Lots: what was used at one price, before tiers, packages and allowances divide it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TypeVar

from billing.rating.billable import take
from billing.rating.quantities import ORDER, QUANTITIES
from billing.rating.rated import Price
from billing.rating.token_price_wording import Covers, TierTable, TokenPriceWording
from billing.rating.wording import Stretch

C = TypeVar("C", bound=Covers)


@dataclass(frozen=True, slots=True)
class Lot:
    """Units of one quantity of one model at one price: in one stretch, year, price version and tier of length.

    `moment` orders lots of different prices in time: (wording, year, version). `price_amount` is the price before
    `factor`, None where only a table of tiers or a package has one.
    """

    stretch: Stretch[TokenPriceWording]
    moment: tuple[int, int, int]
    version_id: str | None
    model: str
    quantity: str
    context_over: int
    factor: Fraction
    factor_names: str
    price_amount: Decimal | None
    mix: Mapping[str, int]
    from_at: datetime
    to_at: datetime

    @property
    def count(self) -> int:
        """How many units."""
        return sum(self.mix.values())

    @property
    def year(self) -> int:
        """Which year of the window the units were used in: 0 until the first anniversary inside it."""
        return self.moment[1]

    @property
    def weight(self) -> Fraction:
        """By which lots of one moment are ordered in a table, dearest first."""
        return self.factor * (1 if self.price_amount is None else Fraction(self.price_amount))

    @property
    def worth(self) -> Fraction:
        """What units of it come to at most: its price, that of its table's dearest tier, or its share of a package."""
        if self.price_amount is not None:
            return self.weight
        package = self._covering(self.stretch.wording.packages)
        if package is not None:
            return Fraction(package.amount_per_package) / package.units * QUANTITIES[self.quantity].units_per_price
        table = self._covering([table for table in self.stretch.wording.tiers if table.is_absolute])
        assert table is not None, (self.model, self.quantity)
        return self.factor * Fraction(max(tier.price or Decimal(0) for tier in table.tiers))

    def _covering(self, parts: Iterable[C]) -> C | None:
        return next((part for part in parts if part.covers(self.model, self.quantity)), None)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a lot and what it costs; `tier` numbers its tier from 1, 0 outside tables."""

    lot: Lot
    mix: Mapping[str, int]
    price: Price
    rule: str
    tier: int = 0


def order(lots: Iterable[Lot]) -> list[Lot]:
    """Put lots in the one order in which they fill tiers and packages.

    Prices change in time, so the moment is first. Within one the dearest come first: then more usage of anything never
    makes a bill smaller, where tiers fall and where they rise.
    """
    return sorted(lots, key=_place)


def dearest_first(lots: Iterable[Lot]) -> list[Lot]:
    """Put lots in the order in which they use up allowances: whatever the moment, so that most is free.

    Of those worth the same, as in a table.
    """
    return sorted(lots, key=lambda lot: (-lot.worth, *_place(lot)))


def _place(lot: Lot) -> tuple[object, ...]:
    about = (lot.model, ORDER[lot.quantity], lot.context_over, lot.factor_names)
    return (lot.moment, -lot.weight, *about, lot.version_id or "", lot.stretch.contract_version)


def covered(lots: Iterable[Lot], name: str, of: str) -> tuple[list[Lot], list[Lot]]:
    """Divide lots into those that the part `name` in the wording's list `of` covers, and the others."""
    inside: list[Lot] = []
    outside: list[Lot] = []
    for lot in lots:
        part = part_of(lot, name, of)
        (outside if part is None else inside).append(lot)
    return inside, outside


def part_of(lot: Lot, name: str, of: str) -> Covers | None:
    """Return the part of that name which covers a lot by the wording in force when it was used."""
    parts: Iterable[Covers] = getattr(lot.stretch.wording, of)
    return next((part for part in parts if part.name == name and part.covers(lot.model, lot.quantity)), None)


def names_of(stretches: Iterable[Stretch[TokenPriceWording]], of: str) -> list[str]:
    """Return the names of the parts in a list of any of the wordings, in the order in which they appear."""
    parts: list[Covers] = [part for stretch in stretches for part in getattr(stretch.wording, of)]
    return list(dict.fromkeys(part.name for part in parts))


def split(lot: Lot, count: int) -> tuple[Lot, Lot | None]:
    """Divide a lot into its first `count` units and the rest, None where nothing is left."""
    taken, rest = take(lot.mix, count)
    return replace(lot, mix=taken), replace(lot, mix=rest) if rest else None


@dataclass(slots=True)
class Positions:
    """How far counts have come, by name; those of a year begin anew at its anniversary."""

    at_start: Mapping[str, int]
    now: dict[str, int] = field(default_factory=dict)
    _years: dict[str, int] = field(default_factory=dict)

    def of(self, name: str, *, year: int, carried: bool) -> int:
        """Return the position of a count before the next lot; `carried` says whether periods before count."""
        if name not in self.now:
            self.now[name] = self.at_start.get(name, 0) if carried and not year else 0
            self._years[name] = year
        if self._years[name] != year:
            self.now[name], self._years[name] = 0, year
        return self.now[name]

    def at_end(self) -> dict[str, int]:
        """Return every count as the period leaves it: those that nothing was counted in are as they were."""
        return {**self.at_start, **self.now}

    def year_of(self, name: str) -> int:
        """Return the year of the window that a count is of."""
        return self._years.get(name, 0)


def groups(lots: Iterable[Lot], table_name: str) -> Iterator[tuple[tuple[str, str], list[Lot]]]:
    """Yield the lots that a table of tiers counts together, by (model, quantity) or, where it says so, all as one."""

    def key(lot: Lot) -> tuple[str, str]:
        table = part_of(lot, table_name, "tiers")
        assert isinstance(table, TierTable)
        return ("", "") if table.together else (lot.model, lot.quantity)

    for about, found in groupby(sorted(order(lots), key=key), key=key):
        yield about, list(found)
