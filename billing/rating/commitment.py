"""Commitments: pay what was used or what was committed, whichever is more, per billing period or per year.

What was used is what the terms in scope charge after availability credits and discounts. It is made up to the
commitment when the period or year ends, and not before. A year of a commitment consists of whole billing periods: it
ends with the one in which an anniversary of the term lies, or at whose end it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.money import to_charge
from billing.rating.adjusting import amount_line
from billing.rating.availability import NOT_CREDITED
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.rated import Carry, Rated, RatedLine, TermKind
from billing.rating.token_price_wording import check_decimal
from billing.rating.wording import Stretch, Wording, WrongWording
from billing.rating.years import year_of
from clusters.occupancy import unix_second

RULE_TRUE_UP = "commitment_true_up"
RULE_RECOUPED = "commitment_recouped"

USED = "used_amount"
COMMITTED = "committed_amount_seconds"
RECOUPABLE = "recoupable_amount"
CARRIED = "carried_shortfall_amount"


class Shortfall(StrEnum):
    """What becomes of a commitment that was not used up.

    `lost`: it is paid, and that is that. `recoupable`: it is paid, and taken off what later goes beyond a commitment.
    `carried`: it is added to the next commitment, and paid when the term ends.
    """

    LOST = "lost"
    RECOUPABLE = "recoupable"
    CARRIED = "carried"


class CommitmentWording(Wording, frozen=True, kw_only=True, tag="commitment"):
    """An amount committed to, per billing period or per year of the term; `terms` count, all where none is named."""

    amount_per_period: Decimal | None = None
    amount_per_year: Decimal | None = None
    shortfall: Shortfall = Shortfall.LOST
    terms: tuple[str, ...] = ()

    @property
    def amount(self) -> Decimal:
        """The amount, per period or per year."""
        amount = self.amount_per_year if self.amount_per_period is None else self.amount_per_period
        assert amount is not None
        return amount

    def check(self) -> None:
        """Raise `WrongWording` where it is neither per period nor per year, both, or nothing."""
        if (self.amount_per_period is None) == (self.amount_per_year is None):
            raise WrongWording("amount_per_period", "A commitment is per period or per year.", '"10000.00"')
        field = "amount_per_year" if self.amount_per_period is None else "amount_per_period"
        check_decimal(field, self.amount, example='"10000.00"')
        if not self.amount:
            raise WrongWording(field, "A commitment to nothing commits to nothing.", '"10000.00"')


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Where a commitment stands over `[from_at, to_at)`: amounts exact to 18 decimals, `left_amount` at least 0.

    `recoupable_amount` was paid for shortfalls before and can still be taken off.
    """

    from_at: datetime
    to_at: datetime
    committed_amount: Decimal
    used_amount: Decimal
    left_amount: Decimal
    recoupable_amount: Decimal


