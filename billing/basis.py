"""What a billing period is rated from: terms with their wordings, prices, holds, usage and facts, and nothing else.

A basis is data without a database, so that the same functions rate it when charging, on a page, and when an invoice
is recomputed from its evidence file.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.rating import share_sums
from billing.rating.below_zero import CREDIT_AMOUNT, settle_below_zero
from billing.rating.book import PriceVersion
from billing.rating.dividing import DIVIDED, divided, dividing_instants
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used, facts_of
from billing.rating.kinds import ADJUSTED, KINDS, TOKEN_CLASSES, kind_of
from billing.rating.late import rate_late
from billing.rating.rated import Carry, Rated, RatedLine, TermKind, Unpriced

BILLED_QUALITIES = ("A", "E", "S")
"""Actual, estimated and substituted usage bills; quarantined usage and gaps do not."""


@dataclass(frozen=True, slots=True)
class PeriodBasis:
    """Everything that decides what a contract owes for a window of one of its periods.

    `contract_version` is the latest that is in force within the window. Every term has a wording in force; `facts` are
    those of the contract as a whole. `discounts_divide` are the kinds of terms that a percentage off divides: fewer of
    what was rated while it was that of the moment at which a line began.
    """

    contract: str
    contract_version: int
    window: RatingWindow
    terms: tuple[TermInput, ...] = ()
    facts: tuple[Fact, ...] = ()
    discounts_divide: Collection[TermKind] = DIVIDED

    def __post_init__(self) -> None:
        assert all(term.stretches for term in self.terms)

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.window.currency

    @property
    def zone(self) -> str:
        """The IANA zone whose days usage belongs to."""
        return self.window.zone

    @property
    def from_at(self) -> datetime:
        """Where the window begins."""
        return self.window.from_at

    @property
    def to_at(self) -> datetime:
        """Where the window ends."""
        return self.window.to_at

    @property
    def versions(self) -> tuple[PriceVersion, ...]:
        """The price versions in force at some instant of the window."""
        return self.window.versions

    def of_kind(self, kind: TermKind) -> tuple[TermInput, ...]:
        """Return the terms of one kind."""
        return tuple(term for term in self.terms if kind_of(term) is kind)

    def tokens(self) -> Iterator[tuple[TermInput, Used]]:
        """Yield each term's usage that is counted in tokens."""
        for term in self.terms:
            for used in term.usage:
                if used.quantity in TOKEN_CLASSES:
                    yield term, used


def rate(basis: PeriodBasis) -> Rated:
    """Rate a whole basis: each term by its rater, then those that look at the lines of others, in their order.

    Where credits outweigh what is owed, the rest is handed to the next period, so that no bill is below zero.
    """
    lines: list[RatedLine] = []
    unpriced: list[Unpriced] = []
    carries: list[Carry] = []

    def add(rated: Rated) -> None:
        lines.extend(rated.lines)
        unpriced.extend(rated.unpriced)
        carries.extend(rated.carries)

    for term in basis.terms:
        rater = KINDS[kind_of(term)].rate
        if rater is not None:
            add(rater(_divided(term, basis), basis.window))
    for kind in ADJUSTED:
        if kind is TermKind.CREDIT:
            # What comes late for closed periods was rated with them; prepaid credit pays for it like for the rest.
            add(rate_late(basis.contract_version, basis.facts))
        for term in basis.of_kind(kind):
            adjust = KINDS[kind].adjust
            assert adjust is not None, kind
            add(adjust(term, basis.window, tuple(lines)))
    add(settle_below_zero(basis.contract, basis.contract_version, basis.window, lines, _brought(basis.facts)))
    return Rated(tuple(lines), tuple(unpriced), tuple(carries))


def days_together(basis: PeriodBasis) -> PeriodBasis:
    """Return what comes to the same total with fewer lines, for sums alone: shares are not told apart by day.

    What looks at the lines of others may go by when they begin; where there is such a term, nothing is added up.
    """
    if any(kind_of(term) in ADJUSTED for term in basis.terms):
        return basis
    terms = (
        share_sums.days_together(term, basis.window) if kind_of(term) is TermKind.TOKEN_SHARE else term
        for term in basis.terms
    )
    return replace(basis, terms=tuple(terms))


def _divided(term: TermInput, basis: PeriodBasis) -> TermInput:
    if kind_of(term) not in basis.discounts_divide:
        return term
    return divided(term, dividing_instants(basis.of_kind(TermKind.DISCOUNT), term.ref, basis.window))


def _brought(facts: Sequence[Fact]) -> Decimal:
    values = [fact.value for fact in facts_of(facts, Carried) if fact.name == CREDIT_AMOUNT]
    assert len(values) <= 1
    return values[0] if values else Decimal(0)
