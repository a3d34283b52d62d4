"""Invoices in the order they changed, for programs that keep a copy: nothing is left out and nothing comes twice.

Every write of an invoice is stamped by the database's clock within its transaction, but transactions end in another
order than they were stamped. So what was written while an older transaction still runs is held back until that one
has ended: then nothing can appear any more before a place that was read past.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from billing.queries.invoices import PAGE_ROWS_MAX, InvoiceRow, invoices_for, row_of
from tenants.listing.following import horizon
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader is: after the row with this stamp and id."""

    changed_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class ChangedInvoice:
    """A row and when it last changed."""

    row: InvoiceRow
    changed_at: datetime

    @property
    def place(self) -> Place:
        """Where a reader goes on after this row."""
        return Place(self.changed_at, self.row.id)


@dataclass(frozen=True, slots=True)
class InvoiceChanges:
    """Some rows, oldest change first, and whether more are there already."""

    rows: tuple[ChangedInvoice, ...]
    has_more: bool


def invoice_changes(
    organization: Organization,
    *,
    after: Place | None = None,
    limit: int = 100,
    state: str | None = None,
    issued_from: datetime | None = None,
    issued_to: datetime | None = None,
    contract: str | None = None,
    updated_since: datetime | None = None,
) -> InvoiceChanges:
    """Return invoices that an organization owes or issued, in the order they changed; two queries.

    Whoever goes on after the last row's place gets every later version of every invoice that the filters admit once.
    """
    wanted = min(limit, PAGE_ROWS_MAX)
    filters: dict[str, Any] = {
        "state": state,
        "issued_at__gte": issued_from,
        "issued_at__lt": issued_to,
        "contract__number": contract,
        "changed_at__gte": updated_since,
    }
    # The horizon is read first: a transaction that begins after it stamps later than it.
    found = invoices_for(organization).filter(
        changed_at__lt=horizon(), **{name: value for name, value in filters.items() if value is not None}
    )
    if after is not None:
        found = found.filter(Q(changed_at__gt=after.changed_at) | Q(changed_at=after.changed_at, pk__gt=after.id))
    rows = [
        ChangedInvoice(row_of(invoice), invoice.changed_at)
        for invoice in found.order_by("changed_at", "pk")[: wanted + 1]
    ]
    return InvoiceChanges(tuple(rows[:wanted]), len(rows) > wanted)


def changed_invoice(organization: Organization, invoice_id: UUID) -> ChangedInvoice | None:
    """Return one invoice that an organization owes or issued, or None."""
    invoice = invoices_for(organization).filter(pk=invoice_id).first()
    return None if invoice is None else ChangedInvoice(row_of(invoice), invoice.changed_at)
