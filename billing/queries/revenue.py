"""Certified revenue as both parties read it: what is due, what was stated, and how it fits what was metered."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.db.models import QuerySet

from billing.bases import read_bases, window_of
from billing.models import BillingPeriod, Contract, RevenueStatement, Term, TermFact, TermWording, WitnessAnswer
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.kinds import read_fact
from billing.rating.rated import TermKind
from billing.rating.share_base import StatementCheck, check_statement
from billing.rating.share_facts import AgreedCounts
from billing.rating.share_held import Held, Key, key_of
from billing.rating.share_rating import share_rating
from billing.rating.share_words import OutsideTolerance, ShareBase
from billing.revenue_dues import RevenueDue, certified_wording, revenue_dues
from billing.terms import with_wordings
from tenants.models import Organization

PERIODS_MAX = 24
"""How many billing periods back are shown."""
STATEMENTS_MAX = 500


class DueState(StrEnum):
    """Where a statement stands: it is there, it is waited for, or an estimate stands in for it."""

    STATED = "stated"
    WAITING = "waiting"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class DueRow:
    """A statement that is due, the latest one if there is one, and its check against list x metered tokens.

    `check` of a period without a statement is of 0 against what was metered.
    """

    contract: Contract
    due: RevenueDue
    state: DueState
    check: StatementCheck


def due_rows(organization: Organization, now: datetime, *, contract_id: UUID | None = None) -> tuple[DueRow, ...]:
    """Return what is due of periods that are over, the latest first; the queries do not grow with contracts."""
    contracts = Contract.objects.for_org(organization)
    if contract_id is not None:
        contracts = contracts.filter(pk=contract_id)
    shares = Term.objects.filter(contract__in=contracts, kind=TermKind.TOKEN_SHARE)
    # Of a thousand contracts few certify: only what was said of those is read.
    certifying = shares.filter(wordings__document__base=ShareBase.CERTIFIED_REVENUE.value)
    found = with_wordings(Term.objects.filter(pk__in=certifying.values("pk")))
    terms = [term for term in found if _certifies(term)]
    of_contract: dict[UUID, list[Term]] = defaultdict(list)
    for term in terms:
        of_contract[term.contract_id].append(term)
    over = BillingPeriod.objects.filter(contract__in=list(of_contract), to_at__lte=now)
    related = over.select_related("contract__provider", "contract__tenant", "contract__price_book")
    periods = [
        period
        for period in related.order_by("-from_at", "contract__number")
        if any(certified_wording(term, period) for term in of_contract[period.contract_id])
    ][:PERIODS_MAX]
    dues = revenue_dues(periods, terms)
    bases = read_bases([window_of(period) for period in periods]) if dues else []
    rated = {
        (period.pk, term.ref): (term, basis.window)
        for period, basis in zip(periods, bases, strict=True)
        for term in basis.terms
    }
    return tuple(_row(due.period.contract, due, rated[due.period.pk, due.term.ref], now) for due in dues)


def _certifies(term: Term) -> bool:
    """Whether a share is taken of certified revenue at any time."""
    return any(getattr(stretch.wording, "base", None) is ShareBase.CERTIFIED_REVENUE for stretch in term.stretches())


def statements_of(organization: Organization, contract_id: UUID) -> QuerySet[RevenueStatement] | None:
    """Return the statements of a contract, the latest first; None where the organization is no party of it."""
    if not Contract.objects.for_org(organization).filter(pk=contract_id).exists():
        return None
    statements = RevenueStatement.objects.filter(term__contract=contract_id).select_related("term", "period")
    return statements.defer("document").order_by("-created_at", "-pk")


def stated_facts(organization: Organization, contract_id: UUID, kind: str) -> QuerySet[TermFact] | None:
    """Return what was stated of a contract's shares by one kind of fact, the latest first; None where the organization
    is no party of it."""
    if not Contract.objects.for_org(organization).filter(pk=contract_id).exists():
        return None
    facts = TermFact.objects.filter(term__contract=contract_id, document__fact=kind).select_related("term")
    return facts.order_by("-recorded_at", "-pk")


def statement_file(organization: Organization, statement_id: UUID) -> RevenueStatement | None:
    """Return one statement with its file; None where the organization is no party of its contract."""
    contracts = Contract.objects.for_org(organization)
    found = RevenueStatement.objects.filter(pk=statement_id, term__contract__in=contracts)
    return found.select_related("term", "period").first()


def _row(contract: Contract, due: RevenueDue, rated: tuple[TermInput, RatingWindow], now: datetime) -> DueRow:
    term, window = rated
    certified = [
        cell for cell in share_rating(term, window).cells if cell.segment.wording.base is ShareBase.CERTIFIED_REVENUE
    ]
    stated = due.statement.net_revenue_amount if due.statement else Decimal(0)
    state = DueState.STATED if due.statement else DueState.WAITING if now < due.due_at else DueState.ESTIMATED
    return DueRow(contract, due, state, check_statement(certified, stated, due.wording.audit_tolerance_percent))


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A difference of witnesses that is held, and the count that each party last stated for it, if one did."""

    term: Term
    period: BillingPeriod
    held: Held
    provider_tokens: int | None
    tenant_tokens: int | None


