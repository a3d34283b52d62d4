"""Invoices of an organization, a page at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.dues import read_dues, with_dues
from billing.models import CarriedDue, Invoice, InvoiceState, SettlementState
from billing.stripe_amounts import AmountNotRepresentable, is_too_small
from tenants.models import Organization

PAGE_ROWS_MAX = 500
DAY = timedelta(days=1)


class Order(StrEnum):
    """How invoices follow each other: the latest issued first, or in the order they changed (for syncing)."""

    ISSUED = "issued"
    UPDATED = "updated"


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An issued invoice as a list shows it; `outstanding` is what is left to pay (`billing.dues`)."""

    id: UUID
    number: str
    issuer_id: UUID
    issuer: str
    issuer_slug: str
    tenant_id: UUID
    tenant: str
    tenant_slug: str
    contract: str
    kind: str
    currency: str
    time_zone: str
    from_at: datetime
    to_at: datetime
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    outstanding: Decimal
    state: str
    issued_at: datetime
    due_at: datetime
    paid_at: datetime | None
    updated_at: datetime
    collection: str
    settlement_state: str
    hosted_url: str
    carried: Decimal = Decimal(0)
    """What the payment page of it asks for beside its own: of other invoices, whose payment comes with this one's."""

    def days_overdue(self, now: datetime) -> int:
        """Full days since it was due, if it is still to be paid; 0 otherwise."""
        if self.state != InvoiceState.ISSUED or now < self.due_at:
            return 0
        return (now - self.due_at) // DAY

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is still to be paid after it was due."""
        return self.state == InvoiceState.ISSUED and now >= self.due_at

    @property
    def is_paid_on_page(self) -> bool:
        """Whether its payment page takes what is left; not too little, nor what was paid there and taken back."""
        return bool(self.hosted_url) and not self.leaves_too_little and self.settlement_state != SettlementState.BY_HAND

    @property
    def leaves_too_little(self) -> bool:
        """Whether something is left to pay, and less than the payment page of it can be asked to take."""
        if self.outstanding <= 0 or not self.hosted_url:
            return False
        try:
            return is_too_small(self.outstanding + self.carried, self.currency)
        except AmountNotRepresentable:
            return True


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """Some rows, and where the next ones begin: `(instant, id)` to give as `after`, or None at the end."""

    rows: tuple[InvoiceRow, ...]
    next: tuple[datetime, UUID] | None


def invoice_page(
    organization: Organization,
    *,
    order: Order = Order.ISSUED,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
    state: str | None = None,
    issued_from: datetime | None = None,
    issued_to: datetime | None = None,
    contract: str | None = None,
    updated_since: datetime | None = None,
) -> InvoicePage:
    """Return issued invoices that an organization owes or issued; one query, whatever their number."""
    wanted = min(limit, PAGE_ROWS_MAX)
    filters: dict[str, Any] = {
        "state": state,
        "issued_at__gte": issued_from,
        "issued_at__lt": issued_to,
        "contract__number": contract,
        "updated_at__gte": updated_since,
    }
    found = invoices_for(organization).filter(**{name: value for name, value in filters.items() if value is not None})
    found = _ordered(found, order, after)
    rows = tuple(row_of(invoice) for invoice in found[: wanted + 1])
    if len(rows) <= wanted:
        return InvoicePage(rows, None)
    last = rows[wanted - 1]
    at = last.issued_at if order is Order.ISSUED else last.updated_at
    return InvoicePage(rows[:wanted], (at, last.id))


def invoices_for(organization: Organization) -> QuerySet[Invoice]:
    """Return the issued invoices an organization may see, with what `row_of` needs."""
    return with_parties(Invoice.objects.for_org(organization).exclude(state=InvoiceState.DRAFT))


def with_parties(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Return invoices with what `row_of` needs."""
    carried = CarriedDue.objects.filter(carrier=OuterRef("pk"), released_at__isnull=True).order_by().values("carrier")
    summed = Coalesce(Subquery(carried.annotate(sum=Sum("amount")).values("sum")), Decimal(0))
    found = invoices.select_related("issuer", "tenant", "contract", "period", "settlement")
    return with_dues(found).annotate(carried_amount=summed)


def row_of(invoice: Invoice) -> InvoiceRow:
    """Return the row of an invoice that `invoices_for` gave."""
    assert invoice.number is not None
    assert invoice.issued_at is not None
    assert invoice.due_at is not None
    settlement = getattr(invoice, "settlement", None)
    return InvoiceRow(
        id=invoice.id,
        number=invoice.number,
        issuer_id=invoice.issuer_id,
        issuer=invoice.issuer.name,
        issuer_slug=invoice.issuer.slug,
        tenant_id=invoice.tenant_id,
        tenant=invoice.tenant.name,
        tenant_slug=invoice.tenant.slug,
        contract=invoice.contract.number,
        kind=invoice.kind,
        currency=invoice.currency,
        time_zone=invoice.contract.time_zone,
        from_at=invoice.period.from_at,
        to_at=invoice.period.to_at,
        subtotal=invoice.subtotal,
        tax=invoice.tax,
        total=invoice.total,
        outstanding=read_dues(invoice).left,
        state=invoice.state,
        issued_at=invoice.issued_at,
        due_at=invoice.due_at,
        paid_at=invoice.paid_at,
        updated_at=invoice.updated_at,
        collection=invoice.contract.collection,
        settlement_state=settlement.state if settlement else "",
        hosted_url=settlement.hosted_url if settlement else "",
        carried=getattr(invoice, "carried_amount"),  # noqa: B009  annotated
    )


def _ordered(found: QuerySet[Invoice], order: Order, after: tuple[datetime, UUID] | None) -> QuerySet[Invoice]:
    if order is Order.ISSUED:
        if after is not None:
            found = found.filter(Q(issued_at__lt=after[0]) | Q(issued_at=after[0], pk__lt=after[1]))
        return found.order_by(F("issued_at").desc(), "-pk")
    if after is not None:
        found = found.filter(Q(updated_at__gt=after[0]) | Q(updated_at=after[0], pk__gt=after[1]))
    return found.order_by("updated_at", "pk")
