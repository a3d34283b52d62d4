"""The card that pays a tenant's invoices: left on Stripe's page, shown here, taken off here."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing import stripe_account
from billing.collecting.cards import NoCardOnFile, forget_card, look_at_visit, open_visit, start_visit
from billing.collecting.letters import why
from billing.collecting.notices import standing_notices
from billing.collecting.visiting import currency_of, return_url
from billing.dues import dues_of
from billing.models import CardOnFile, CardVisit, Collection, CollectionNotice, Contract, VisitState
from billing.stripe_answers import StripeError
from portal.figures import money
from portal.locales import active_locale
from portal.parts import Action, Notice
from tenants.limits.reader import whole
from tenants.models import User
from tenants.roles import EDIT_PROFILE, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, tenant_page

if TYPE_CHECKING:
    from django.http import HttpRequest

    from billing.stripe_gateway import StripeGateway
    from tenants.models import Organization

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_INVOICES)
def tenant_card(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show the card on file and what it could not pay; begin a visit to Stripe's page, or take the card off."""
    membership = acting_membership(request)
    edits = membership is not None and allows(membership.role, EDIT_PROFILE)
    gateway = stripe_account.gateway()
    if request.method == "POST":
        if not edits:
            raise NotAllowed(EDIT_PROFILE)
        _act(request, organization, gateway)
        return redirect("tenant-card")
    visit = _open_visit_of(organization)
    if visit is not None and gateway is not None:
        _look(visit, gateway)
        visit = _open_visit_of(organization)
    locale = active_locale()
    context: dict[str, Any] = {
        "card": CardOnFile.objects.filter(pk=organization.pk).first(),
        "edits": edits,
        "takes_cards": gateway is not None,
        "visit": visit,
        "notices": [_notice(one, locale) for one in standing_notices(organization)],
        "contracts": _charged_contracts(organization),
    }
    return render(request, "billing/tenant_card.html", context)


def _act(request: HttpRequest, organization: Organization, gateway: StripeGateway | None) -> None:
    assert isinstance(request.user, User)
    now, by = datetime.now(UTC), request.user.email
    if gateway is None:
        messages.error(request, _("This installation takes no cards."))
        return
    try:
        if request.POST.get("do") == "forget":
            forget_card(organization=organization, by=by, gateway=gateway, now=now)
            messages.success(request, _("The card is off. Nothing is charged to it any more."))
            return
        visit = start_visit(organization=organization, currency=currency_of(organization), by=by, now=now)
        open_visit(visit_id=visit.pk, return_url=return_url(), gateway=gateway, now=now)
    except NoCardOnFile as missing:
        messages.error(request, missing.title)
    except StripeError:
        logger.exception("card of %s", organization.slug)
        messages.error(request, _("Stripe could not be reached. Try again in a minute."))


def _look(visit: CardVisit, gateway: StripeGateway) -> None:
    """Whoever comes back from Stripe's page sees what came of it; if Stripe is silent, the sweep looks again."""
    try:
        with whole("coming back from Stripe's page keeps the card"):
            look_at_visit(visit_id=visit.pk, gateway=gateway, now=datetime.now(UTC))
    except StripeError as error:
        logger.warning("card visit %s: %s", visit.pk, error)


def _open_visit_of(organization: Organization) -> CardVisit | None:
    found = CardVisit.objects.filter(organization=organization, state=VisitState.OPEN).exclude(url="")
    return found.order_by("-created_at").first()


def _notice(notice: CollectionNotice, locale: str) -> Notice:
    invoice = notice.invoice
    assert invoice.number is not None, invoice
    words = {"number": invoice.number, "amount": money(dues_of(invoice).left, invoice.currency, locale=locale)}
    pay_url = invoice.settlement.hosted_url
    shown_url = reverse("tenant-invoice", args=[invoice.number])
    return Notice(
        strong=_("Invoice %(number)s over %(amount)s is not paid.") % words,
        text=why(notice),
        tone="warn",
        link=Action(_("Pay"), pay_url) if pay_url else Action(_("Invoice"), shown_url),
    )


def _charged_contracts(organization: Organization) -> list[str]:
    found = Contract.objects.filter(tenant=organization, collection=Collection.CHARGE_AUTOMATICALLY)
    return list(found.order_by("number").values_list("number", flat=True))
