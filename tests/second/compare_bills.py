"""One contract's bills through both, month after month."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import msgspec

from billing.basis import PeriodBasis, rate
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.credit import RULE_DRAWN, Drawn, grant_of
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used
from billing.rating.kinds import read_any_wording
from billing.rating.lines import make_bill
from billing.rating.wording import Stretch
from tests.second.bills import parts_of, totals
from tests.second.given_bills import BEGINS, MODELS, TERMS, month

if TYPE_CHECKING:
    from billing.rating.rated import Rated
    from tests.second.given_bills import GivenBills, Said

CONTRACT = "C-1"


def differences(given: GivenBills) -> list[str]:
    """Return in which months the bill or what it hands on is not the same."""
    found = []
    before: Rated | None = None
    drawn: list[Fact] = []
    for number, (total, handed) in enumerate(totals(given)):
        basis = _basis(given, number, before, drawn)
        before = rate(basis)
        drawn += [Drawn(grant=grant_of(line), amount=-line.amount) for line in before.lines if line.rule == RULE_DRAWN]
        billed = make_bill(before.lines, given.currency).total
        credit = sum((Fraction(each.value) for each in before.carries if each.term_ref == CONTRACT), Fraction(0))
        if (Fraction(billed), credit) != (total, handed):
            found.append(f"month {number}: {billed} and {float(total)}, handed on {float(credit)} and {float(handed)}")
    return found


def _basis(given: GivenBills, number: int, before: Rated | None, drawn: list[Fact]) -> PeriodBasis:
    start, end = month(number), month(number + 1)
    prices = {(model, TokenClass.OUTPUT): Decimal(1) for model in MODELS}
    window = RatingWindow(given.currency, "UTC", start, end, end, (PriceVersion("v1", BEGINS, prices),))

    def term(ref: str, said: Said, facts: list[Fact], *usage: Used) -> TermInput:
        carried = [Carried(name=c.name, value=c.value) for c in (before.carries if before else ()) if c.term_ref == ref]
        stretches = tuple(
            Stretch(place, from_at, to_at, read_any_wording(msgspec.to_builtins(document)))
            for place, (from_at, to_at, document) in enumerate(parts_of(said, number, given.ends), 1)
        )
        return TermInput(ref, "", said[0][0], given.ends, stretches, usage=usage, facts=(*carried, *facts))

    terms = []
    for ref in TERMS:
        usage = [
            Used("d", model, "output", "A", start, end, count)
            for (about, model), count in given.months[number].items()
            if about == ref
        ]
        at, later = given.later[number]
        usage += [
            Used("d", model, "output", "A", at, end, count) for (about, model), count in later.items() if about == ref
        ]
        terms.append(term(ref, [(BEGINS, {"kind": "token_price", "witness": "gateway"})], [], *usage))
    if given.discount:
        terms.append(term("DC-1", given.discount, []))
    if given.commitment:
        terms.append(term("M-1", given.commitment, []))
    if given.grants:
        terms.append(term("CR-1", [(BEGINS, {"kind": "credit", "grants": given.grants})], drawn))
    terms = [each for each in terms if each.stretches]
    carries = before.carries if before else ()
    facts = tuple(Carried(name=carry.name, value=carry.value) for carry in carries if carry.term_ref == CONTRACT)
    return PeriodBasis(CONTRACT, 1, window, tuple(terms), facts)
