"""Collective invoices on both sides: the list, one of them with its parts, and who gets them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.collective.reading import Found, FoundPart, collectives_of, named, rules_of, with_parts
from billing.csv_files import csv_answer
from billing.documents.found import find_file, has_pdf
from billing.models import DocumentFormat, InvoiceState
from billing.pages.correction_words import may_correct
from billing.pages.invoice_words import WEB, day_words
from billing.pages.payment_words import transfer_words
from billing.payment_references import payment_reference, printed_reference
from billing.together import NoTenantOfYours, set_together
from portal.figures import money
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, address, first_row, pagination, read_page
from portal.parts import Action, Empty, Pill
from portal.shell import Crumb
from tenants.models import User
from tenants.roles import CORRECT_INVOICES, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page, tenant_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from billing.models import Collective
    from tenants.models import Organization

READ_AT_ONCE = 200
"""Rows of a file that are read together."""
CSV_HEAD = ("number", "tenant", "issuer", "currency", "total", "left", "issued_at", "due_at", "invoices")


@require_safe
@tenant_page(READ_INVOICES)
def tenant_collectives(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a tenant was asked for together."""
    return _list(request, organization, "tenant")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_collectives(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a provider asked for together, and take which tenants it is to ask so."""
    if request.method != "POST":
        return _list(request, organization, "provider")
    if not may_correct(request):
        raise NotAllowed(CORRECT_INVOICES)
    assert isinstance(request.user, User)
    try:
        set_together(
            provider=organization,
            tenant_slug=request.POST.get("tenant", "")[:64],
            is_on=request.POST.get("is_on") == "1",
            by=request.user.email,
            now=datetime.now(UTC),
        )
    except NoTenantOfYours:
        messages.error(request, _("You have no contract with this tenant."))
    else:
        messages.success(request, _("This holds from the next invoice on."))
    return redirect(request.get_full_path())


@require_safe
@tenant_page(READ_INVOICES)
def tenant_collective(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show one that a tenant owes."""
    return _one(request, organization, "tenant", number)


@require_safe
@provider_page(READ_INVOICES)
def provider_collective(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Show one that a provider issued."""
    return _one(request, organization, "provider", number)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_collective_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF out to the tenant."""
    return _pdf(organization, "tenant", number)


@require_safe
@provider_page(READ_INVOICES)
def provider_collective_pdf(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """Hand the PDF out to the provider."""
    return _pdf(organization, "provider", number)


@require_safe
@tenant_page(READ_INVOICES)
def tenant_collectives_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the tenant's list."""
    return _csv(request, organization, "tenant")


@require_safe
@provider_page(READ_INVOICES)
def provider_collectives_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the provider's list."""
    return _csv(request, organization, "provider")


def _theirs(organization: Organization, side: str, search: str) -> QuerySet[Collective]:
    own = {"tenant": organization} if side == "tenant" else {"issuer": organization}
    return collectives_of(organization).filter(named(search), **own).order_by("-issued_at", "-pk")


def _all_of_them(found: QuerySet[Collective]) -> Iterator[Found]:
    """Give all that is found, with parts, of which so many are read at once."""
    collectives = list(found)
    for first in range(0, len(collectives), READ_AT_ONCE):
        yield from with_parts(collectives[first : first + READ_AT_ONCE])


def _search(request: HttpRequest, side: str) -> str:
    """Return the text that names of tenants must hold; a tenant has one name alone."""
    return request.GET.get("q", "").strip()[:200] if side == "provider" else ""


def _found(organization: Organization, side: str, number: str) -> Found:
    own = {"tenant": organization} if side == "tenant" else {"issuer": organization}
    collective = collectives_of(organization).filter(number=number, **own).first()
    if collective is None:
        raise Http404
    return with_parts([collective])[0]


def _list(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    locale, search, page = active_locale(), _search(request, side), read_page(request.GET.get("page", ""))
    found, first = _theirs(organization, side, search), first_row(page)
    shown = with_parts(list(found[first : first + ROWS_PER_PAGE]))
    if page > 1 and not shown:
        raise Http404
    words = {
        "tenant": _("Where a provider asks you for the invoices of several contracts at once, it stands here."),
        "provider": _("Switch it on for a tenant that has several contracts: its invoices are asked for at once."),
    }
    kept = {name: request.GET.get(name, "") for name in ("page", "rules")} | {"q": search}
    context = {
        "side": side,
        "search": search,
        "rows": [_row(one, side, locale) for one in shown],
        "pagination": pagination(request.path, kept, page, found.count()),
        "export_url": address(reverse(f"{side}-collectives-csv"), {"q": search}),
        **(_rules(request, organization, search, kept) if side == "provider" else {}),
        "edits": side == "provider" and may_correct(request),
        "empty": Empty(_("No collective invoices"), words[side], icon="doc"),
        "crumbs": (_back(side), Crumb(_("Collective invoices"))),
    }
    return render(request, "billing/collectives.html", context)


def _rules(request: HttpRequest, provider: Organization, search: str, kept: dict[str, str]) -> dict[str, Any]:
    """Return how tenants are asked, a page of them with pages of its own. Raises Http404 beyond the last."""
    page = read_page(request.GET.get("rules", ""))
    rules, first = rules_of(provider, search=search), first_row(page)
    if page > 1 and not rules[first:]:
        raise Http404
    return {
        "rules": rules[first : first + ROWS_PER_PAGE],
        "rules_pagination": pagination(request.path, kept, page, len(rules), parameter="rules"),
    }


def _one(request: HttpRequest, organization: Organization, side: str, number: str) -> HttpResponse:
    found, locale = _found(organization, side, number), active_locale()
    collective = found.collective
    parts = [
        {
            "number": part.invoice.number,
            "url": reverse(f"{side}-invoice", args=[part.invoice.number]),
            "contract": part.invoice.contract.number,
            "pill": _part_pill(part),
            "amount": money(part.amount, collective.currency, locale=locale),
            "left": money(part.left, collective.currency, locale=locale),
        }
        for part in found.parts
    ]
    reference = printed_reference(payment_reference(collective.number))
    context = {
        **_row(found, side, locale),
        "parts": parts,
        "reference": reference,
        "pay": _pay(found, locale) if side == "tenant" else None,
        "transfer": _transfer(found, reference, locale) if side == "tenant" and found.left else "",
        "pdf_url": reverse(f"{side}-collective-pdf", args=[number]) if has_pdf(collective.pk) else "",
        "crumbs": (
            _back(side),
            Crumb(_("Collective invoices"), reverse(f"{side}-collectives")),
            Crumb(collective.number),
        ),
    }
    return render(request, "billing/collective.html", context)


def _pay(found: Found, locale: str) -> Action | None:
    """The link to the page that takes the payment of all parts."""
    url = found.payment_url
    amount = money(found.left, found.collective.currency, locale=locale)
    return Action(_("Pay %(amount)s") % {"amount": amount}, url, primary=True) if url.startswith(WEB) else None


def _transfer(found: Found, reference: str, locale: str) -> str:
    one = found.collective
    words = {
        "amount": money(found.left, one.currency, locale=locale),
        "issuer": one.issuer.name,
        "reference": reference,
        "email": one.issuer.billing_email,
    }
    return transfer_words(words, provider_id=one.issuer_id, currency=one.currency)


def _row(found: Found, side: str, locale: str) -> dict[str, Any]:
    one = found.collective
    zone = found.parts[-1].invoice.contract.time_zone
    return {
        "number": one.number,
        "url": reverse(f"{side}-collective", args=[one.number]),
        "party": one.issuer.name if side == "tenant" else one.tenant.name,
        "invoices": len(found.parts),
        "issued": day_words(one.issued_at, zone, locale),
        "due": day_words(one.due_at, zone, locale),
        "total": money(one.total, one.currency, locale=locale),
        "left": money(found.left, one.currency, locale=locale),
        "pill": _pill(found),
    }


def _part_pill(part: FoundPart) -> Pill:
    if part.invoice.state == InvoiceState.VOID:
        return Pill(_("Void"))
    return Pill(_("Open"), "info") if part.left > 0 else Pill(_("Paid"), "good")


def _pill(found: Found) -> Pill:
    if not found.left:
        return Pill(_("Paid"), "good")
    if found.collective.due_at <= datetime.now(UTC):
        return Pill(_("Overdue"), "bad")
    return Pill(_("Open"), "info")


def _pdf(organization: Organization, side: str, number: str) -> HttpResponse:
    found = find_file(organization, _found(organization, side, number).collective.pk, DocumentFormat.PDF)
    if found is None:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{found.name}"', "ETag": f'"{found.sha256}"'}
    return HttpResponse(found.body, content_type=found.media_type, headers=headers)


def _csv(request: HttpRequest, organization: Organization, side: str) -> HttpResponseBase:
    rows = (
        (
            one.collective.number,
            one.collective.tenant.name,
            one.collective.issuer.name,
            one.collective.currency,
            one.collective.total,
            one.left,
            one.collective.issued_at,
            one.collective.due_at,
            " ".join(part.invoice.number or "" for part in one.parts),
        )
        for one in _all_of_them(_theirs(organization, side, _search(request, side)))
    )
    return csv_answer(f"collective-invoices-{organization.slug}-UTC.csv", CSV_HEAD, rows)


def _back(side: str) -> Crumb:
    return Crumb(_("Invoices"), reverse(f"{side}-invoices"))
