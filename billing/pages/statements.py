"""A provider's statements: the list, and one with its invoices, terms, corrections, payouts and witnesses."""

import json
from collections.abc import Iterator
from decimal import Decimal

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.documents.found import has_pdf
from billing.models import ProviderStatement
from billing.money import round_to_minor
from billing.pages import statement_words as words
from billing.statements.reading import statement_numbered, statements_of
from portal.figures import money
from portal.locales import active_locale
from portal.parts import Empty
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page

CSV_HEAD = ("part", "number", "contract", "tenant", "at_utc", "total", "deposit", "fee", "tax", "amount", "memo")


@require_safe
@provider_page(READ_INVOICES)
def provider_statements(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List a provider's statements, the latest first."""
    locale = active_locale()
    rows = [
        {
            "number": one.number,
            "url": reverse("provider-statement", args=[one.number]),
            "month": words.month_words(one.month, locale),
            **{
                name: money(getattr(one, name), one.currency, locale=locale)
                for name in ("opening", "earned", "received", "moved", "paid_out", "closing")
            },
        }
        for one in statements_of(organization)
    ]
    empty = Empty(
        _("No statements yet"),
        _("A statement is made when every billing period of a month is closed, at the latest 15 days after it."),
        icon="doc",
    )
    return render(request, "billing/provider_statements.html", {"rows": rows, "empty": empty})


@require_safe
@provider_page(READ_INVOICES)
def provider_statement(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show one statement as it was frozen."""
    statement = _found(organization, number)
    document, currency = json.loads(statement.document), statement.currency
    locale = active_locale()
    month = words.month_words(statement.month, locale)
    context = {
        "statement": statement,
        "sub": _("%(month)s in %(currency)s") % {"month": month, "currency": currency},
        "crumbs": [Crumb(_("Statements"), reverse("provider-statements")), Crumb(statement.number)],
        "kpis": words.kpis(statement, locale),
        "earned": words.earned_rows(document, currency, locale),
        "received": words.moved_rows(document["received"], currency, locale),
        "moved": words.moved_rows(document["moved"], currency, locale),
        "paid_out": words.moved_rows(document["paid_out"], currency, locale),
        "terms": words.term_rows(document, currency, locale),
        "reconciled": words.reconciled_rows(document),
        "missing": document["missing"],
        "totals": {
            name: money(Decimal(amount), currency, locale=locale) for name, amount in document["totals"].items()
        },
        "document_url": reverse("provider-statement-document", args=[statement.number]),
        "pdf_url": reverse("provider-statement-pdf", args=[statement.number]) if has_pdf(statement.pk) else "",
        "csv_url": reverse("provider-statement-csv", args=[statement.number]),
    }
    return render(request, "billing/provider_statement.html", context)


@require_safe
@provider_page(READ_INVOICES)
def provider_statement_document(
    request: HttpRequest,  # noqa: ARG001  every page takes it
    organization: Organization,
    *,
    number: str,
) -> HttpResponse:
    """Download the document exactly as it was hashed."""
    statement = _found(organization, number)
    name = f"statement-{statement.number}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "ETag": f'"{statement.sha256}"'}
    return HttpResponse(statement.document.encode(), content_type="application/json", headers=headers)


@require_safe
@provider_page(READ_INVOICES)
def provider_statement_csv(
    request: HttpRequest,  # noqa: ARG001  every page takes it
    organization: Organization,
    *,
    number: str,
) -> HttpResponseBase:
    """Download everything that moved the balance; the column of amounts is opening to closing."""
    statement = _found(organization, number)
    return csv_answer(f"statement-{statement.number}.csv", CSV_HEAD, _csv_rows(statement))


def _csv_rows(statement: ProviderStatement) -> Iterator[tuple[object, ...]]:
    document = json.loads(statement.document)

    def plain(amount: Decimal) -> Decimal:
        return round_to_minor(amount, statement.currency)

    nothing = (None,) * 8
    yield ("opening", *nothing, plain(statement.opening), None)
    for one in document["earned"]:
        amounts = [Decimal(one[name]) for name in ("total", "deposit", "fee", "tax")]
        owed = Decimal(one["net"]) + Decimal(one["tax"]) + Decimal(one["deposit"])
        about = (one["kind"], one["number"], one["contract"], one["tenant"], one["booked_at"])
        yield (*about, *amounts, owed, None)
    for name in ("received", "moved", "paid_out"):
        for one in document[name]:
            yield (
                one["cause"],
                None,
                None,
                None,
                one["at"],
                None,
                None,
                None,
                None,
                Decimal(one["amount"]),
                one["memo"],
            )
    yield ("closing", *nothing, plain(statement.closing), None)


def _found(organization: Organization, number: str) -> ProviderStatement:
    statement = statement_numbered(organization, number)
    if statement is None:
        raise Http404
    return statement
