"""How far an issued invoice is handed to Stripe and collected, for its provider, with what can be done now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing import stripe_account
from billing.models import CollectionNotice, InvoiceState, NoticeKind, Settlement, SettlementState
from billing.pages.correction_words import may_correct
from billing.payment_references import payment_reference, printed_reference
from billing.pushing import go_on
from billing.queries.invoice_list import find_invoice
from billing.queries.invoice_steps import PUSHING
from billing.queries.invoices import row_of
from portal.figures import moment
from tenants.problems import Problem
from tenants.roles import CORRECT_INVOICES, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from django.http import HttpRequest

    from billing.models import Invoice
    from tenants.models import Organization

ASKS: Final = (SettlementState.COLLECT, SettlementState.WAIT, SettlementState.ACTION)
"""States in which Stripe has the invoice as final and asks for what is left."""


@dataclass(frozen=True, slots=True)
class CollectionWords:
    """Where the money of an invoice is: `button` names what can be done now, empty where nothing can."""

    words: str
    error: str
    again: str
    button: str
    url: str


@require_POST
@provider_page(READ_INVOICES)
def provider_invoice_collect(request: HttpRequest, organization: Organization, *, number: str) -> HttpResponse:
    """Hand an invoice to Stripe now, or let a collection that stopped go on."""
    invoice = find_invoice(organization, number, issued=True)
    if invoice is None:
        raise Http404
    if not may_correct(request):
        raise NotAllowed(CORRECT_INVOICES)
    gateway = stripe_account.gateway()
    if gateway is None or not Settlement.objects.filter(pk=invoice.pk).exists():
        messages.info(request, _("This invoice is not collected through Stripe."))
        return redirect("provider-invoice", number=number)
    try:
        done = go_on(invoice_id=invoice.pk, actor=str(request.user), gateway=gateway, now=datetime.now(UTC))
    except Problem as refused:
        messages.error(request, told(refused.said))
    else:
        _say(request, done)
    return redirect("provider-invoice", number=number)


def _say(request: HttpRequest, done: Settlement) -> None:
    if done.state in (*PUSHING, SettlementState.FAILED) and done.last_error:
        messages.error(request, _("Stripe did not take it. The reason is below."))
    elif done.state in PUSHING:
        messages.info(request, _("It is on its way to Stripe."))
    elif done.state == SettlementState.COLLECT:
        messages.success(request, _("It is at Stripe. Its card is charged next."))
    else:
        messages.success(request, _("It is at Stripe."))


def collection_words(invoice: Invoice, locale: str, *, acts: bool) -> CollectionWords | None:
    """Return where the money of an invoice that `find_invoice` gave is; None for one that has no collection, as a void
    one.
    """
    settlement = Settlement.objects.filter(pk=invoice.pk).first()
    if settlement is None or invoice.state == InvoiceState.VOID:
        return None
    state = SettlementState(settlement.state)
    if state in ASKS and row_of(invoice).leaves_too_little:
        return CollectionWords(words=_too_little_words(invoice), error="", again="", button="", url="")
    waits = state in PUSHING or state in (SettlementState.COLLECT, SettlementState.WAIT)
    again = settlement.attempts and waits
    return CollectionWords(
        words=_words(state),
        error=_error_words(settlement, state),
        again=moment(settlement.next_try_at, UTC, locale=locale) if again else "",
        button=_button(settlement) if acts and stripe_account.gateway() is not None else "",
        url=reverse("provider-invoice-collect", args=[invoice.number]),
    )


def _error_words(settlement: Settlement, state: SettlementState) -> str:
    """Why it is not paid: what a card was refused for in words, anything else as it was told."""
    if state not in (SettlementState.WAIT, SettlementState.ACTION) or not settlement.last_error:
        return settlement.last_error
    told = CollectionNotice.objects.filter(invoice_id=settlement.pk, reason=settlement.last_error)
    last = told.order_by("-created_at").values_list("kind", "decline_code").first()
    if last is None:
        return settlement.last_error
    kind, code = last
    return {
        NoticeKind.CONSENT_NEEDED: _("The bank asks the card holder to confirm the payment."),
        NoticeKind.CARD_DECLINED: _("The card was declined: %(code)s.") % {"code": code}
        if code
        else _("The card was declined."),
        NoticeKind.CARD_MISSING: _("There is no card on file that could be charged."),
    }[NoticeKind(kind)]


def _too_little_words(invoice: Invoice) -> str:
    reference = printed_reference(payment_reference(invoice.number or ""))
    return _(
        "What is left is less than Stripe charges, so its page and its card no longer take it. It waits for a "
        "transfer with the reference %(reference)s; a credit note or a write-off under Correct closes it too."
    ) % {"reference": reference}


def _words(state: SettlementState) -> str:
    if state in PUSHING:
        return _("It is not at Stripe yet. The next sweep hands it over.")
    return {
        SettlementState.COLLECT: _("It is at Stripe, and its card is charged next."),
        SettlementState.WAIT: _("It is at Stripe, and waits for the payment."),
        SettlementState.ACTION: _("It is at Stripe, and waits for the card holder's consent."),
        SettlementState.PAID: _("Nothing is left to collect."),
        SettlementState.BELOW_MINIMUM: _("It is below Stripe's smallest charge, and is carried in the books."),
        SettlementState.BY_HAND: _("It is paid by bank transfer, and does not go to Stripe."),
        SettlementState.GATHERING: _("It waits for the others that are asked for together with it."),
        SettlementState.TOGETHER: _("A collective invoice asks for it."),
        SettlementState.FAILED: _("It stopped, and waits for somebody to see to the reason."),
    }[state]


def _button(settlement: Settlement) -> str:
    if settlement.state in PUSHING:
        return _("Hand it to Stripe now")
    if settlement.state == SettlementState.FAILED:
        return _("Try again")
    if settlement.state in (SettlementState.WAIT, SettlementState.ACTION) and settlement.last_error:
        return _("Charge the card again")
    return ""
