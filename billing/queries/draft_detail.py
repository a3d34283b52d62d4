"""Invoices that are not issued yet: a list, and one with its lines, beside those of the period before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery, Sum

from billing.bases import Grain, read_basis, window_of
from billing.basis import PeriodBasis, rate
from billing.line_details import detail_of
from billing.models import Adjustment, BillingPeriod, Charge, ContractState, Invoice, InvoiceLine, PeriodState
from billing.money import exact_sum, from_minor, round_to_minor
from billing.rating.inputs import facts_of
from billing.rating.late import RULE_LATE, Adjusted
from billing.rating.lines import Bill, make_bill
from billing.rating.lines import InvoiceLine as RatedInvoiceLine
from billing.restating import in_order
from tenants.limits.reader import within_own
from tenants.limits.written_once import written_once
from tenants.listing.paging import Page, Paged, page_rows
from tenants.models import Organization

PAGE_ROWS_MAX = 500


OWN_DRAFTS = "what a contract comes to is both its parties', and the reader is one of them"


class DraftState(StrEnum):
    """Where a draft stands: its period runs, it waits for what is missing, or for its approval."""

    RUNNING = "running"
    CLOSING = "closing"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class DraftEntry:
    """A draft as a list shows it; `amount` is before tax, as charged so far or as it waits for its approval.

    `previous_amount` is that of the invoice of the period before, None where there is none.
    """

    period_id: UUID
    contract: str
    issuer: str
    issuer_slug: str
    tenant: str
    tenant_slug: str
    currency: str
    time_zone: str
    from_at: datetime
    to_at: datetime
    state: DraftState
    amount: Decimal
    previous_number: str | None
    previous_amount: Decimal | None


@dataclass(frozen=True, slots=True)
class DraftCounts:
    """How many drafts stand where, and when the first of the periods that run ends; None where none runs."""

    by_state: Mapping[DraftState, int]
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line as it would be issued now; `amount` is 0 where only the period before had it.

    `detail` is what it goes by beside its rule.
    """

    term_ref: str
    title: str
    model: str
    rule: str
    unit: str
    quantity: Decimal
    amount: Decimal
    previous_amount: Decimal | None
    adjusts: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DraftDetail:
    """A draft with its lines; `withheld_amount` is owed of closed periods but came too late to be billed.

    `basis` and `bill` are what its lines were rated from and came to.
    """

    entry: DraftEntry
    lines: tuple[DraftLine, ...]
    withheld_amount: Decimal
    ready_amount: Decimal | None
    ready_tax: Decimal | None
    approved_by: str
    basis: PeriodBasis
    bill: Bill


