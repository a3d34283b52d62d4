"""A tenant's or a provider's invoices as its list shows them: searched, filtered and paged."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import Q, QuerySet

from billing.models import Dispute, DisputeState, Invoice, InvoiceState
from billing.queries.invoices import InvoiceRow, invoices_for, row_of
from tenants.models import Organization

PAGE_ROWS = 25
COUNTED_MAX = 10_000
"""To count a million rows takes longer than to read a page of them; who wants the rest narrows the list."""
EXPORT_CHUNK_ROWS = 500


class Shown(StrEnum):
    """Which invoices a list shows."""

    ALL = ""
    OPEN = "open"
    OVERDUE = "overdue"
    PAID = "paid"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class InvoiceList:
    """One page of a list: `page` counts from 1, `found` is how many match, at most `COUNTED_MAX`; more may."""

    rows: tuple[InvoiceRow, ...]
    found: int
    page: int
    has_more: bool = False


def invoice_list(
    organization: Organization,
    *,
    now: datetime,
    shown: Shown = Shown.ALL,
    search: str = "",
    page: int = 1,
    issued: bool = False,
) -> InvoiceList:
    """Return a page of what a tenant owes, or a provider `issued`, the latest first; two queries.

    A page beyond the end, or beyond what is counted, is the last one.
    """
    found = _chosen(organization, now, shown, search, issued=issued)
    count = found.order_by()[: COUNTED_MAX + 1].count()
    has_more, count = count > COUNTED_MAX, min(count, COUNTED_MAX)
    page = max(1, min(page, -(-count // PAGE_ROWS)))
    start = (page - 1) * PAGE_ROWS
    rows = tuple(row_of(invoice) for invoice in found.order_by("-issued_at", "-pk")[start : start + PAGE_ROWS])
    return InvoiceList(rows, count, page, has_more)


def all_invoices(
    organization: Organization, *, now: datetime, shown: Shown = Shown.ALL, search: str = "", issued: bool = False
) -> Iterator[InvoiceRow]:
    """Yield every row that the list would show, read in chunks."""
    found = _chosen(organization, now, shown, search, issued=issued).order_by("-issued_at", "-pk")
    for invoice in found.iterator(chunk_size=EXPORT_CHUNK_ROWS):
        yield row_of(invoice)


def find_invoice(organization: Organization, number: str, *, issued: bool = False) -> Invoice | None:
    """Return the issued invoice of that number that a tenant owes, or a provider `issued`; or None."""
    return invoices_for(organization).filter(_party(organization, issued=issued), number=number).first()


def _party(organization: Organization, *, issued: bool) -> Q:
    return Q(issuer=organization) if issued else Q(tenant=organization)


def _chosen(organization: Organization, now: datetime, shown: Shown, search: str, *, issued: bool) -> QuerySet[Invoice]:
    which = {
        Shown.ALL: Q(),
        Shown.OPEN: Q(state=InvoiceState.ISSUED),
        Shown.OVERDUE: Q(state=InvoiceState.ISSUED, due_at__lte=now),
        Shown.PAID: Q(state=InvoiceState.PAID),
        Shown.DISPUTED: Q(pk__in=Dispute.objects.filter(state=DisputeState.OPEN).values("invoice")),
    }[shown]
    found = invoices_for(organization).filter(which, _party(organization, issued=issued))
    words = search.split()
    for word in words:
        named = Q(number__icontains=word) | Q(contract__number__icontains=word)
        found = found.filter(named | Q(tenant__name__icontains=word) if issued else named)
    return found
