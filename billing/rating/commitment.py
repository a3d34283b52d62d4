"""Commitments: pay what was used or what was committed, whichever is more, per billing period or per year.

What was used is what the terms in scope charge after availability credits and discounts. It is made up to the
commitment when the period or year ends, and not before. A year of a commitment consists of whole billing periods: it
ends with the one in which an anniversary of the term lies, or at whose end it does.

Where an amendment goes from one to the other, what was committed until then ends there: a year with the last period
that was wholly per year, or, amended inside a period, with all of that period. Each wording's amount counts by its
seconds of its own period or year; the other way of counting begins with the next period.
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
from tenants.sentences import sentence

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

    @property
    def is_yearly(self) -> bool:
        """Whether the amount is per year of the term."""
        return self.amount_per_period is None

    def check(self) -> None:
        """Raise `WrongWording` where it is neither per period nor per year, both, or nothing."""
        if (self.amount_per_period is None) == (self.amount_per_year is None):
            raise WrongWording("amount_per_period", sentence("A commitment is per period or per year."), '"10000.00"')
        field = "amount_per_year" if self.amount_per_period is None else "amount_per_period"
        check_decimal(field, self.amount, example='"10000.00"')
        if not self.amount:
            raise WrongWording(field, sentence("A commitment to nothing commits to nothing."), '"10000.00"')


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
    before, count = _year_before(term, window), _count(term, window, lines)
    standing = _Standing(Fraction(term.carried(RECOUPABLE)), Fraction(term.carried(CARRIED)))
    found: list[RatedLine] = []
    if before is not None:
        found += _settle(term, window, before, standing)
    if count.ends_at > window.period_to_at:
        year = [(USED, count.used), (COMMITTED, count.committed * _year_seconds(term, window))]
        return Rated(tuple(found), carries=_carries(term, [*year, *standing.carries]))
    found += _settle(term, window, count, standing)
    return Rated(tuple(found), carries=_carries(term, standing.carries))


def drawdown(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> Drawdown | None:
    """Return where a commitment stands by the lines so far; None where none is in force."""
    if not term.stretches:
        return None
    last: Stretch[CommitmentWording] = term.stretches[-1]
    count = _count(term, window, lines)
    committed, ends_at = count.committed + Fraction(term.carried(CARRIED)), max(count.ends_at, window.period_to_at)
    if count.ends_at > window.period_to_at:
        left = max(0, unix_second(ends_at) - unix_second(last.to_at))
        committed += Fraction(last.wording.amount) * left / _year_seconds(term, window)
    return Drawdown(
        count.from_at,
        ends_at,
        to_charge(committed),
        to_charge(count.used),
        to_charge(max(Fraction(0), committed - count.used)),
        term.carried(RECOUPABLE),
    )


@dataclass(frozen=True, slots=True)
class _Count:
    """What was committed and used from an instant until a commitment is looked at: at the end of a period or year."""

    about: str
    from_at: datetime
    ends_at: datetime
    committed: Fraction
    used: Fraction


@dataclass(slots=True)
class _Standing:
    """What was paid for shortfalls and can be taken off, and a shortfall that is added to what is committed next."""

    recoupable: Fraction
    carried: Fraction

    @property
    def carries(self) -> list[tuple[str, Fraction]]:
        """What the next period is handed."""
        return [(CARRIED, self.carried), (RECOUPABLE, self.recoupable)]


def _year_before(term: TermInput, window: RatingWindow) -> _Count | None:
    """Return the year that ended with the period before, since it is counted per period from this one's start on."""
    first: Stretch[CommitmentWording] = term.stretches[0]
    seconds = Fraction(term.carried(COMMITTED))
    if not seconds or first.wording.is_yearly or first.from_at > window.from_at:
        return None
    committed = seconds / _year_seconds(term, window)
    begins_at, _ = _year(term, window)
    return _Count("year", begins_at, window.from_at, committed, Fraction(term.carried(USED)))


def _count(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> _Count:
    """Return what counts together at the window's end: the period, or the year so far."""
    apart = _year_before(term, window) is not None
    kinds = {stretch.wording.is_yearly for stretch in term.stretches}
    year_s = _year_seconds(term, window)
    open_seconds = Fraction(0) if apart else Fraction(term.carried(COMMITTED))
    committed = open_seconds / year_s
    for stretch in term.stretches:
        seconds = unix_second(stretch.to_at) - unix_second(stretch.from_at)
        whole = year_s if stretch.wording.is_yearly else window.seconds_per_period
        committed += Fraction(stretch.wording.amount) * seconds / whole
    used = _used(term, lines) + (Fraction(0) if apart else Fraction(term.carried(USED)))
    begins_at, ends_at = _year(term, window)
    if kinds != {True}:
        ends_at = window.period_to_at
    elif term.to_at is not None:
        ends_at = min(ends_at, term.to_at)
    from_at = begins_at if kinds == {True} or open_seconds else window.from_at
    return _Count("", from_at, ends_at, committed, used)


def _settle(term: TermInput, window: RatingWindow, count: _Count, standing: _Standing) -> list[RatedLine]:
    """Say what is paid for a shortfall, or taken back where more was used (negative), and keep what is handed on."""
    last: Stretch[CommitmentWording] = term.stretches[-1]
    rule, goes_on = last.wording.shortfall, term.to_at is None or term.to_at > window.period_to_at
    shortfall = Fraction(to_charge(count.committed + standing.carried - count.used))
    standing.carried = Fraction(0)
    if shortfall > 0 and rule is Shortfall.CARRIED and (goes_on or count.about):
        standing.carried = shortfall
        return []
    if shortfall > 0:
        standing.recoupable += shortfall if rule is Shortfall.RECOUPABLE else Fraction(0)
        return [_line(term, window, count, RULE_TRUE_UP, shortfall)]
    taken = min(standing.recoupable, -shortfall)
    standing.recoupable -= taken
    return [_line(term, window, count, RULE_RECOUPED, -taken)] if taken else []


def _line(term: TermInput, window: RatingWindow, count: _Count, rule: str, amount: Fraction) -> RatedLine:
    return amount_line(
        TermKind.COMMITMENT,
        term.ref,
        term.stretches[-1].contract_version,
        about=(rule, count.about) if count.about else (rule,),
        rule=rule,
        amount=amount,
        from_at=window.from_at,
        to_at=window.period_to_at,
    )


def _used(term: TermInput, lines: Sequence[RatedLine]) -> Fraction:
    """Return what counts as used in this period: what any of its wordings has in scope."""
    named = [stretch.wording.terms for stretch in term.stretches]
    scope = {ref for terms in named for ref in terms} if all(named) else set()
    counted = (
        line.exact
        for line in lines
        if line.term_kind not in (TermKind.COMMITMENT, TermKind.CREDIT)
        and line.rule not in NOT_CREDITED
        and (not scope or (line.about_ref or line.term_ref) in scope)
    )
    return sum(counted, Fraction(0))


def _year(term: TermInput, window: RatingWindow) -> tuple[datetime, datetime]:
    return year_of(term.from_at, window.zone, max(window.from_at, term.from_at))


def _year_seconds(term: TermInput, window: RatingWindow) -> int:
    """Return the seconds that an amount per year is for."""
    begins_at, ends_at = _year(term, window)
    return unix_second(ends_at) - unix_second(begins_at)


def _carries(term: TermInput, values: list[tuple[str, Fraction]]) -> tuple[Carry, ...]:
    return tuple(Carry(term.ref, name, to_charge(value)) for name, value in values if value)
