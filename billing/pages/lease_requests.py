"""A tenant asks what is free, gets a price, reserves it, and later moves the end: each step a form that works alone."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.forms.utils import ErrorList
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from billing.holding import SliceTaken, WrongTerms
from billing.lease_steps import InThePast, NoPriceInForce, NotOpen
from billing.leasing import LeaseOver, end_lease_early, extend_lease
from billing.pages.lease_forms import EndForm, WishForm
from billing.pages.leases import lease_page
from billing.queries.capacity import CapacityAnswer, capacity_answer, offered_models, open_contracts
from billing.queries.lease_list import lease_of, quote_of
from billing.quoting import NotEnoughFree, QuoteExpired, quote_lease, require_to_come, reserve_quote
from clusters.capacity import WrongWish
from portal.figures import moment, number, unit_price
from portal.locales import active_locale
from portal.parts import Action, Empty
from portal.shell import Crumb
from tenants.models import Organization
from tenants.problems import Problem
from tenants.roles import MANAGE_LEASES
from tenants.scoping import tenant_page


@require_safe
@tenant_page(MANAGE_LEASES)
def tenant_lease_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Ask what is free: the form, and the answer once it is filled in."""
    now = datetime.now(UTC)
    form = _form(request, organization, now)
    answer, status = None, 200
    if form.is_bound:
        if form.is_valid():
            answer = _answered(form, now)
        if form.errors:
            status = 422
    return _ask(request, form, answer, status)


