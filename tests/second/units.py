"""Prices by the unit, one unit at a time, by `docs/rating.md`: no totals, no lots, no shortcuts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tests.second.given import END, START

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tests.second.given import GivenContract, GivenTerm, GivenUse, GivenVersion

PARTS: Final = {"cached_input": "input", "reasoning": "output"}
NEED_NO_PRICE: Final = ("requests",)
PER: Final = {"images": 1, "steps": 1, "requests": 1}
MILLION: Final = 1_000_000
ORDER: Final = ("input", "cached_input", "cache_write", "output", "reasoning", "requests", "images", "steps")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass
class Unit:
    """One token, image, step or request with its price for `per` of them; `paid` says what it comes to, once known."""

    model: str
    quantity: str
    moment: tuple[int, int]
    document: dict[str, Any]
    price: Decimal | None
    factor: Decimal
    per: int
    paid: Fraction | None = None


@dataclass
class Priced:
    """What a term comes to: amounts by (model, quantity), and how many units wait for a price."""

    amounts: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    unpriced: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def total(self) -> Fraction:
        """What is owed."""
        return sum(self.amounts.values(), Fraction(0))


def price_term(contract: GivenContract, term: GivenTerm) -> Priced:
    """Price everything that was used under a term."""
    priced = Priced()
    units = [unit for use in term.uses for unit in _units(contract, term, use, priced)]
    _allow(term, units)
    _fill_packages(units, priced)
    _fill_tables(units)
    for unit in units:
        about = (unit.model, unit.quantity)
        assert unit.price is not None or unit.paid is not None
        paid = Fraction(_round((unit.price or Decimal(0)) * unit.factor)) / unit.per if unit.paid is None else unit.paid
        priced.amounts[about] = priced.amounts.get(about, Fraction(0)) + paid
    return priced


def _wording_number(term: GivenTerm, place: int) -> int:
    """Adjoining stretches that say the same are one."""
    number = 0
    for before, after in zip(term.stretches[:place], term.stretches[1 : place + 1], strict=True):
        number += before[2] != after[2]
    return number


def _units(contract: GivenContract, term: GivenTerm, use: GivenUse, priced: Priced) -> list[Unit]:
    place = next(place for place, (from_at, to_at, _) in enumerate(term.stretches) if from_at <= use.from_at < to_at)
    document = term.stretches[place][2]
    started = [version for version in contract.versions if version.effective_at <= use.from_at]
    version = started[-1] if started else None
    counts = {name: count for name, count in use.counts.items() if count}
    apart = {name: _priced_apart(document, use.model, name) for name in (*counts, *PARTS)}
    prices = {name: _price(document, version, use, name) for name in (*counts, *PARTS)}
    for part, whole in PARTS.items():
        if part in counts and prices[part] is None and not apart[part]:
            del counts[part]
        elif part in counts:
            counts[whole] -= counts[part]
    factor = _factor(contract, document, version, use)
    found = []
    for name, count in counts.items():
        if name in document.get("not_billed", []) or not count:
            continue
        price = None if apart[name] else prices[name]
        if price is None and not apart[name]:
            if name not in NEED_NO_PRICE:
                about = (use.model, name)
                priced.unpriced[about] = priced.unpriced.get(about, 0) + count
            continue
        is_own = any((own["model"], own["quantity"]) == (use.model, name) for own in document.get("prices", []))
        moment = (_wording_number(term, place), 0 if is_own or price is None else len(started))
        per = PER.get(name, MILLION)
        found += [Unit(use.model, name, moment, document, price, factor, per) for _ in range(count)]
    return found


def _priced_apart(document: dict[str, Any], model: str, name: str) -> bool:
    """Whether a package or a table of prices covers it: then it needs no other price."""
    tables = [table for table in document.get("tiers", []) if "price" in table["tiers"][0]]
    return any(_covers(part, model, name) for part in (*tables, *document.get("packages", [])))


def _price(document: dict[str, Any], version: GivenVersion | None, use: GivenUse, name: str) -> Decimal | None:
    """The contract's own price, else the book's: of each the one with the greatest threshold not above the band."""
    own = {
        price.get("context_over", 0): price["price"]
        for price in document.get("prices", [])
        if (price["model"], price["quantity"]) == (use.model, name)
    }
    book = (
        {}
        if version is None
        else {
            over: price
            for (model, quantity, over), price in version.prices.items()
            if (model, quantity) == (use.model, name)
        }
    )
    for table in (own, book):
        reached = [over for over in table if over <= use.band]
        if reached:
            return Decimal(table[max(reached)])
    return None


def _factor(contract: GivenContract, document: dict[str, Any], version: GivenVersion | None, use: GivenUse) -> Decimal:
    factor = Decimal(1)
    own = {each["mark"]: each["factor"] for each in document.get("multipliers", [])}
    book = {} if version is None else version.factors
    for mark in filter(None, use.marks.split("+")):
        factor *= Decimal(own.get(mark) or book.get((use.model, mark)) or book.get(("", mark)) or "1")
    for window in document.get("off_peak", []):
        if _within(window, use.from_at.astimezone(ZoneInfo(contract.zone))):
            factor *= Decimal(window["factor"])
    return factor


def _within(window: dict[str, Any], local: datetime) -> bool:
    """Whether a local time is in a window; one over midnight belongs to the day on which it begins."""
    at, today = f"{local:%H:%M}", DAYS[local.weekday()]
    yesterday = DAYS[local.weekday() - 1]
    days = window["days"] or DAYS
    if window["from_local"] < window["to_local"]:
        return today in days and window["from_local"] <= at < window["to_local"]
    return (today in days and at >= window["from_local"]) or (yesterday in days and at < window["to_local"])


def _round(price: Decimal) -> Decimal:
    return price.quantize(Decimal(1).scaleb(-18), ROUND_HALF_EVEN)


def _covers(part: dict[str, Any], model: str, quantity: str) -> bool:
    return quantity in part["quantities"] and (not part.get("models") or model in part["models"])


def _part(unit: Unit, kind: str) -> dict[str, Any] | None:
    """The table, package or allowance of the unit's own wording that covers it and was not there before."""
    if unit.paid is not None:
        return None
    parts = unit.document.get(kind, [])
    return next((part for part in parts if _covers(part, unit.model, unit.quantity)), None)


