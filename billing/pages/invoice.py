"""One invoice of a tenant: what it is for, the proof, and how to pay it; its lines and evidence as files."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.models import Chargeback, Invoice, InvoiceState
from billing.money import round_to_minor
from billing.pages.correction_words import may_correct
from billing.pages.dunning import steps_of
from billing.pages.dunning_words import step_words
from billing.pages.energy_words import energy_words
from billing.pages.invoice_context import invoice_context
from billing.pages.invoice_files import correction_rows, invoice_papers
from billing.pages.invoice_lines import asked_of
from billing.pages.invoice_words import day_words
from billing.pages.tax_words import tax_lines
from billing.queries.energy import tenant_energy
from billing.queries.invoice_beside import beside
from billing.queries.invoice_detail import (
    OF_BOTH,
    InvoiceDetail,
    InvoiceLines,
    LineRow,
    SublineRow,
    detail_of,
    invoice_evidence,
    invoice_lines,
)
from billing.queries.invoice_list import find_invoice as find_invoice
from billing.queries.invoice_taxes import invoice_rates
from billing.reconciling.chargeback_words import chargeback_rows
from billing.together import collective_of
from metering.context_bands import tier_id
from portal.locales import active_locale
from portal.paging import pagination
from tenants.limits.reader import within_own
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import tenant_page

LINES_HEAD = (
    "line",
    "heading",
    "description",
    "model",
    "token_class",
    "tier",
    "quantity",
    "unit",
    "unit_price",
    "unit_price_unit",
    "price_version",
    "share_percent",
    "currency",
    "base_amount",
    "exact_amount",
    "line_amount",
)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoice(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show an issued invoice with its lines and the checks of its evidence."""
    invoice = _find(organization, number)
    locale = active_locale()
    opened = request.GET.get("line", "")
    with within_own(organization.pk, OF_BOTH):
        detail = detail_of(organization, invoice, asked_of(request.GET.dict()))
        context = shown_invoice(invoice, detail, datetime.now(UTC), locale, side="tenant", opened=opened)
    if may_correct(request) and invoice.state != InvoiceState.VOID:
        context["question_url"] = reverse("tenant-invoice-question", args=[number])
    return render(request, "billing/tenant_invoice.html", context)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoice_lines(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponseBase:  # noqa: ARG001  a view takes it
    """Write the parts of every line: one row per class, tier, price version and day."""
    return lines_answer(organization, _find(organization, number))


@require_safe
@tenant_page(READ_INVOICES)
def tenant_invoice_evidence(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the evidence file out."""
    return evidence_answer(organization, _find(organization, number))


def shown_invoice(
    invoice: Invoice, detail: InvoiceDetail, now: datetime, locale: str, *, side: str, opened: str
) -> dict[str, Any]:
    """Return what the page of an invoice shows to one side, "tenant" or "provider"; `opened` is the line asked for."""
    email = invoice.issuer.billing_email
    context = invoice_context(detail, email, now, locale, side=side, opened=opened)
    row, there_is = detail.row, beside(invoice.pk)
    context["collective"] = _collective(invoice, locale, side) if there_is.collective else None
    path = reverse(f"{side}-invoice", args=[row.number])
    context["pagination"] = pagination(path, {}, detail.page, detail.lines, detail.page_lines)
    context["taxes"] = tax_lines(invoice_rates(row.id), row.currency, locale)
    context["corrections"] = correction_rows(invoice, there_is, locale, side)
    context |= invoice_papers(invoice.issuer if side == "provider" else invoice.tenant, invoice, side)
    if side == "provider" and there_is.chargebacks:
        context["chargebacks"] = chargeback_rows(Chargeback.objects.filter(payment__invoice=invoice), locale)
    context["steps"] = [step_words(step, locale) for step in steps_of(invoice)] if there_is.dunning_steps else []
    context["energy"] = energy_words(tenant_energy(row.tenant_id, row.from_at, row.to_at, provider=row.issuer_id))
    return context


def _collective(invoice: Invoice, locale: str, side: str) -> dict[str, str] | None:
    """Return the collective invoice that asks for an invoice, if one does."""
    found = collective_of(invoice.pk)
    if found is None:
        return None
    return {
        "number": found.number,
        "url": reverse(f"{side}-collective", args=[found.number]),
        "due": day_words(found.due_at, invoice.contract.time_zone, locale),
    }


def lines_answer(organization: Organization, invoice: Invoice) -> HttpResponseBase:
    """Return the lines of an invoice that an organization may see, as a file."""
    found = invoice_lines(organization, invoice.pk)
    if found is None:
        raise Http404
    row = found.row
    name = f"invoice-{row.number}-{row.time_zone.replace('/', '-')}.csv"
    return csv_answer(name, (f"day ({row.time_zone})", *LINES_HEAD), _line_rows(found))


def evidence_answer(organization: Organization, invoice: Invoice) -> HttpResponse:
    """Return the evidence file of an invoice that an organization may see, byte for byte as it was sealed."""
    found = invoice_evidence(organization, invoice.pk)
    if found is None:
        raise Http404
    number = invoice.number
    headers = {"Content-Disposition": f'attachment; filename="{number}-evidence.json"'}
    return HttpResponse(found[0].encode(), content_type="application/json", headers=headers)


def _find(organization: Organization, number: str) -> Invoice:
    invoice = find_invoice(organization, number)
    if invoice is None:
        raise Http404
    return invoice


def _line_rows(found: InvoiceLines) -> Iterator[tuple[object, ...]]:
    for group in found.groups:
        for line in group.lines:
            for place, subline in enumerate(line.sublines):
                yield _subline_row(group.heading, line, subline, found.row.currency, first=place == 0)


def _subline_row(heading: str, line: LineRow, subline: SublineRow, currency: str, *, first: bool) -> tuple[object, ...]:
    """The rounded amount of a line stands on its first row only, so that the column sums to the invoice."""
    return (
        subline.day,
        line.position,
        heading,
        line.description,
        line.model,
        subline.token_class,
        tier_id(subline.context_over),
        subline.quantity,
        line.unit,
        subline.unit_price,
        line.unit_price_unit,
        f"v{subline.version}" if subline.version is not None else "",
        line.share_percent,
        currency,
        subline.base_amount,
        subline.exact_amount,
        round_to_minor(line.amount, currency) if first else None,
    )
