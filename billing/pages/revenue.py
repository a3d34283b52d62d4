"""Certified revenue on the pages of both parties: what is due, what was stated, its check, and the tenant's upload."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing.csv_files import document_answer
from billing.money import to_charge
from billing.pages.refused_fields import say_at_field
from billing.pages.share_facts import share_tabs
from billing.queries.revenue import DueRow, DueState, due_rows, statement_file
from billing.revenue_csv import BYTES_MAX
from billing.revenue_statements import NAME_CHARS_MAX, state_revenue
from portal.figures import day, moment, money, share, span
from portal.locales import active_locale
from portal.parts import Empty, Pill
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import READ_INVOICES, STATE_REVENUE, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page, tenant_page


class RevenueForm(forms.Form):
    """A certified statement of one share and billing period."""

    what = forms.ChoiceField(label=gettext_lazy("For"))
    certified_by = forms.CharField(label=gettext_lazy("Certified by"), max_length=NAME_CHARS_MAX)
    document = forms.FileField(
        label=gettext_lazy("Statement (CSV)"),
        help_text=gettext_lazy("Columns item, amount, currency; deductions are negative. The sum is the net revenue."),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def __init__(self, data: Mapping[str, Any] | None, files: Any, choices: Sequence[tuple[str, str]]) -> None:
        """Offer what can be stated."""
        super().__init__(data, files)
        what = self.fields["what"]
        assert isinstance(what, forms.ChoiceField)
        what.choices = choices

    def clean_document(self) -> bytes:
        """Read the file, which may not be larger than a statement is."""
        found = self.cleaned_data["document"]
        if found.size > BYTES_MAX:
            raise forms.ValidationError(_("The file is too large: at most 1 MiB."))
        content: bytes = found.read()
        return content


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_INVOICES)
def tenant_revenue(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what is due and stated; a POST takes a statement in, by whoever may certify revenue."""
    membership = acting_membership(request)
    states = membership is not None and allows(membership.role, STATE_REVENUE)
    if request.method == "POST" and not states:
        raise NotAllowed(STATE_REVENUE)
    rows = due_rows(organization, datetime.now(UTC))
    mine = {_key(row): row for row in rows if row.contract.tenant_id == organization.pk}
    locale = active_locale()
    choices = [(key, _what(row, locale)) for key, row in mine.items()]
    posted = request.method == "POST"
    form = RevenueForm(request.POST if posted else None, request.FILES if posted else None, choices)
    if posted and form.is_valid() and _stated(request, form, mine[form.cleaned_data["what"]]):
        return redirect("tenant-revenue")
    context = {
        **_context(rows, locale, "tenant-revenue-document", _provider),
        "tabs": share_tabs("tenant", "revenue"),
        "form": form if states and choices else None,
    }
    return render(request, "billing/revenue.html", context, status=422 if posted else 200)


@require_safe
@provider_page(READ_INVOICES)
def provider_revenue(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what tenants have certified, beside what was metered."""
    locale = active_locale()
    rows = [row for row in due_rows(organization, datetime.now(UTC)) if row.contract.provider_id == organization.pk]
    context = {
        **_context(rows, locale, "provider-revenue-document", _tenant),
        "tabs": share_tabs("provider", "revenue"),
    }
    return render(request, "billing/revenue.html", context)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_revenue_document(
    request: HttpRequest,  # noqa: ARG001  every page takes it
    organization: Organization,
    *,
    statement_id: UUID,
) -> HttpResponseBase:
    """Download a statement as it was uploaded."""
    return _document(organization, statement_id)


@require_safe
@provider_page(READ_INVOICES)
def provider_revenue_document(
    request: HttpRequest,  # noqa: ARG001  every page takes it
    organization: Organization,
    *,
    statement_id: UUID,
) -> HttpResponseBase:
    """Download a statement as it was uploaded."""
    return _document(organization, statement_id)


def _document(organization: Organization, statement_id: UUID) -> HttpResponseBase:
    found = statement_file(organization, statement_id)
    if found is None:
        raise Http404
    return document_answer(found)


def _stated(request: HttpRequest, form: RevenueForm, row: DueRow) -> bool:
    assert isinstance(request.user, User)
    try:
        _statement, is_new = state_revenue(
            contract=row.contract,
            term_ref=row.due.term.ref,
            period_from_at=row.due.period.from_at,
            document=form.cleaned_data["document"],
            certified_by=form.cleaned_data["certified_by"],
            by=request.user.email,
            now=datetime.now(UTC),
        )
    except Problem as refused:
        say_at_field(form, refused)
        return False
    messages.success(request, _("The statement is kept.") if is_new else _("This very statement was there already."))
    return True


def _key(row: DueRow) -> str:
    return f"{row.due.term.ref} {row.due.period.from_at.isoformat()}"


def _what(row: DueRow, locale: str) -> str:
    return f"{row.contract.number} · {row.due.term.ref} · {_period(row, locale)}"


def _period(row: DueRow, locale: str) -> str:
    """Return the days of a period where it begins and ends with a day, else its instants."""
    zone, period = ZoneInfo(row.contract.time_zone), row.due.period
    start, end = period.from_at.astimezone(zone), period.to_at.astimezone(zone)
    if start.time() == end.time() == time():
        return span(start.date(), end.date() - timedelta(days=1), locale)
    words = {"start": moment(period.from_at, zone, locale=locale), "end": moment(period.to_at, zone, locale=locale)}
    return _("%(start)s to %(end)s") % words


def _context(rows: Sequence[DueRow], locale: str, document: str, party: Callable[[DueRow], str]) -> dict[str, Any]:
    return {
        "rows": [{**_row(row, locale, document), "party": party(row)} for row in rows],
        "sub": _("Net revenue that tenants certify, beside list price times metered tokens."),
        "empty": Empty(
            _("Nothing is due"),
            _("No share of your contracts is taken of certified revenue, or no such period is over."),
            icon="doc",
        ),
    }


def _provider(row: DueRow) -> str:
    return row.contract.provider.name


def _tenant(row: DueRow) -> str:
    return row.contract.tenant.name


def _row(row: DueRow, locale: str, document: str) -> dict[str, Any]:
    currency, check, statement = row.contract.currency, row.check, row.due.statement
    found: dict[str, Any] = {
        "term": row.due.term.ref,
        "title": row.due.term.title,
        "contract": row.contract.number,
        "period": _period(row, locale),
        "due": day(row.due.due_at.date(), "yMMMd", locale),
        "metered": money(to_charge(check.metered), currency, locale=locale),
        "pill": _pill(row),
    }
    if statement is None:
        return found
    return found | {
        "certified": money(statement.net_revenue_amount, currency, locale=locale),
        "difference": money(to_charge(check.difference), currency, locale=locale),
        "percent": share(to_charge(check.percent / 100), digits=2),
        "tolerance": share(check.tolerance_percent / 100, digits=2),
        "within": check.is_within,
        "compared": bool(check.metered),
        "certified_by": statement.certified_by,
        "uploaded": day(statement.created_at.date(), "yMMMd", locale),
        "url": reverse(document, args=[statement.pk]),
    }


def _pill(row: DueRow) -> Pill:
    if row.state is DueState.STATED:
        if not row.check.is_within and not row.check.metered:
            return Pill(_("Nothing to compare with"), "warn")
        return Pill(_("Stated"), "good") if row.check.is_within else Pill(_("Outside tolerance"), "warn")
    return Pill(_("Waiting"), "warn") if row.state is DueState.WAITING else Pill(_("Late, estimated"), "bad")