def draft_entries(
    organization: Organization,
    now: datetime,
    *,
    as_provider: bool | None = None,
    state: DraftState | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> tuple[DraftEntry, ...]:
    """Return drafts in the order of their ids, from after one on; one query, whatever their number."""
    found = _open(organization.pk, now, as_provider=as_provider)
    if state is not None:
        found = found.filter(_in_state(state, now))
    if after is not None:
        found = found.filter(pk__gt=after)
    with within_own(organization.pk, OWN_DRAFTS):
        return tuple(_entry(period, now) for period in found.order_by("pk")[: min(limit, PAGE_ROWS_MAX)])


def draft_counts(organization: Organization, now: datetime) -> DraftCounts:
    """Count a provider's drafts by where they stand, and say when the next period ends; one query."""
    counts = {str(state): Count("pk", filter=_in_state(state, now)) for state in DraftState}
    found = _open(organization.pk, now, as_provider=True).aggregate(
        **counts, ends_at=Min("to_at", filter=_in_state(DraftState.RUNNING, now))
    )
    return DraftCounts({state: found[str(state)] for state in DraftState}, found["ends_at"])


def draft_page(
    organization: Organization, now: datetime, page: Page, *, state: DraftState | None = None
) -> Paged[DraftEntry]:
    """Return a page of drafts in the order of their ids; one query. Raises WrongCursor."""
    found = _open(organization.pk, now, as_provider=None)
    with within_own(organization.pk, OWN_DRAFTS):
        paged = page_rows(found if state is None else found.filter(_in_state(state, now)), page, ("pk",))
    return Paged([_entry(period, now) for period in paged.rows], paged.next_cursor)


def draft_detail(
    organization: Organization, period_id: UUID, now: datetime, *, as_provider: bool | None = None
) -> DraftDetail | None:
    """Return one draft as its usage rates now, or None; the number of queries does not depend on its lines."""
    with within_own(organization.pk, OWN_DRAFTS):
        return _detail(organization, period_id, now, as_provider=as_provider)


def _detail(
    organization: Organization, period_id: UUID, now: datetime, *, as_provider: bool | None
) -> DraftDetail | None:
    period = next(iter(_opened(organization.pk, now, period_id, as_provider=as_provider)), None)
    if period is None:
        return None
    basis = read_basis(window_of(period, to_at=min(now, period.to_at)), grain=Grain.PERIOD, summed=True)
    bill = make_bill(rate(basis).lines, basis.currency)
    late = {fact.source: fact for fact in facts_of(basis.facts, Adjusted)}
    withheld = Adjustment.objects.filter(into=period).aggregate(amount=Sum("withheld"))["amount"] or Decimal(0)
    lines = _beside(in_order(bill.lines), _previous_lines(period), basis, late)
    entry = _entry(period, now, amount=bill.total)
    ready, tax = (
        None if amount is None else round_to_minor(amount, basis.currency)
        for amount in (period.ready_amount, period.ready_tax)
    )
    withheld = round_to_minor(withheld, basis.currency)
    return DraftDetail(entry, lines, withheld, ready, tax, period.approved_by, basis, bill)


@written_once
def _opened(party: UUID, now: datetime, period: UUID, *, as_provider: bool | None) -> QuerySet[BillingPeriod]:
    return _open(party, now, as_provider=as_provider).filter(pk=period)


def _open(party: UUID, now: datetime, *, as_provider: bool | None) -> QuerySet[BillingPeriod]:
    theirs = {
        None: Q(contract__tenant=party) | Q(contract__provider=party),
        True: Q(contract__provider=party),
        False: Q(contract__tenant=party),
    }[as_provider]
    charged = Charge.objects.filter(period=OuterRef("pk")).order_by().values("period").annotate(sum=Sum("amount"))
    before = Invoice.objects.standing().filter(
        period__contract=OuterRef("contract"), period__to_at=OuterRef("from_at"), number__isnull=False
    )
    return (
        BillingPeriod.objects.filter(theirs, state=PeriodState.OPEN, from_at__lte=now)
        .exclude(contract__state__in=(ContractState.DRAFT, ContractState.OFFERED))
        .select_related("contract__provider", "contract__tenant")
        .annotate(
            charged=Subquery(charged.values("sum")),
            previous_number=Subquery(before.values("number")[:1]),
            previous_amount=Subquery(before.values("subtotal")[:1]),
        )
    )


def _in_state(state: DraftState, now: datetime) -> Q:
    return {
        DraftState.RUNNING: Q(to_at__gt=now),
        DraftState.CLOSING: Q(to_at__lte=now, ready_at__isnull=True),
        DraftState.AWAITING_APPROVAL: Q(ready_at__isnull=False, approved_at__isnull=True),
        DraftState.APPROVED: Q(approved_at__isnull=False),
    }[state]


def state_of(period: BillingPeriod, now: datetime) -> DraftState:
    """Return where an open period stands."""
    if period.approved_at is not None:
        return DraftState.APPROVED
    if period.ready_at is not None:
        return DraftState.AWAITING_APPROVAL
    return DraftState.CLOSING if now >= period.to_at else DraftState.RUNNING


def _entry(period: BillingPeriod, now: datetime, amount: Decimal | None = None) -> DraftEntry:
    contract = period.contract
    currency = contract.currency
    charged: Decimal | None = getattr(period, "charged")  # noqa: B009  annotated
    before: Decimal | None = getattr(period, "previous_amount")  # noqa: B009  annotated
    so_far = period.ready_amount if period.ready_amount is not None else charged or from_minor(0, currency)
    return DraftEntry(
        period_id=period.pk,
        contract=contract.number,
        issuer=contract.provider.name,
        issuer_slug=contract.provider.slug,
        tenant=contract.tenant.name,
        tenant_slug=contract.tenant.slug,
        currency=currency,
        time_zone=contract.time_zone,
        from_at=period.from_at,
        to_at=period.to_at,
        state=state_of(period, now),
        amount=round_to_minor(so_far if amount is None else amount, currency),
        previous_number=getattr(period, "previous_number"),  # noqa: B009  annotated
        previous_amount=None if before is None else round_to_minor(before, currency),
    )


_About = tuple[str, str, str]


def _previous_lines(period: BillingPeriod) -> Mapping[_About, InvoiceLine]:
    """Return what the invoice of the period before came to, by term, model and rule; adjustments are left out."""
    found: dict[_About, InvoiceLine] = {}
    for line in _lines_before(period.contract_id, period.from_at):
        about = (line.term_ref, line.model, line.rule)
        if about in found:
            found[about].amount = exact_sum((found[about].amount, line.amount))
        else:
            found[about] = line
    for line in found.values():
        line.amount = round_to_minor(line.amount, period.contract.currency)
    return found


@written_once
def _lines_before(contract: UUID, to_at: datetime) -> QuerySet[InvoiceLine]:
    of_period = InvoiceLine.objects.filter(invoice__period__contract=contract, invoice__period__to_at=to_at)
    return of_period.filter(invoice__reissued_by__isnull=True).exclude(rule=RULE_LATE).order_by("position")


def _beside(
    lines: Sequence[RatedInvoiceLine],
    previous: Mapping[_About, InvoiceLine],
    basis: PeriodBasis,
    late: Mapping[str, Adjusted],
) -> tuple[DraftLine, ...]:
    titles = {term.ref: term.title for term in basis.terms}
    left = dict(previous)
    found: list[DraftLine] = []
    for line in lines:
        first = line.sublines[0]
        before = left.pop((line.term_ref, line.model, first.rule), None)
        fact = late.get(first.about_ref) if first.rule == RULE_LATE else None
        found.append(
            DraftLine(
                term_ref=line.term_ref,
                title=titles.get(line.term_ref, ""),
                model=line.model,
                rule=first.rule,
                unit=fact.unit if fact else str(first.unit),
                quantity=fact.quantity if fact else line.quantity or Decimal(0),
                amount=line.amount,
                previous_amount=None if before is None else before.amount,
                adjusts=fact.invoice or f"{fact.from_at:%Y-%m-%d}" if fact else "",
                detail=detail_of(line, basis),
            )
        )
    gone = [
        DraftLine(term, titles.get(term, ""), model, rule, old.unit, Decimal(0), Decimal(0), old.amount, "")
        for (term, model, rule), old in left.items()
    ]
    return (*found, *gone)
