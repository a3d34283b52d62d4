"""What each line of a rated bill is to the tax: a supply, money that is held, or something paid before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from billing.money import exact_sum
from billing.rating.below_zero import RULE_BROUGHT, RULE_CARRIED
from billing.rating.credit import RULE_DRAWN, balances, grant_of
from billing.rating.debit import RULE_LATE_FEE
from billing.rating.late import RULE_LATE
from billing.rating.lease_term import DEPOSIT_RULES
from billing.rating.rated import TermKind
from billing.tax_rules.working_out import Nature, TaxedLine

if TYPE_CHECKING:
    from billing.basis import PeriodBasis
    from billing.rating.lines import InvoiceLine

NATURES: Final[Mapping[str, Nature]] = {
    **dict.fromkeys(DEPOSIT_RULES, Nature.HELD),
    RULE_LATE_FEE: Nature.LATE_FEE,
}
"""Natures of lines by their rule; a line by any other rule is a supply, or something taken off one."""


def taxed_lines(
    lines: Sequence[InvoiceLine], basis: PeriodBasis, *, brought_untaxed: bool = False
) -> tuple[TaxedLine, ...]:
    """Return the lines of a bill as tax sees them, in their order.

    Credit that was bought is a payment, credit that was given away takes off what is supplied. What a bill carries
    forward is no supply where its supplies do not come to less than nothing, and stays what it was on the next bill.
    Where it is one it is taxed like what is most below zero: else a rate that changed would keep tax of the buyer's.
    """
    bought = _bought(basis)
    natures = [_nature(line, bought, brought_untaxed=brought_untaxed) for line in lines]
    supplies = exact_sum(
        line.amount
        for line, nature in zip(lines, natures, strict=True)
        if nature is Nature.SUPPLY and _rule(line) != RULE_CARRIED
    )
    carried = Nature.PAYMENT if supplies >= Decimal(0) else Nature.SUPPLY
    zone = ZoneInfo(basis.zone)
    back = _given_back(lines, natures)
    return tuple(
        TaxedLine(
            line.amount,
            last_day(like.from_at, min(like.to_at, basis.to_at), zone),
            carried if _rule(line) == RULE_CARRIED else nature,
            as_brought=_rule(like) == RULE_BROUGHT,
            gives_back=gives_back(like),
        )
        for line, nature in zip(lines, natures, strict=True)
        for like in (back if _rule(line) == RULE_CARRIED and back is not None else line,)
    )


def gives_back(line: InvoiceLine) -> str:
    """Return which line of an earlier invoice a line gives something back of, by a name that stays; "" for none."""
    first = line.sublines[0]
    return first.about_ref if first.rule == RULE_LATE and line.amount < 0 else ""


def _given_back(lines: Sequence[InvoiceLine], natures: Sequence[Nature]) -> InvoiceLine | None:
    """Return the supply that is most below zero, which is what a bill carries forward."""
    below = [line for line, nature in zip(lines, natures, strict=True) if nature is Nature.SUPPLY and line.amount < 0]
    return min(below, key=lambda line: line.amount, default=None)


def last_day(from_at: datetime, to_at: datetime, zone: ZoneInfo) -> date:
    """Return the last day of `[from_at, to_at)`; of an instant the day that it lies in."""
    return max(from_at, to_at - timedelta(microseconds=1)).astimezone(zone).date()


def _bought(basis: PeriodBasis) -> frozenset[tuple[str, str]]:
    return frozenset(
        (term.ref, grant.name)
        for term in basis.of_kind(TermKind.CREDIT)
        for grant, _left in balances(term)
        if grant.bought
    )


def _nature(line: InvoiceLine, bought: frozenset[tuple[str, str]], *, brought_untaxed: bool) -> Nature:
    rule = _rule(line)
    if rule == RULE_DRAWN:
        paid = (line.term_ref, grant_of(line.sublines[0])) in bought
        return Nature.PAYMENT if paid else Nature.SUPPLY
    if rule == RULE_BROUGHT:
        return Nature.PAYMENT if brought_untaxed else Nature.SUPPLY
    return NATURES.get(rule, Nature.SUPPLY)


def _rule(line: InvoiceLine) -> str:
    return line.sublines[0].rule