@require_POST
@tenant_page(MANAGE_LEASES)
def tenant_lease_quote(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Get a price for what was asked, and go to the list where it stands."""
    now = datetime.now(UTC)
    form = _form(request, organization, now)
    if not form.is_valid():
        return _ask(request, form, None, 422)
    try:
        quote = quote_lease(contract=form.chosen(), wish=form.wish(), asked_by=organization, now=now)
    except (WrongWish, NotEnoughFree, NoPriceInForce, InThePast, NotOpen, WrongTerms) as refused:
        form.add_error(_field_of(refused), refusal_words(refused))
        return _ask(request, form, None, refused.status)
    messages.success(
        request, _("%(number)s: the price stands. Nothing is held until you reserve.") % {"number": quote.number}
    )
    return redirect("tenant-leases")


@require_POST
@tenant_page(MANAGE_LEASES)
def tenant_lease_reserve(request: HttpRequest, organization: Organization, *, quote_id: UUID) -> HttpResponse:
    """Reserve a quote, and show the lease."""
    quote = quote_of(organization, quote_id)
    if quote is None or quote.contract.tenant_id != organization.id:
        raise Http404
    try:
        lease = reserve_quote(quote_id=quote.id, by=str(request.user), now=datetime.now(UTC))
    except (NotEnoughFree, QuoteExpired, NotOpen) as refused:
        messages.error(request, refusal_words(refused))
        return redirect("tenant-leases")
    messages.success(request, _("%(ref)s is reserved: the cards are yours for the whole time.") % {"ref": lease.ref})
    return redirect("tenant-lease", ref=lease.ref)


@require_POST
@tenant_page(MANAGE_LEASES)
def tenant_lease_extend(request: HttpRequest, organization: Organization, *, ref: str) -> HttpResponse:
    """Extend a lease, and show it."""
    return _move(request, organization, ref, "extend")


@require_POST
@tenant_page(MANAGE_LEASES)
def tenant_lease_end(request: HttpRequest, organization: Organization, *, ref: str) -> HttpResponse:
    """End a lease early, and show it."""
    return _move(request, organization, ref, "end")


def refusal_words(refused: Problem) -> str:
    """Return why a step was not taken, and what to do."""
    words = {
        NotEnoughFree: _("Not enough is free then. Ask again: the answer says from when on it is."),
        NoPriceInForce: _("Your contract has no price for this card. Ask the provider."),
        QuoteExpired: _("The price no longer stands. Ask for another."),
        NotOpen: _("Your contract does not run then."),
        InThePast: _("This time is over. Give a later one."),
        LeaseOver: _("The lease is over by then."),
        SliceTaken: _("One of the cards is promised to somebody else before then."),
        WrongTerms: _("The lease ends later than that already."),
        WrongWish: _("The end must lie after the start, at most three years ahead."),
    }
    return words[type(refused)]


def _move(request: HttpRequest, organization: Organization, ref: str, step: str) -> HttpResponse:
    lease = lease_of(organization, ref)
    if lease is None or lease.contract.tenant_id != organization.id:
        raise Http404
    form = EndForm(request.POST, zone=lease.contract.time_zone, prefix=step, auto_id=f"{step}-%s")
    if form.is_valid():
        at, now, by = form.cleaned_data["at"], datetime.now(UTC), str(request.user)
        try:
            if step == "extend":
                extend_lease(lease=lease, to_at=at, by=by, now=now)
            else:
                end_lease_early(lease=lease, at=at, by=by, now=now)
        except (SliceTaken, LeaseOver, NotOpen, NoPriceInForce, InThePast, WrongTerms) as refused:
            form.add_error("at", refusal_words(refused))
        else:
            words = _("The lease goes on.") if step == "extend" else _("The lease ends then.")
            messages.success(request, words)
            return redirect("tenant-lease", ref=ref)
    shown = {step: form}
    return lease_page(request, organization, ref, extend=shown.get("extend"), end=shown.get("end"), status=422)


def _form(request: HttpRequest, organization: Organization, now: datetime) -> WishForm:
    contracts = [one for one in open_contracts(organization, now) if one.tenant_id == organization.id]
    data = request.POST if request.method == "POST" else (request.GET if "what" in request.GET else None)
    return WishForm(data, contracts=contracts, offered=offered_models(contracts), now=now, error_class=ErrorList)


def _answered(form: WishForm, now: datetime) -> CapacityAnswer | None:
    try:
        wish, _to_at = require_to_come(form.chosen(), form.wish(), now)
        return capacity_answer(wish, [form.chosen()], now)
    except (WrongWish, InThePast, NotOpen) as refused:
        form.add_error(_field_of(refused), refusal_words(refused))
        return None


def _field_of(refused: Problem) -> str | None:
    """Return the field that a refusal is about; none where it is about the whole wish."""
    fields = {"from": "from_at", "to": "to_at", "count": "count", "model": "what"}
    return fields.get(str(refused.extra.get("field")))


def _ask(request: HttpRequest, form: WishForm, answer: CapacityAnswer | None, status: int) -> HttpResponse:
    context = {
        "form": form,
        "answer": answer,
        "found": _found(answer, form.zone) if answer else None,
        "empty": _nothing_to_ask(form),
        "crumbs": (Crumb(_("Leases"), reverse("tenant-leases")), Crumb(_("Request a lease"))),
    }
    return render(request, "billing/lease_new.html", context, status=status)


def _nothing_to_ask(form: WishForm) -> Empty | None:
    """Return what stands in the place of a form that nobody could fill in."""
    if not form.contracts:
        return Empty(
            _("No contract is running"),
            _("Cards are rented under a contract. Agree on one with your provider first."),
            Action(_("Contracts"), reverse("tenant-contracts")),
        )
    if not form.offered:
        return Empty(_("No cards yet"), _("The providers of your contracts have no cards in service. Ask them when."))
    return None


def _found(answer: CapacityAnswer, zone: str) -> dict[str, str]:
    locale = active_locale()
    later = ""
    if not answer.enough:
        later = (
            _("Enough is free for as long from %(at)s on.")
            % {"at": moment(answer.earliest_start, ZoneInfo(zone), locale=locale)}
            if answer.earliest_start
            else _("At no time within two years is so much free for as long.")
        )
    price = answer.price_per_gpu_hour
    return {
        "free": ngettext(
            "%(count)s is free over the whole time.", "%(count)s are free over the whole time.", answer.free
        )
        % {"count": number(answer.free)},
        "nodes": ngettext("It fits on %(count)s node.", "It takes %(count)s nodes.", answer.nodes)
        % {"count": number(answer.nodes)}
        if answer.enough
        else "",
        "later": later,
        "price": _("%(price)s per GPU-hour now") % {"price": unit_price(price, answer.currency, locale=locale)}
        if price is not None
        else _("Your contract has no price for this card. Ask the provider."),
    }