def _by_name(units: Sequence[Unit], kind: str) -> dict[str, list[Unit]]:
    """Parts of one name are one through all wordings of a period."""
    found: dict[str, list[Unit]] = {}
    for unit in units:
        part = _part(unit, kind)
        if part is not None:
            found.setdefault(part["name"], []).append(unit)
    return found


def _worth(unit: Unit) -> Fraction:
    """What `per` units come to at most: at their price, by their package, or in the dearest tier of their table."""
    if unit.price is not None:
        return Fraction(unit.price) * Fraction(unit.factor)
    package = _part(unit, "packages")
    if package is not None:
        worth: Fraction = Fraction(Decimal(package["amount_per_package"])) / package["units"] * unit.per
        return worth
    table = _part(unit, "tiers")
    assert table is not None
    dearest = max(Decimal(tier["price"]) for tier in table["tiers"])
    return Fraction(dearest) * Fraction(unit.factor)


def _weight(unit: Unit) -> Fraction:
    """By which units of one moment fill a table: where tiers have prices, the factor alone decides."""
    return Fraction(unit.factor) * (1 if unit.price is None else Fraction(unit.price))


def _name(unit: Unit) -> tuple[object, ...]:
    """The last to decide, so that nothing depends on the order in which usage comes."""
    return (unit.model, ORDER.index(unit.quantity))


def _allow(term: GivenTerm, units: Sequence[Unit]) -> None:
    """The dearest units of a period are free: as many as the wordings give, each for its seconds of the period."""
    whole = int((END - START).total_seconds())
    for name, covered in _by_name(units, "allowances").items():
        given = 0
        for from_at, to_at, document in term.stretches:
            for allowance in document.get("allowances", []):
                if allowance["name"] == name:
                    given += allowance["units_per_period"] * int((to_at - from_at).total_seconds())
        ordered = sorted(covered, key=lambda unit: (-_worth(unit), unit.moment, -_weight(unit), *_name(unit)))
        for unit in ordered[: given // whole]:
            unit.paid = Fraction(0)


def _fill_packages(units: Sequence[Unit], priced: Priced) -> None:
    """What a package covers costs nothing; a package costs its amount as it is begun: when the last is used up."""
    for name, covered in _by_name(units, "packages").items():
        room = 0
        for unit in sorted(covered, key=lambda unit: unit.moment[0]):
            package = _part(unit, "packages")
            assert package is not None
            if not room:
                room = package["units"]
                amount = Fraction(Decimal(package["amount_per_package"]))
                priced.amounts["", name] = priced.amounts.get(("", name), Fraction(0)) + amount
            room -= 1
            unit.paid = Fraction(0)


def _fill_tables(units: Sequence[Unit]) -> None:
    """Units fill a table in the order of the moments of their prices, of one moment the dearest first."""
    for covered in _by_name(units, "tiers").values():
        groups: dict[tuple[str, str], list[Unit]] = {}
        for unit in covered:
            table = _part(unit, "tiers")
            assert table is not None
            groups.setdefault(("", "") if table["together"] else (unit.model, unit.quantity), []).append(unit)
        for group in groups.values():
            ordered = sorted(group, key=lambda unit: (unit.moment, -_weight(unit), *_name(unit)))
            for position, unit in enumerate(ordered, 1):
                unit.paid = _in_tier(unit, position, len(ordered))


def _in_tier(unit: Unit, position: int, count: int) -> Fraction:
    table = _part(unit, "tiers")
    assert table is not None
    reached = count if table["mode"] == "volume" else position
    tier = next(tier for tier in table["tiers"] if tier["up_to"] is None or reached <= tier["up_to"])
    if "price" in tier:
        return Fraction(_round(Decimal(tier["price"]) * unit.factor)) / unit.per
    assert unit.price is not None
    return Fraction(_round(unit.price * unit.factor * Decimal(tier["percent"]) / 100)) / unit.per