def held_rows(organization: Organization, contract_id: UUID, now: datetime) -> Sequence[HeldRow] | None:
    """Return what is held of the latest periods that are over, the latest first; None where the organization is no
    party of the contract."""
    if not Contract.objects.for_org(organization).filter(pk=contract_id).exists():
        return None
    return held_in({contract_id}, now)


def held_in(contract_ids: Set[UUID], now: datetime) -> Sequence[HeldRow]:
    """Return what is held of the latest periods of some contracts that are over, the latest first.

    Only shares that hold a difference and ask are rated: what others say of one, no answer changes.
    """
    says = TermWording.objects.filter(document__outside_tolerance=OutsideTolerance.HOLD_AND_ASK.value)
    shares = Term.objects.filter(pk__in=says.values("term"), contract__in=contract_ids, kind=TermKind.TOKEN_SHARE)
    terms = {term.ref: term for term in with_wordings(shares) if _asks(term)}
    over = BillingPeriod.objects.filter(contract__in={term.contract_id for term in terms.values()}, to_at__lte=now)
    ordered = over.select_related("contract__price_book").order_by("-from_at", "contract__number")
    periods = list(ordered[:PERIODS_MAX]) if terms else []
    if not periods:
        return []
    windows = [window_of(period) for period in periods]
    settled = {
        (fact.term_id, key_of(counts))
        for fact in TermFact.objects.filter(term__in=list(terms.values()), document__fact="agreed_counts")
        if isinstance(counts := read_fact(fact.document), AgreedCounts)
    }
    answers: dict[tuple[UUID, Key, UUID], int] = {}
    for one in WitnessAnswer.objects.filter(term__in=list(terms.values())).order_by("created_at", "pk"):
        key = (str(one.deployment_id), one.model, one.token_class, one.from_at)
        answers[one.term_id, key, one.organization_id] = int(one.tokens)
    return [
        HeldRow(
            terms[term.ref],
            period,
            held,
            answers.get((terms[term.ref].pk, key_of(held.fact), period.contract.provider_id)),
            answers.get((terms[term.ref].pk, key_of(held.fact), period.contract.tenant_id)),
        )
        for period, basis in zip(periods, read_bases(windows, summed=True), strict=True)
        for term in basis.terms
        if term.ref in terms
        for held in share_rating(term, basis.window).held
        if (terms[term.ref].pk, key_of(held.fact)) not in settled
    ]


def _asks(term: Term) -> bool:
    """Whether what a share says now of any time holds what the witnesses differ by and asks for an answer."""
    return any(
        getattr(stretch.wording, "outside_tolerance", None) is OutsideTolerance.HOLD_AND_ASK
        for stretch in term.stretches()
    )
