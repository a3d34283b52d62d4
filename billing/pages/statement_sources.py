"""Where a statement's amounts came from: by tenant, model, node or GPU, as a page and as a file that equals it."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.money import round_to_minor, to_charge
from billing.pages.periods import with_query
from billing.pages.statement_words import month_words
from billing.rating.wording import plain
from billing.statements.reading import statement_numbered
from billing.statements.sources import NOWHERE, Source, SourceBy, Sources, sources_of
from portal.charts import Part, bar
from portal.figures import DASH, money, share
from portal.locales import active_locale
from portal.parts import Choice, Empty
from portal.shell import Crumb
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from billing.models import ProviderStatement
    from tenants.models import Organization

CSV_HEAD: Final = ("by", "name", "where", "currency", "amount")
DIGITS: Final = 4


@require_safe
@provider_page(READ_INVOICES)
def provider_statement_sources(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show what each tenant, model, node or GPU brought of a statement's invoices."""
    statement, by = _asked(request, organization, number)
    found = sources_of(organization, json.loads(statement.document), by)
    locale = active_locale()
    path = reverse("provider-statement-sources", args=[number])
    words = _words()
    most = max((line.amount for line in found.lines), default=Fraction(0))
    context = {
        "statement": statement,
        "sub": _("%(number)s · %(month)s · amounts are exact, before each line is rounded once")
        % {"number": number, "month": month_words(statement.month, locale)},
        "title": words[by],
        "lines": [_line(line, found, most, statement.currency, locale) for line in found.lines],
        "rounding": money(to_charge(found.rounding), statement.currency, locale=locale, digits=DIGITS),
        "total": money(found.total, statement.currency, locale=locale),
        "choices": [
            Choice(title, with_query(path, {"by": each.value}), current=each is by) for each, title in words.items()
        ],
        "csv_url": with_query(reverse("provider-statement-sources-csv", args=[number]), {"by": by.value}),
        "places": by in (SourceBy.NODE, SourceBy.GPU),
        "empty": Empty(_("No invoice was booked."), _("A statement without invoices came from nowhere."), icon="doc"),
        "crumbs": (
            Crumb(_("Statements"), reverse("provider-statements")),
            Crumb(number, reverse("provider-statement", args=[number])),
            Crumb(_("Where it came from")),
        ),
    }
    return render(request, "billing/statement_sources.html", context)


@require_safe
@provider_page(READ_INVOICES)
def provider_statement_sources_csv(
    request: HttpRequest, organization: Organization, *, number: str
) -> HttpResponseBase:
    """Write every line that the page shows, exact; the last line is the rounding, and the column adds up."""
    statement, by = _asked(request, organization, number)
    found = sources_of(organization, json.loads(statement.document), by)
    return csv_answer(f"statement-{number}-by-{by}.csv", CSV_HEAD, _csv_rows(found, statement.currency))


def _asked(request: HttpRequest, organization: Organization, number: str) -> tuple[ProviderStatement, SourceBy]:
    statement, by = statement_numbered(organization, number), request.GET.get("by", "") or SourceBy.TENANT.value
    if statement is None or by not in set(SourceBy):
        raise Http404
    return statement, SourceBy(by)


def _words() -> dict[SourceBy, str]:
    return {
        SourceBy.TENANT: _("By tenant"),
        SourceBy.MODEL: _("By model"),
        SourceBy.NODE: _("By node"),
        SourceBy.GPU: _("By GPU"),
    }


def _name(line: Source) -> str:
    return line.name if line.name != NOWHERE else _("Without a place")


def _line(line: Source, found: Sources, most: Fraction, currency: str, locale: str) -> dict[str, object]:
    amount = to_charge(line.amount)
    part = max(line.amount / most, Fraction(0)) if most > 0 else Fraction(0)
    return {
        "name": _name(line),
        "where": line.where,
        "bar": bar([Part("m0", to_charge(part))], whole=1, height_px=5) if part else "",
        "share": share(amount / found.total, digits=1) if found.total > 0 else DASH,
        "amount": money(amount, currency, locale=locale, digits=DIGITS),
    }


def _csv_rows(found: Sources, currency: str) -> Iterator[tuple[object, ...]]:
    for line in found.lines:
        yield (found.by, _name(line), line.where, currency, plain(to_charge(line.amount)))
    yield (found.by, "rounding", "", currency, plain(to_charge(found.rounding)))
    yield (found.by, "total", "", currency, round_to_minor(found.total, currency))
