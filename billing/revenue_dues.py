"""When certified revenue is due: per share term that is taken of it and billing period that it is stated for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.models import BillingPeriod, RevenueStatement, Term
from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import ShareBase
from billing.terms import terms_of


@dataclass(frozen=True, slots=True)
class RevenueDue:
    """A statement that a contract asks for, and the latest there is; `wording` is the last that asks for it."""

    term: Term
    period: BillingPeriod
    wording: TokenShareWording
    due_at: datetime
    statement: RevenueStatement | None


def revenue_dues(periods: Sequence[BillingPeriod], terms: Iterable[Term] | None = None) -> list[RevenueDue]:
    """Return what is due for periods, in their order; three queries, whatever their number."""
    if terms is None:
        terms = terms_of({period.contract_id for period in periods})
    asked = [
        (term, period, wording)
        for period in periods
        for term in terms
        if term.contract_id == period.contract_id and (wording := certified_wording(term, period)) is not None
    ]
    if not asked:
        return []
    statements = RevenueStatement.objects.filter(period__in=[period for _, period, _ in asked]).defer("document")
    latest = {(each.term_id, each.period_id): each for each in statements.order_by("created_at", "pk")}
    return [
        RevenueDue(term, period, wording, due_at(wording, period), latest.get((term.pk, period.pk)))
        for term, period, wording in asked
    ]


def missing_statements(*periods: BillingPeriod, terms: Iterable[Term] | None = None) -> list[RevenueDue]:
    """Return what the certified bases of periods still wait for."""
    return [due for due in revenue_dues(periods, terms) if due.statement is None]


def certified_wording(term: Term, period: BillingPeriod) -> TokenShareWording | None:
    """Return the last wording of a term in a period by which its share is taken of certified revenue, if one is."""
    for stretch in reversed(term.stretches(period.from_at, period.to_at)):
        wording = stretch.wording
        if isinstance(wording, TokenShareWording) and wording.base is ShareBase.CERTIFIED_REVENUE:
            return wording
    return None


def due_at(wording: TokenShareWording, period: BillingPeriod) -> datetime:
    """Return the instant from which an estimate stands in for a statement."""
    assert wording.statements is not None
    return period.to_at + timedelta(days=wording.statements.due_days)
