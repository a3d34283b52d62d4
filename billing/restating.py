"""A closed period rated again with usage that came late: what each line comes to now, and what is still to be billed.

What was agreed, priced and stated of the period stays as it was sealed with its invoice; only what was metered of it,
what the period before handed it, what both parties settled of it since, and which outages its provider stated of it,
are taken as they are known now. Amounts compare line by line, rounded once each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.basis import PeriodBasis
from billing.money import less
from billing.rating.held_time import StatedOutage
from billing.rating.inputs import Carried, Fact, TermInput
from billing.rating.kinds import KINDS
from billing.rating.late import RULE_LATE, Adjusted
from billing.rating.lines import Bill, InvoiceLine
from billing.rating.rated import Carry, TermKind
from billing.rating.share_facts import AgreedCounts, AuditFinding, InterruptedCounts, WitnessCounts
from billing.rating.wording import plain

MOVING_FACTS: tuple[type[Fact], ...] = (
    Carried,
    WitnessCounts,
    InterruptedCounts,
    AgreedCounts,
    AuditFinding,
    StatedOutage,
)
"""Facts that follow from usage, of the period or of one before it, and so come late with it; those that parties settle
of a closed period whose share has no open one left; and outages that a provider states of one."""


@dataclass(frozen=True, slots=True, order=True)
class LineKey:
    """What tells a line of a bill from every other: the words by which it was gathered."""

    term: str
    model: str
    rule: str
    unit: str
    about: str


@dataclass(frozen=True, slots=True)
class Billed:
    """What was billed of a line so far: at its `position` on the original invoice (0: none), and by adjustments."""

    kind: TermKind
    position: int
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LineNow:
    """A line of a closed period as it comes out now: `amount` in minor units, of which `billed_amount` was billed.

    `adjusted_amount` goes on the next bill; `withheld_amount` is owed but came too late to be billed.
    """

    key: LineKey
    kind: TermKind
    position: int
    quantity: Decimal
    amount: Decimal
    billed_quantity: Decimal
    billed_amount: Decimal
    adjusted_amount: Decimal
    withheld_amount: Decimal


def late_basis(sealed: PeriodBasis, current: PeriodBasis) -> PeriodBasis:
    """Return what was sealed, with usage and what was handed over as they are now."""
    now = {term.ref: term for term in current.terms}
    return replace(sealed, terms=tuple(_late_term(term, now.get(term.ref)) for term in sealed.terms))


def _late_term(sealed: TermInput, current: TermInput | None) -> TermInput:
    if current is None:
        return sealed
    kept = [fact for fact in sealed.facts if not isinstance(fact, MOVING_FACTS)]
    moved = [fact for fact in current.facts if isinstance(fact, MOVING_FACTS)]
    return replace(sealed, usage=current.usage, facts=(*moved, *kept))


def in_order(lines: Iterable[InvoiceLine]) -> list[InvoiceLine]:
    """Return lines as an invoice lists them."""
    return sorted(lines, key=lambda line: (rank(line), line.model, line.term_ref))


def rank(line: InvoiceLine) -> int:
    """Tokens by model first, then what holds slices, then what came late for closed periods, then all else."""
    first = line.sublines[0]
    if first.rule == RULE_LATE:
        return 2
    kind = KINDS.get(first.term_kind)
    if kind is not None and kind.takes_slices:
        return 1
    return 0 if line.model else 3


def key_of(line: InvoiceLine) -> LineKey:
    """Return what a line of a bill is about."""
    first = line.sublines[0]
    return LineKey(line.term_ref, line.model, first.rule, str(first.unit), first.about_ref)


def is_restated(kind: TermKind) -> bool:
    """Whether a line is worked out again: prepaid credit and what is carried below zero belong to the bill they met."""
    return kind is not TermKind.CREDIT


def lines_now(bill: Bill, billed: Mapping[LineKey, Billed], *, upward_billed: bool) -> tuple[LineNow, ...]:
    """Return every line of a restated bill, and every billed one that is gone, in the order of their keys.

    Where what is more is no longer billed, it is withheld line by line; what is less is always given back.
    """
    computed = {key_of(line): line for line in bill.lines if is_restated(line.sublines[0].term_kind)}
    return tuple(
        _line_now(key, computed.get(key), billed.get(key), upward_billed=upward_billed)
        for key in sorted({*computed, *billed})
    )


def _line_now(key: LineKey, line: InvoiceLine | None, billed: Billed | None, *, upward_billed: bool) -> LineNow:
    zero = Decimal(0)
    amount = line.amount if line is not None else zero
    before = billed.amount if billed is not None else zero
    open_amount = less(amount, before)
    withheld = open_amount if open_amount > 0 and not upward_billed else zero
    kind = billed.kind if billed is not None else None
    if line is not None:
        kind = line.sublines[0].term_kind
    assert kind is not None
    return LineNow(
        key=key,
        kind=kind,
        position=billed.position if billed is not None else 0,
        quantity=line.quantity or zero if line is not None else zero,
        amount=amount,
        billed_quantity=billed.quantity if billed is not None else zero,
        billed_amount=before,
        adjusted_amount=less(open_amount, withheld),
        withheld_amount=withheld,
    )


def facts_of_lines(invoice: str, basis: PeriodBasis, lines: Iterable[LineNow]) -> list[Adjusted]:
    """Return what goes on the next bill of the lines of a closed period, as the facts it is rated from."""
    return [_fact(invoice, basis, line) for line in lines if line.adjusted_amount]


def source_of(basis: PeriodBasis, line: LineNow) -> str:
    """Return which line of a closed period it is, by a name that stays."""
    return _fact("", basis, line).source


def _fact(invoice: str, basis: PeriodBasis, line: LineNow) -> Adjusted:
    return Adjusted(
        invoice=invoice,
        line=line.position,
        from_at=basis.from_at,
        to_at=basis.to_at,
        kind=line.kind,
        term=line.key.term,
        model=line.key.model,
        rule=line.key.rule,
        about=line.key.about,
        unit=line.key.unit,
        quantity=Decimal(plain(less(line.quantity, line.billed_quantity))),
        amount=line.adjusted_amount,
    )


def restated_carries(carries: Sequence[Carry], contract: str, basis: PeriodBasis) -> tuple[Carry, ...]:
    """Return what a restated period hands on under its terms: not balances of credit, nor what it was below zero."""
    credit = {term.ref for term in basis.of_kind(TermKind.CREDIT)}
    return tuple(carry for carry in carries if carry.term_ref != contract and carry.term_ref not in credit)