def adjust_commitment(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> Rated:
    """Make what was used up to what was committed where a period or year ends, and hand on what goes on."""
    if not window.is_whole or not term.stretches:
        return Rated()
    last: Stretch[CommitmentWording] = term.stretches[-1]
    used = _used(term, lines)
    committed_seconds = Fraction(term.carried(COMMITTED)) + _amount_seconds(term)
    ends_at = _ends_at(term, window)
    if ends_at > window.period_to_at:
        carries = [(USED, used), (COMMITTED, committed_seconds)]
        carries += [(name, Fraction(term.carried(name))) for name in (RECOUPABLE, CARRIED)]
        return Rated(carries=_carries(term, carries))
    committed = committed_seconds / _whole_seconds(term, window) + Fraction(term.carried(CARRIED))
    return _settled(term, window, last, Fraction(to_charge(committed - used)))


def drawdown(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> Drawdown | None:
    """Return where a commitment stands by the lines so far; None where none is in force."""
    if not term.stretches:
        return None
    last: Stretch[CommitmentWording] = term.stretches[-1]
    begins_at, ends_at = window.from_at, max(_ends_at(term, window), window.period_to_at)
    seconds = Fraction(term.carried(COMMITTED)) + _amount_seconds(term)
    if last.wording.amount_per_period is None:
        begins_at, _ = year_of(term.from_at, window.zone, max(window.from_at, term.from_at))
        seconds += Fraction(last.wording.amount) * max(0, unix_second(ends_at) - unix_second(last.to_at))
    committed = seconds / _whole_seconds(term, window) + Fraction(term.carried(CARRIED))
    used = _used(term, lines)
    return Drawdown(
        begins_at,
        ends_at,
        to_charge(committed),
        to_charge(used),
        to_charge(max(Fraction(0), committed - used)),
        term.carried(RECOUPABLE),
    )


def _settled(term: TermInput, window: RatingWindow, last: Stretch[CommitmentWording], shortfall: Fraction) -> Rated:
    """Say what is paid for a shortfall, or taken back where more was used (negative), and what is handed on."""
    rule, recoupable = last.wording.shortfall, Fraction(term.carried(RECOUPABLE))
    goes_on = term.to_at is None or term.to_at > window.period_to_at
    if shortfall > 0 and rule is Shortfall.CARRIED and goes_on:
        return Rated(carries=_carries(term, [(CARRIED, shortfall), (RECOUPABLE, recoupable)]))
    if shortfall > 0:
        kept = shortfall if rule is Shortfall.RECOUPABLE else Fraction(0)
        line = _line(term, window, last, RULE_TRUE_UP, shortfall)
        return Rated((line,), carries=_carries(term, [(RECOUPABLE, recoupable + kept)]))
    taken = min(recoupable, -shortfall)
    lines = (_line(term, window, last, RULE_RECOUPED, -taken),) if taken else ()
    return Rated(lines, carries=_carries(term, [(RECOUPABLE, recoupable - taken)]))


def _line(
    term: TermInput, window: RatingWindow, last: Stretch[CommitmentWording], rule: str, amount: Fraction
) -> RatedLine:
    return amount_line(
        TermKind.COMMITMENT,
        term.ref,
        last.contract_version,
        about=(rule,),
        rule=rule,
        amount=amount,
        from_at=window.from_at,
        to_at=window.period_to_at,
    )


def _used(term: TermInput, lines: Sequence[RatedLine]) -> Fraction:
    """Return what counts as used, in this period and in those of the year before it."""
    scope = {ref for stretch in term.stretches for ref in stretch.wording.terms}
    counted = (
        line.exact
        for line in lines
        if line.term_kind not in (TermKind.COMMITMENT, TermKind.CREDIT)
        and line.rule not in NOT_CREDITED
        and (not scope or (line.about_ref or line.term_ref) in scope)
    )
    return Fraction(term.carried(USED)) + sum(counted, Fraction(0))


def _amount_seconds(term: TermInput) -> Fraction:
    """Return the sum over wordings of amount times seconds in force: exact, and the same in one stretch or many."""
    spans = ((each.wording.amount, unix_second(each.to_at) - unix_second(each.from_at)) for each in term.stretches)
    return sum((Fraction(amount) * seconds for amount, seconds in spans), Fraction(0))


def _ends_at(term: TermInput, window: RatingWindow) -> datetime:
    """Return when what is committed now ends: with the period, the year, or the term."""
    if term.stretches[-1].wording.amount_per_period is not None:
        return window.period_to_at
    _, ends_at = year_of(term.from_at, window.zone, max(window.from_at, term.from_at))
    return ends_at if term.to_at is None else min(ends_at, term.to_at)


def _whole_seconds(term: TermInput, window: RatingWindow) -> int:
    """Return the seconds that the amount is for: of the uncut period, or of the year."""
    if term.stretches[-1].wording.amount_per_period is not None:
        return window.seconds_per_period
    begins_at, ends_at = year_of(term.from_at, window.zone, max(window.from_at, term.from_at))
    return unix_second(ends_at) - unix_second(begins_at)


def _carries(term: TermInput, values: list[tuple[str, Fraction]]) -> tuple[Carry, ...]:
    return tuple(Carry(term.ref, name, to_charge(value)) for name, value in values if value)
