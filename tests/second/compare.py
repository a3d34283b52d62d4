"""One contract through both: the engine's basis from the same plain data, and what differs."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec

from billing.basis import PeriodBasis, rate
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.kinds import read_any_wording, read_fact
from billing.rating.wording import Stretch
from clusters.occupancy import Hold
from tests.second.discounts import take_off
from tests.second.given import END, START
from tests.second.shares import price_share
from tests.second.slots import price_lease, price_on_demand, price_storage
from tests.second.units import price_term

if TYPE_CHECKING:
    from tests.second.discounts import About
    from tests.second.given import GivenContract, GivenTerm, GivenVersion

TIMED = {"lease": price_lease, "on_demand": price_on_demand, "storage": price_storage}
ROUNDED = Fraction(1, 10**15)
"""What amounts that are rounded as charges are may lose: discounts, and time that was the provider's fault."""
CLASSES = tuple(map(str, TokenClass))


def differences(contract: GivenContract) -> list[str]:
    """Return where the two do not agree on a contract: amounts, and what waits for a price."""
    rated = rate(basis_of(contract))
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for line in rated.lines:
        totals[line.term_ref] += line.exact
    waiting: dict[str, Fraction] = defaultdict(Fraction)
    for each in rated.unpriced:
        waiting[each.term_ref] += Fraction(each.quantity)
    found: list[str] = []
    amounts: dict[About, Fraction] = {}
    for term in contract.terms:
        kind = term.stretches[0][2]["kind"]
        if kind in TIMED:
            timed = TIMED[kind](contract, term)
            amounts[term.ref, "", ""] = timed.total
            unpriced = timed.unpriced
        elif kind == "token_price":
            priced = price_term(contract, term)
            amounts |= {(term.ref, *about): amount for about, amount in priced.amounts.items()}
            unpriced = Fraction(sum(priced.unpriced.values()))
        elif kind == "token_share":
            amounts[term.ref, "", ""], tokens = price_share(contract, term)
            unpriced = Fraction(tokens)
        else:
            continue
        total = sum((amount for (ref, *_), amount in amounts.items() if ref == term.ref), Fraction(0))
        found += _differing(term.ref, totals[term.ref], total)
        found += _differing(f"{term.ref} waiting", waiting[term.ref], unpriced)
    for ref, taken in take_off(contract, amounts).items():
        found += _differing(ref, totals[ref], taken)
    return found


def _differing(what: str, engine: Fraction, second: Fraction) -> list[str]:
    return [f"{what}: {float(engine)} and {float(second)}"] if abs(engine - second) > ROUNDED else []


def basis_of(contract: GivenContract) -> PeriodBasis:
    """Return a contract as the engine takes it."""
    versions = tuple(map(_version, contract.versions))
    window = RatingWindow(contract.currency, contract.zone, START, END, END, versions)
    return PeriodBasis("C-1", 1, window, tuple(map(_term, contract.terms)))


def _version(given: GivenVersion) -> PriceVersion:
    tokens: dict[Any, Decimal] = {}
    tiers: dict[Any, Decimal] = {}
    units: dict[Any, Decimal] = {}
    cards: dict[str, Decimal] = {}
    for (model, quantity, over), price in given.prices.items():
        if quantity == "gpu":
            cards[model] = Decimal(price)
        elif quantity not in CLASSES:
            units[model, quantity] = Decimal(price)
        elif over:
            tiers[model, TokenClass(quantity), over] = Decimal(price)
        else:
            tokens[model, TokenClass(quantity)] = Decimal(price)
    factors = {about: Decimal(factor) for about, factor in given.factors.items()}
    return PriceVersion(
        given.name, given.effective_at, tokens, cards, tier_prices=tiers, unit_prices=units, factors=factors
    )


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
    held = tuple(
        Hold(hold.slice_ref, hold.share_permille, hold.from_at, hold.to_at, hold.card_ref, hold.accelerator_model)
        for hold in given.holds
    )
    facts = tuple(read_fact(msgspec.to_builtins(fact)) for fact in given.facts)
    return TermInput(given.ref, given.ref, given.from_at, given.to_at, stretches, held, usage, facts)
