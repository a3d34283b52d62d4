"""The header of a draft of a contract: what its drafter may still change before it is offered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.agreements.checks import refuse
from billing.agreements.drafting import Actor
from billing.agreements.heading import edit_header, may_edit_header
from billing.contract_headers import WORDS_CHARACTERS_MAX, Header
from billing.local_instants import WrongInstant, read_instant
from billing.models import Contract, PriceBook
from billing.pages.contract_forms import DraftHeaderForm
from billing.pages.contracts import own_contract
from billing.pages.refused_fields import say_refused
from billing.rating.wording import WrongWording
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.organizations.fees import fee_at
from tenants.problems import Problem
from tenants.roles import AGREE_CONTRACTS
from tenants.scoping import provider_page, tenant_page
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

LOCAL = "%Y-%m-%dT%H:%M"


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(AGREE_CONTRACTS)
def tenant_contract_header(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Edit the header of a tenant's draft."""
    return _edit(request, organization, "tenant", contract_id)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(AGREE_CONTRACTS)
def provider_contract_header(request: HttpRequest, organization: Organization, *, contract_id: UUID) -> HttpResponse:
    """Edit the header of a provider's draft."""
    return _edit(request, organization, "provider", contract_id)


def _edit(request: HttpRequest, organization: Organization, side: str, contract_id: UUID) -> HttpResponse:
    contract = own_contract(organization, contract_id)
    if not may_edit_header(contract, organization):
        raise Http404
    posted = request.method == "POST"
    books = books_of_side(organization, side)
    form = DraftHeaderForm(request.POST if posted else None, books=books, initial=None if posted else _said(contract))
    if posted and form.is_valid():
        assert isinstance(request.user, User)
        try:
            header = header_of(form.cleaned_data, contract.provider, contract.tenant, kept=contract)
            by = Actor(organization, request.user.email)
            edit_header(contract_id=contract.id, header=header, by=by, now=datetime.now(UTC))
        except Problem as problem:
            with timezone.override(contract.time_zone):
                say_refused(problem, form)
        else:
            messages.success(request, _("The draft is changed."))
            return redirect(f"{side}-contract", contract.id)
    context = {
        "form": form,
        "contract": contract,
        "back_url": reverse(f"{side}-contract", args=[contract.id]),
        "crumbs": (
            Crumb(_("Contracts"), reverse(f"{side}-contracts")),
            Crumb(contract.number, reverse(f"{side}-contract", args=[contract.id])),
            Crumb(_("Edit the header")),
        ),
    }
    return render(request, "billing/contract_header.html", context, status=422 if posted else 200)


def books_of_side(organization: Organization, side: str) -> QuerySet[PriceBook]:
    """Return the price books that an organization can name in a draft: a tenant knows none of the provider's."""
    books = PriceBook.objects.filter(provider=organization) if side == "provider" else PriceBook.objects.none()
    return books.order_by("name")


def header_of(
    given: Mapping[str, Any], provider: Organization, tenant: Organization, *, kept: Contract | None = None
) -> Header:
    """Return the header that a form says; what no form asks for is what the contract `kept` says, or the usual.

    Raises `WrongTerms` with the field.
    """
    book_id, zone = str(given["price_book"] or ""), given["time_zone"]
    book = PriceBook.objects.filter(pk=book_id, provider=provider).first() if book_id else None
    days = given["due_days"]
    more: dict[str, Any] = {} if days is None else {"due_days": days}
    if kept is not None:
        names = ("period_kind", "period_length_s", "collection", "grace_hours", "event_grace_minutes")
        more |= {name: getattr(kept, name) for name in names}
    made = Header(
        operator_fee_percent=fee_at(provider, datetime.now(UTC)),
        provider=provider,
        tenant=tenant,
        currency=given["currency"].upper(),
        time_zone=zone,
        from_at=_instant(given["begins_at"], "begins_at", zone),
        to_at=_instant(given["ends_at"], "ends_at", zone) if given["ends_at"] else None,
        price_book=book,
        **more,
        **{name: given[name] for name in WORDS_CHARACTERS_MAX},
    )
    made.check()
    return made


def _said(contract: Contract) -> dict[str, Any]:
    """Return what a contract says now, as the form asks for it: instants in its own time zone."""
    zone = ZoneInfo(contract.time_zone)
    return {
        "currency": contract.currency,
        "time_zone": contract.time_zone,
        "begins_at": contract.from_at.astimezone(zone).strftime(LOCAL),
        "ends_at": contract.to_at.astimezone(zone).strftime(LOCAL) if contract.to_at else "",
        "price_book": str(contract.price_book_id or ""),
        "due_days": contract.due_days,
        **{name: getattr(contract, name) for name in WORDS_CHARACTERS_MAX},
    }


def _instant(text: str, field: str, zone: str) -> datetime:
    try:
        return read_instant(text, zone)
    except WrongInstant as error:
        raise refuse(WrongWording(field, error.reason, error.example)) from error
    except (KeyError, ValueError, OSError) as error:
        raise refuse(
            WrongWording("time_zone", sentence("%(zone)s is no IANA time zone.", zone=repr(zone)), "Europe/Berlin")
        ) from error
