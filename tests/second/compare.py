"""One contract through both: the engine's basis from the same plain data, and what differs."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from billing.basis import PeriodBasis, rate
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.kinds import read_any_wording
from billing.rating.wording import Stretch
from tests.second.given import END, START
from tests.second.units import price_term

if TYPE_CHECKING:
    from tests.second.given import GivenContract, GivenTerm, GivenVersion

CLASSES = tuple(map(str, TokenClass))


def differences(contract: GivenContract) -> list[str]:
    """Return where the two do not agree on a contract: amounts exactly, and what waits for a price."""
    rated = rate(basis_of(contract))
    found: list[str] = []
    for term in contract.terms:
        if term.stretches[0][2]["kind"] != "token_price":
            continue
        second = price_term(contract, term)
        total = sum((line.exact for line in rated.lines if line.term_ref == term.ref), Fraction(0))
        waiting: dict[tuple[str, str], int] = defaultdict(int)
        for each in rated.unpriced:
            waiting[each.model, each.token_class] += int(each.quantity) * (each.term_ref == term.ref)
        if total != second.total:
            found.append(f"{term.ref}: {total} and {second.total}: {second.amounts}")
        if {about: units for about, units in waiting.items() if units} != second.unpriced:
            found.append(f"{term.ref}: waiting {dict(waiting)} and {second.unpriced}")
    return found


def basis_of(contract: GivenContract) -> PeriodBasis:
    """Return a contract as the engine takes it."""
    versions = tuple(map(_version, contract.versions))
    window = RatingWindow(contract.currency, contract.zone, START, END, END, versions)
    return PeriodBasis("C-1", 1, window, tuple(map(_term, contract.terms)))


def _version(given: GivenVersion) -> PriceVersion:
    tokens: dict[Any, Decimal] = {}
    tiers: dict[Any, Decimal] = {}
    units: dict[Any, Decimal] = {}
    for (model, quantity, over), price in given.prices.items():
        if quantity not in CLASSES:
            units[model, quantity] = Decimal(price)
        elif over:
            tiers[model, TokenClass(quantity), over] = Decimal(price)
        else:
            tokens[model, TokenClass(quantity)] = Decimal(price)
    factors = {about: Decimal(factor) for about, factor in given.factors.items()}
    return PriceVersion(given.name, given.effective_at, tokens, tier_prices=tiers, unit_prices=units, factors=factors)


def _term(given: GivenTerm) -> TermInput:
    stretches = tuple(
        Stretch(number, from_at, to_at, read_any_wording(document))
        for number, (from_at, to_at, document) in enumerate(given.stretches, 1)
    )
    usage = tuple(
        Used("d-1", use.model, quantity, "A", use.from_at, use.from_at + timedelta(hours=1), count, use.band, use.marks)
        for use in given.uses
        for quantity, count in use.counts.items()
    )
    return TermInput(given.ref, given.ref, given.from_at, None, stretches, usage=usage)
