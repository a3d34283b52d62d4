"""A tenant's invoices: those still growing, and those issued; and the same as a file."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.money import round_to_minor
from billing.pages.dunning_words import suspension_notices
from billing.pages.invoice_words import day_words, invoice_entries, period_words
from billing.pages.periods import with_query
from billing.queries.drafts import DraftRow, draft_rows
from billing.queries.invoice_list import COUNTED_MAX, PAGE_ROWS, InvoiceList, Shown, all_invoices, invoice_list
from billing.queries.invoices import InvoiceRow
from portal.locales import active_locale
from portal.paging import address, pagination, read_page
from portal.parts import Action, Choice, Empty, Pagination, Pill
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import tenant_page

SEARCH_CHARACTERS_MAX = 64
LAST_PAGE = COUNTED_MAX // PAGE_ROWS
"""Of a stretch that another one follows."""
CSV_HEAD = (
    "number",
    "issuer",
    "contract",
    "time_zone",
    "period_from_utc",
    "period_to_utc",
    "issued_at_utc",
    "due_at_utc",
    "paid_at_utc",
    "state",
    "days_overdue",
    "currency",
    "subtotal",
    "tax",
    "total",
    "outstanding",
)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoices(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a tenant owes: what grows now, then what was issued, the latest first."""
    now = datetime.now(UTC)
    locale = active_locale()
    shown, search = filters_of(request)
    found = invoice_list(
        organization,
        now=now,
        shown=shown,
        search=search,
        page=read_page(request.GET.get("page", "")),
        after=after_of(request),
    )
    kept = {"state": shown.value, "q": search}
    # What grows is rated for whoever opens the list, not for each page and search of it.
    drafts = draft_rows(organization, now) if found.page == 1 and not (shown or search or found.after) else ()
    context = {
        "entries": invoice_entries(found.rows, now, locale),
        "drafts": _drafts(drafts, now, locale),
        "suspended": suspension_notices(organization),
        "search": search,
        "shown": shown.value,
        "choices": state_choices(request.path, shown, search),
        "export_url": with_query(reverse("tenant-invoices-csv"), kept),
        "pagination": pages_of(request.path, found, kept),
        "empty": _empty(request.path, filtered=bool(shown or search)),
    }
    return render(request, "billing/tenant_invoices.html", context)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoices_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write every invoice that the list shows with the same address, on all its pages."""
    now = datetime.now(UTC)
    shown, search = filters_of(request)
    rows = all_invoices(organization, now=now, shown=shown, search=search)
    return csv_answer(f"invoices-{organization.slug}-UTC.csv", CSV_HEAD, csv_rows(rows, now))


def csv_rows(rows: Iterable[InvoiceRow], now: datetime) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a file of invoices, under `CSV_HEAD`."""
    for row in rows:
        yield (
            row.number,
            row.issuer,
            row.contract,
            row.time_zone,
            row.from_at.isoformat(),
            row.to_at.isoformat(),
            row.issued_at.isoformat(),
            row.due_at.isoformat(),
            row.paid_at.isoformat() if row.paid_at else None,
            row.state,
            row.days_overdue(now),
            row.currency,
            round_to_minor(row.subtotal, row.currency),
            round_to_minor(row.tax, row.currency),
            round_to_minor(row.total, row.currency),
            round_to_minor(row.outstanding, row.currency),
        )


def filters_of(request: HttpRequest) -> tuple[Shown, str]:
    """Return which invoices an address asks for: their state and words to search."""
    wanted = request.GET.get("state", "")
    shown = Shown(wanted) if wanted in set(Shown) else Shown.ALL
    return shown, request.GET.get("q", "").strip()[:SEARCH_CHARACTERS_MAX]


def state_choices(path: str, shown: Shown, search: str) -> list[Choice]:
    """Return the states that a list can be limited to."""
    words = {
        Shown.ALL: _("All"),
        Shown.OPEN: _("Open"),
        Shown.OVERDUE: _("Overdue"),
        Shown.DISPUTED: _("Disputed"),
        Shown.PAID: _("Paid"),
    }
    return [
        Choice(title, with_query(path, {"state": each.value, "q": search}), current=each is shown)
        for each, title in words.items()
    ]


def _drafts(rows: Iterable[DraftRow], now: datetime, locale: str) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "period": period_words(row.from_at, row.to_at, row.time_zone, locale),
            "pill": Pill(_("Closing"), "info") if row.is_over(now) else Pill(_("Draft")),
            "words": _("over; waits for the last readings")
            if row.is_over(now)
            else _("grows until %(day)s") % {"day": day_words(row.to_at, row.time_zone, locale)},
            "url": reverse("tenant-usage"),
            "draft_url": reverse("tenant-draft", args=[row.period_id]),
        }
        for row in rows
    ]


def pages_of(path: str, found: InvoiceList, kept: dict[str, str]) -> Pagination | None:
    """Return where the pages before and after are, None for one page; behind the last page that is counted the list
    goes on with the next stretch."""
    kept = {**kept, "after": str(found.after or "")}
    pages = pagination(path, kept, found.page, found.found, PAGE_ROWS, has_more=found.has_more)
    if pages is None and found.after is None:
        return None
    summary = pages.summary if pages is not None else _("The oldest")
    previous = pages.previous_url if pages is not None else ""
    following = pages.next_url if pages is not None else ""
    if found.after is not None:
        summary = _("%(rows)s, further back") % {"rows": summary}
    if found.after is not None and found.page == 1:
        previous = address(path, {**kept, "after": str(found.previous_after or ""), "page": str(LAST_PAGE)})
    if found.next_after is not None:
        following = address(path, {**kept, "after": str(found.next_after)})
    return Pagination(summary, previous, following)


def after_of(request: HttpRequest) -> UUID | None:
    """Return behind which invoice an address has the list begin."""
    try:
        return UUID(request.GET.get("after", ""))
    except ValueError:
        return None


def _empty(path: str, *, filtered: bool) -> Empty:
    if filtered:
        return Empty(
            _("Nothing matches"),
            _("No invoice of yours has this state and number."),
            Action(_("Show all"), path),
            "doc",
        )
    return Empty(
        _("No invoices yet"),
        _("An invoice is issued when a billing period is over and every reading of it is in."),
        icon="doc",
    )
