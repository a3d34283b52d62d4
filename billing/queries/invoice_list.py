"""A tenant's or a provider's invoices as its list shows them: searched, filtered and paged."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.models import Contract, Dispute, DisputeState, Invoice, InvoiceState
from billing.queries.invoices import InvoiceRow, row_of, with_parties
from tenants.limits.reader import within_own
from tenants.limits.written_once import written_once
from tenants.models import Organization

PAGE_ROWS = 25
COUNTED_MAX = 10_000
"""To count a million rows takes longer than to read a page of them: a list is paged in stretches of so many, and after
the last page of one the next begins behind its last invoice."""
EXPORT_CHUNK_ROWS = 500
OWN_INVOICES = "each names the reader as its party, and with it what it is of"


class Shown(StrEnum):
    """Which invoices a list shows."""

    ALL = ""
    OPEN = "open"
    OVERDUE = "overdue"
    PAID = "paid"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class InvoiceList:
    """One page of a list: `page` counts from 1, `found` is how many match of a stretch that begins behind the invoice
    `after`, at most `COUNTED_MAX`; more may.

    `next_after` is where the next stretch begins, on the last page of one that has a next; `previous_after` where the
    one before it began, on the first page of one; None where there is none, or where that began with the latest.
    """

    rows: tuple[InvoiceRow, ...]
    found: int
    page: int
    has_more: bool = False
    after: UUID | None = None
    next_after: UUID | None = None
    previous_after: UUID | None = None


def invoice_list(
    organization: Organization,
    *,
    now: datetime,
    shown: Shown = Shown.ALL,
    search: str = "",
    page: int = 1,
    issued: bool = False,
    after: UUID | None = None,
    counted_max: int = COUNTED_MAX,
) -> InvoiceList:
    """Return a page of what a tenant owes, or a provider `issued`, the latest first; three queries, and those that find
    the stretches before and behind where there are any.

    A page beyond the end, or beyond what is counted, is the last one. An invoice `after` that is none of these is left
    out of account.
    """
    with within_own(organization.pk, OWN_INVOICES):
        every = _chosen(organization, now, shown, search, issued=issued)
        last = every.filter(pk=after).first() if after is not None else None
        found = every if last is None else every.filter(_behind(last))
        count = found.order_by()[: counted_max + 1].count()
        has_more, count = count > counted_max, min(count, counted_max)
        page = max(1, min(page, -(-count // PAGE_ROWS)))
        start = (page - 1) * PAGE_ROWS
        # Chosen first and read then: what is left to pay is not worked out for rows that are passed over.
        ids = list(
            found.order_by("-issued_at", "-pk").values_list("pk", flat=True)[
                start : min(start + PAGE_ROWS, counted_max)
            ]
        )
        read = {invoice.pk: invoice for invoice in _read(ids)}
        before = _stretch_before(every, last, counted_max) if last is not None and page == 1 else None
    return InvoiceList(
        tuple(row_of(read[key]) for key in ids),
        count,
        page,
        has_more,
        after=None if last is None else last.pk,
        next_after=ids[-1] if has_more and start + len(ids) == count else None,
        previous_after=before,
    )


@written_once
def _read(ids: list[UUID]) -> QuerySet[Invoice]:
    return with_parties(Invoice.objects.filter(pk__in=ids))


@written_once
def _numbered(party: UUID, number: str, *, issued: bool) -> QuerySet[Invoice]:
    return with_parties(_issued(party, issued=issued)).filter(number=number).order_by("pk")[:1]


def _behind(last: Invoice) -> Q:
    """Which invoices come behind one, the latest first."""
    return Q(issued_at__lt=last.issued_at) | Q(issued_at=last.issued_at, pk__lt=last.pk)


def _stretch_before(every: QuerySet[Invoice], last: Invoice, counted_max: int) -> UUID | None:
    """Return behind which invoice the stretch begins whose last one is `last`."""
    ahead = every.filter(Q(issued_at__gt=last.issued_at) | Q(issued_at=last.issued_at, pk__gte=last.pk))
    newer = ahead.order_by("issued_at", "pk").values_list("pk", flat=True)
    return next(iter(newer[counted_max : counted_max + 1]), None)


def latest_invoices(organization: Organization, *, count: int) -> tuple[InvoiceRow, ...]:
    """Return the first rows of the list of what a tenant owes, without counting the rest; one query."""
    with within_own(organization.pk, OWN_INVOICES):
        return tuple(row_of(one) for one in _latest(organization.pk, count))


@written_once
def _latest(tenant: UUID, count: int) -> QuerySet[Invoice]:
    return with_parties(_issued(tenant, issued=False)).order_by("-issued_at", "-pk")[:count]


def all_invoices(
    organization: Organization, *, now: datetime, shown: Shown = Shown.ALL, search: str = "", issued: bool = False
) -> Iterator[InvoiceRow]:
    """Yield every row that the list would show, read in chunks."""
    chosen = _chosen(organization, now, shown, search, issued=issued)
    found = with_parties(chosen).order_by("-issued_at", "-pk")
    for invoice in found.iterator(chunk_size=EXPORT_CHUNK_ROWS):
        yield row_of(invoice)


def find_invoice(organization: Organization, number: str, *, issued: bool = False) -> Invoice | None:
    """Return the issued invoice of that number that a tenant owes, or a provider `issued`; or None."""
    with within_own(organization.pk, OWN_INVOICES):
        return next(iter(_numbered(organization.pk, number, issued=issued)), None)


def _party(party: UUID, *, issued: bool) -> Q:
    return Q(issuer=party) if issued else Q(tenant=party)


def _issued(party: UUID, *, issued: bool) -> QuerySet[Invoice]:
    """What is no draft was issued: asked for so, rows are counted in the index that orders them."""
    return Invoice.objects.filter(_party(party, issued=issued), issued_at__isnull=False)


def _chosen(organization: Organization, now: datetime, shown: Shown, search: str, *, issued: bool) -> QuerySet[Invoice]:
    which = {
        Shown.ALL: Q(),
        Shown.OPEN: Q(state=InvoiceState.ISSUED),
        Shown.OVERDUE: Q(state=InvoiceState.ISSUED, due_at__lte=now),
        Shown.PAID: Q(state=InvoiceState.PAID),
        Shown.DISPUTED: Q(pk__in=Dispute.objects.filter(state=DisputeState.OPEN).values("invoice")),
    }[shown]
    found = _issued(organization.pk, issued=issued).filter(which)
    for word in search.split():
        found = found.filter(_named(organization, word, issued=issued))
    return found


def _named(organization: Organization, word: str, *, issued: bool) -> Q:
    """Which invoices a word is in: in their number, their contract's, or for who issued them in the tenant's name.

    Contracts and tenants are few and looked for apart, so that indexes of invoices find the rest.
    """
    contracts = Contract.objects.filter(Q(provider=organization) if issued else Q(tenant=organization))
    named = Q(number__icontains=word) | Q(contract__in=_ids(contracts.filter(number__icontains=word)))
    if issued:
        tenants = Organization.objects.filter(contracts_taken__provider=organization, name__icontains=word)
        named |= Q(tenant__in=_ids(tenants.distinct()))
    return named


def _ids(found: QuerySet[Any]) -> list[UUID]:
    return list(found.values_list("pk", flat=True))
