"""What a provider issued: the list, one invoice with what can be done about it, and the same as files."""

from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.corrections.reissuing import reissuable
from billing.csv_files import csv_answer
from billing.models import Invoice, InvoiceState
from billing.pages.collection import collection_words
from billing.pages.correction_words import may_correct
from billing.pages.invoice import evidence_answer, lines_answer, shown_invoice
from billing.pages.invoice_lines import asked_of
from billing.pages.invoice_words import invoice_entries
from billing.pages.invoices import CSV_HEAD, after_of, csv_rows, filters_of, pages_of, state_choices
from billing.pages.periods import with_query
from billing.queries.invoice_detail import OF_BOTH, detail_of
from billing.queries.invoice_list import all_invoices, find_invoice, invoice_list
from billing.queries.invoices import InvoiceRow
from portal.locales import active_locale
from portal.paging import read_page
from portal.parts import Action, Empty
from tenants.limits.reader import within_own
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page

CSV_TENANT = "tenant"


@require_safe
@provider_page(READ_INVOICES)
def provider_invoices(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a provider issued, the latest first, by state, number, contract or tenant."""
    now = datetime.now(UTC)
    locale = active_locale()
    shown, search = filters_of(request)
    page = read_page(request.GET.get("page", ""))
    found = invoice_list(
        organization, now=now, shown=shown, search=search, page=page, issued=True, after=after_of(request)
    )
    kept = {"state": shown.value, "q": search}
    context = {
        "entries": invoice_entries(found.rows, now, locale, side="provider"),
        "search": search,
        "shown": shown.value,
        "choices": state_choices(request.path, shown, search),
        "export_url": with_query(reverse("provider-invoices-csv"), kept),
        "pagination": pages_of(request.path, found, kept),
        "empty": _empty(request.path, filtered=bool(shown or search)),
    }
    return render(request, "billing/provider_invoices.html", context)


@require_safe
@provider_page(READ_INVOICES)
def provider_invoices_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write every invoice that the list shows with the same address, on all its pages."""
    now = datetime.now(UTC)
    shown, search = filters_of(request)
    rows = all_invoices(organization, now=now, shown=shown, search=search, issued=True)
    body = ((row.tenant, *said) for row in rows for said in csv_rows([row], now))
    return csv_answer(f"invoices-issued-{organization.slug}-UTC.csv", (CSV_TENANT, *CSV_HEAD), body)


@require_safe
@provider_page(READ_INVOICES)
def provider_invoice(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show an invoice as its tenant sees it, with what its issuer can do about it."""
    invoice = _find(organization, number)
    now, locale = datetime.now(UTC), active_locale()
    opened = request.GET.get("line", "")
    with within_own(organization.pk, OF_BOTH):
        detail = detail_of(organization, invoice, asked_of(request.GET.dict()))
        context: dict[str, Any] = shown_invoice(invoice, detail, now, locale, side="provider", opened=opened)
        context["collecting"] = collection_words(invoice, locale, acts=may_correct(request))
        context["actions"] = _actions(detail.row, may_correct=may_correct(request), again=reissuable(invoice))
    return render(request, "billing/tenant_invoice.html", context)


@require_safe
@provider_page(READ_INVOICES)
def provider_invoice_lines(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponseBase:  # noqa: ARG001  a view takes it
    """Write the parts of every line: one row per class, tier, price version and day."""
    return lines_answer(organization, _find(organization, number))


@require_safe
@provider_page(READ_INVOICES)
def provider_invoice_evidence(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the evidence file out."""
    return evidence_answer(organization, _find(organization, number))


def _find(organization: Organization, number: str) -> Invoice:
    invoice = find_invoice(organization, number, issued=True)
    if invoice is None:
        raise Http404
    return invoice


def _actions(row: InvoiceRow, *, may_correct: bool, again: bool) -> list[Action]:
    found = []
    if row.state in (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE):
        found.append(Action(_("Dunning"), reverse("provider-dunning-case", args=[row.id])))
    if may_correct and (again or row.state != InvoiceState.VOID):
        words = _("Issue again") if again else _("Correct")
        found.append(Action(words, reverse("provider-invoice-correct", args=[row.number])))
    return found


def _empty(path: str, *, filtered: bool) -> Empty:
    if filtered:
        words = _("No invoice that you issued has this state and number, contract or tenant.")
        return Empty(_("Nothing matches"), words, Action(_("Show all"), path), "doc")
    return Empty(
        _("No invoices yet"),
        _("An invoice is issued when a billing period is over and every reading of it is in."),
        icon="doc",
    )
