"""Where contracts stand now: what is left of prepaid credit, whether use may go on, and what commitments have left.

All of it is worked out when it is asked, by the functions that charge and invoice, from rows that are never changed:
workers that ask at once get one answer, and nothing has to be kept in step.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.bases import Grain, read_bases, window_of
from billing.basis import PeriodBasis, rate
from billing.credit_grants import grants_of
from billing.models import BillingPeriod, Contract, CreditMovement, PeriodState, Term
from billing.money import exact_sum
from billing.rating.commitment import Drawdown, drawdown
from billing.rating.credit import (
    RULE_DRAWN,
    CreditWording,
    Drawn,
    Grant,
    HardStop,
    balances,
    grant_of,
    is_open,
    left_of,
    may_go_on,
)
from billing.rating.inputs import TermInput
from billing.rating.kinds import KINDS, kind_of
from billing.rating.lines import make_bill
from billing.rating.rated import RatedLine, TermKind
from billing.suspensions import is_suspended


@dataclass(frozen=True, slots=True)
class GrantStanding:
    """A grant and what is left of it after everything used so far; `is_open` where it can pay for metered use now."""

    term_ref: str
    grant: Grant
    left_amount: Decimal
    is_open: bool


@dataclass(frozen=True, slots=True)
class ContractStanding:
    """A contract at an instant.

    `left_amount` is what open grants have left, less what was charged back of grants and nothing makes good, and less
    what open periods owe that no grant pays for: below 0 it is overdrawn. `suspended` where invoices are long unpaid:
    then use is not allowed either. `stop` holds the agreed figures where a stop is agreed; without one use is allowed
    else.
    """

    contract: Contract
    as_of: datetime
    allowed: bool
    left_amount: Decimal
    unpaid_amount: Decimal
    stop: HardStop | None
    grants: tuple[GrantStanding, ...]
    commitments: tuple[tuple[str, str, Drawdown], ...]
    suspended: bool = False


def standing_of(contract: Contract, now: datetime) -> ContractStanding:
    """Return where a contract stands; the number of queries does not grow with usage, periods or grants."""
    periods = BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN, from_at__lte=now)
    windows = []
    for period in periods.order_by("from_at"):
        period.contract = contract
        windows.append(window_of(period, to_at=min(now, period.to_at)))
    bases = read_bases(windows, grain=Grain.PERIOD, summed=True)
    unpaid = Decimal(0)
    drawn: dict[str, list[Drawn]] = defaultdict(list)
    commitments: tuple[tuple[str, str, Drawdown], ...] = ()
    for basis in bases:
        rated = rate(_less(basis, drawn))
        unpaid = exact_sum([unpaid, make_bill(rated.lines, basis.currency).total])
        for line in rated.lines:
            if line.rule == RULE_DRAWN:
                drawn[line.term_ref].append(Drawn(grant=grant_of(line), amount=-line.amount))
        commitments = _commitments(basis, rated.lines)
    terms = bases[-1].of_kind(TermKind.CREDIT) if bases else ()
    metered = {term.ref for basis in bases for term in basis.terms if KINDS[kind_of(term)].quantities}
    grants = _grants(terms, drawn, metered, now) if bases else _left_over(contract, now)
    stop = _stop(terms)
    suspended = is_suspended(contract.pk)
    left = exact_sum([*(each.left_amount for each in grants if each.is_open or each.left_amount < 0), -unpaid])
    allowed = may_go_on(stop, left) and not suspended
    return ContractStanding(contract, now, allowed, left, unpaid, stop, grants, commitments, suspended)


def _less(basis: PeriodBasis, drawn: Mapping[str, Sequence[Drawn]]) -> PeriodBasis:
    """Take off what open periods before this one draw: it is in no movement yet."""
    terms = tuple(replace(term, facts=(*term.facts, *drawn.get(term.ref, ()))) for term in basis.terms)
    return replace(basis, terms=terms)


def _grants(
    terms: Sequence[TermInput], drawn: Mapping[str, Sequence[Drawn]], metered: Set[str], now: datetime
) -> tuple[GrantStanding, ...]:
    """Return every grant with what is left when all open periods have drawn; `terms` know of none of these yet."""
    found: list[GrantStanding] = []
    for term in terms:
        taken = drawn.get(term.ref, ())
        for grant, left in balances(replace(term, facts=(*term.facts, *taken))):
            pays = is_open(grant, now) and (not grant.terms or not metered.isdisjoint(grant.terms))
            found.append(GrantStanding(term.ref, grant, left, pays))
    return tuple(found)


def _left_over(contract: Contract, now: datetime) -> tuple[GrantStanding, ...]:
    """Return what grants have left where every period is closed: the contract is over, or its next one begins now."""
    if not BillingPeriod.objects.filter(contract=contract).exists():
        return ()
    refs = dict(Term.objects.filter(contract=contract, kind=TermKind.CREDIT).order_by("ref").values_list("pk", "ref"))
    grants = grants_of(refs)
    return tuple(
        GrantStanding(ref, grant, left, is_open(grant, now))
        for term_id, ref in refs.items()
        for grant, left in left_of(
            grants[term_id].values(), CreditMovement.objects.filter(term=term_id).values_list("grant", "amount")
        )
    )


def _stop(terms: Sequence[TermInput]) -> HardStop | None:
    stops = []
    for term in terms:
        wording = term.stretches[-1].wording
        assert isinstance(wording, CreditWording)
        stops += [wording.hard_stop] if wording.hard_stop else []
    return stops[0] if stops else None


def _commitments(basis: PeriodBasis, lines: Sequence[RatedLine]) -> tuple[tuple[str, str, Drawdown], ...]:
    found = []
    for term in basis.of_kind(TermKind.COMMITMENT):
        table = drawdown(term, basis.window, lines)
        if table is not None:
            found.append((term.ref, term.title, table))
    return tuple(found)
