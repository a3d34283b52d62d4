"""Exports: an organization's invoices as files that cost tools read."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.documents.focus import COLUMNS, cells
from billing.documents.focus_reading import focus_rows
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page, tenant_page

DAY = timedelta(days=1)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_exports(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Show what a tenant can export."""
    return _page(request, "tenant-exports-focus")


@require_safe
@provider_page(READ_INVOICES)
def provider_exports(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Show what a provider can export."""
    return _page(request, "provider-exports-focus")


@require_safe
@tenant_page(READ_INVOICES)
def tenant_exports_focus(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write what the tenant was invoiced as FOCUS rows."""
    return _focus(request, organization)


@require_safe
@provider_page(READ_INVOICES)
def provider_exports_focus(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write what the provider invoiced as FOCUS rows."""
    return _focus(request, organization)


def _page(request: HttpRequest, file: str) -> HttpResponse:
    last = datetime.now(UTC).date().replace(day=1) - DAY
    context: dict[str, Any] = {
        "focus_url": reverse(file),
        "first": last.replace(day=1).isoformat(),
        "last": last.isoformat(),
        "columns": COLUMNS,
        "crumbs": (Crumb(_("Billing")), Crumb(_("Exports"))),
    }
    return render(request, "billing/exports.html", context)


def _focus(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    first, last = _day(request, "from"), _day(request, "to")
    if first > last:
        first, last = last, first
    rows = focus_rows(organization, issued_from=_midnight(first), issued_to=_midnight(last + DAY))
    return csv_answer(f"focus-{first:%Y%m%d}-{last:%Y%m%d}.csv", COLUMNS, (tuple(cells(row)) for row in rows))


def _day(request: HttpRequest, name: str) -> date:
    """A day of the query that another follows; an address with something else is none."""
    try:
        found = date.fromisoformat(request.GET.get(name, ""))
    except ValueError as error:
        raise Http404 from error
    if found == date.max:
        raise Http404
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
