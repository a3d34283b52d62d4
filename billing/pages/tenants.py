"""A provider's tenants: all of them with what they were billed, one of them, and inviting a new one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing.csv_files import csv_answer
from billing.models import Contract, Invoice
from billing.pages.contract_words import contract_pill
from billing.pages.periods import with_query
from billing.queries.tenants import BILLED, TenantFigures, tenant_list, tenants_of
from portal.figures import day, money
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Empty, Pill
from portal.shell import Crumb
from tenants.acting import person_acting
from tenants.organizations.changing import Facts
from tenants.organizations.making import make_organization
from tenants.organizations.pages import FactsForm, invitation_address
from tenants.problems import Problem
from tenants.roles import AGREE_CONTRACTS, INVITE_TENANTS, READ_INVOICES, NotAllowed, allows
from tenants.scoping import provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

    from tenants.models import Organization

LATEST = 12
HEAD = (
    "tenant",
    "slug",
    "country",
    "running_contracts",
    "ended_contracts",
    "open_invoices",
    "overdue_invoices",
    "currency",
    "billed_last_365_days",
)


class InviteTenantForm(FactsForm):
    """A new tenant and its owner."""

    owner_email = forms.EmailField(label=gettext_lazy("E-mail of its owner"), max_length=254)
    field_order = ("name", "owner_email", "billing_email", "country", "time_zone")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_tenants(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List tenants; a POST makes one and invites its owner."""
    actor, posted = person_acting(request), request.method == "POST"
    invites = allows(actor.role, INVITE_TENANTS)
    if posted and not invites:
        raise NotAllowed(INVITE_TENANTS)
    form = InviteTenantForm(request.POST if posted else None, initial={"country": organization.country})
    made: Organization | None = None
    address, now = "", datetime.now(UTC)
    if form.is_bound and form.is_valid():
        try:
            made, _invitation, token = make_organization(
                actor=actor,
                given=Facts(**{name: form.cleaned_data[name] for name in Facts.__slots__}),
                kinds=["tenant"],
                owner_email=form.cleaned_data["owner_email"],
                language=translation.get_language() or "en",
                secret_key=settings.SECRET_KEY,
                now=now,
            )
        except Problem as refused:
            named = str(refused.extra.get("field", ""))
            form.add_error({"email": "owner_email"}.get(named, named) or None, told(refused.said))
        else:
            address = invitation_address(request, token)
            form = InviteTenantForm(initial={"country": organization.country})
    locale, search, page = (
        active_locale(),
        _search(request),
        read_page(request.GET.get("page", "")),
    )
    shown, found = tenant_list(organization, now, first=first_row(page), count=ROWS_PER_PAGE, search=search)
    if page > 1 and not shown:
        raise Http404
    context = {
        "form": form if invites else None,
        "made": made,
        "invitation_address": address,
        "search": search,
        "rows": [_row(one, locale) for one in shown],
        "pagination": pagination(request.path, {"q": search}, page, found),
        "empty": Empty(_("No tenants yet"), _("Invite one, or draft a contract with one that is here."), icon="people"),
        "csv_url": with_query(reverse("provider-tenants-csv"), {"q": search}),
    }
    return render(request, "billing/provider_tenants.html", context, status=201 if made else 422 if posted else 200)


@require_safe
@provider_page(READ_INVOICES)
def provider_tenants_csv(request: HttpRequest, organization: Organization) -> StreamingHttpResponse:
    """Send the tenants that the page lists, a row for each currency that they were billed in."""
    found = tenants_of(organization, datetime.now(UTC), search=_search(request))
    rows = (
        (
            one.organization.name,
            one.organization.slug,
            one.organization.country,
            one.contracts,
            one.ended,
            one.open_invoices,
            one.overdue_invoices,
            currency,
            amount,
        )
        for one in found
        for currency, amount in (one.billed.items() or (("", None),))
    )
    return csv_answer(f"tenants-{organization.slug}.csv", HEAD, rows)


@require_safe
@provider_page(READ_INVOICES)
def provider_tenant(request: HttpRequest, organization: Organization, *, tenant_id: UUID) -> HttpResponse:
    """Show one tenant: its contracts and its latest invoices."""
    found = tenants_of(organization, datetime.now(UTC), tenant=tenant_id)
    if not found:
        raise Http404
    locale = active_locale()
    tenant = found[0].organization
    contracts = Contract.objects.filter(provider=organization, tenant=tenant).order_by("-from_at", "-pk")
    invoices = Invoice.objects.filter(issuer=organization, tenant=tenant, state__in=BILLED).order_by(
        "-issued_at", "-pk"
    )
    context = {
        "tenant": tenant,
        "row": _row(found[0], locale),
        "contracts": [
            {
                "number": one.number,
                "url": reverse("provider-contract", args=[one.pk]),
                "currency": one.currency,
                "from": day(one.from_at.date(), "yMMMd", locale),
                "pill": contract_pill(one),
            }
            for one in contracts
        ],
        "invoices": [
            {
                "number": one.number,
                "url": reverse("provider-invoice", args=[one.number]),
                "issued": day(one.issued_at.date() if one.issued_at else None, "yMMMd", locale),
                "amount": money(one.total, one.currency, locale=locale),
            }
            for one in invoices[:LATEST]
        ],
        "drafts": allows(person_acting(request).role, AGREE_CONTRACTS),
        "crumbs": [Crumb(_("Tenants"), reverse("provider-tenants")), Crumb(tenant.name)],
    }
    return render(request, "billing/provider_tenant.html", context)


def _search(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:200]


def _row(one: TenantFigures, locale: str) -> dict[str, Any]:
    return {
        "name": one.organization.name,
        "country": one.organization.country,
        "url": reverse("provider-tenant", args=[one.organization.pk]),
        "contracts": one.contracts,
        "open": one.open_invoices,
        "overdue": one.overdue_invoices,
        "billed": [money(amount, currency, locale=locale) for currency, amount in one.billed.items()],
        "pill": _pill(one),
    }


def _pill(one: TenantFigures) -> Pill:
    if one.organization.suspended_at is not None:
        return Pill(_("Suspended"), "bad")
    if one.overdue_invoices:
        return Pill(_("Overdue"), "bad")
    if one.contracts:
        return Pill(_("Under contract"), "good")
    return Pill(_("Ended"), "") if one.ended else Pill(_("Invited"), "info")
