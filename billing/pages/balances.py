"""What a provider has of its tenants and no invoice: each balance, paying it out, and where refunds stand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.corrections.policies import keep_policy, policy_of
from billing.corrections.reading import ROWS_MAX, balances_of, refunds_of, stands_at
from billing.corrections.refunds import Order, card_payments, mark_sent, request_refund, take_back
from billing.models import BalanceAccount, Refund, RefundMethod, RefundState
from billing.pages.correction_words import (
    METHODS,
    may_correct,
    read_decimal,
    refund_pill,
    refusal_words,
)
from portal.figures import moment, money
from portal.locales import active_locale
from portal.parts import Empty
from tenants.ids import new_id
from tenants.problems import Problem
from tenants.roles import CORRECT_INVOICES, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from django.http import HttpRequest

    from billing.models import Payment
    from tenants.models import Organization

BANK = "bank"


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_balances(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show balances and refunds; a POST pays one out, says what became of a transfer, or keeps the policy."""
    problem = ""
    if request.method == "POST":
        if not may_correct(request):
            raise NotAllowed(CORRECT_INVOICES)
        try:
            messages.success(request, _acted(request, organization))
        except Problem as refused:
            problem = refusal_words(refused, _currency(request, organization))
        except ValueError as refused:
            problem = _("“%(found)s” is no number.") % {"found": str(refused)[:40]}
        else:
            return redirect("provider-balances")
    locale, corrects = active_locale(), may_correct(request)
    context = {
        "problem": problem,
        "given": request.POST,
        "corrects": corrects,
        "balances": [_balance(account, locale) for account in balances_of(organization).filter(issuer=organization)],
        "refunds": [
            _refund(each, locale) for each in refunds_of(organization).filter(account__issuer=organization)[:ROWS_MAX]
        ],
        "policy": policy_of(organization.pk),
        "empty": Empty(
            _("No balances"),
            _("What a tenant paid and no invoice has stands here: after a credit note, or where more came than owed."),
            icon="bank",
        ),
    }
    return render(request, "billing/balances.html", context, status=422 if problem else 200)


def _acted(request: HttpRequest, organization: Organization) -> str:
    given, now, by = request.POST, datetime.now(UTC), str(request.user)
    action = given.get("action", "")
    if action == "policy":
        keep_policy(
            provider=organization,
            disputes_pause_dunning="disputes_pause_dunning" in given,
            applies_balances="applies_balances" in given,
            by=by,
            now=now,
        )
        return _("It is kept, from now on.")
    if action in ("sent", "back"):
        refund = Refund.objects.filter(pk=_key(given.get("refund", "")), account__issuer=organization).first()
        if refund is None:
            raise Http404
        if action == "sent":
            mark_sent(refund_id=refund.pk, reference=given.get("words", ""), by=by, now=now)
            return _("The refund is booked as sent.")
        take_back(refund_id=refund.pk, reason=given.get("words", ""), by=by, now=now)
        return _("The money is on the balance again.")
    account = BalanceAccount.objects.filter(pk=_key(given.get("balance", "")), issuer=organization).first()
    if account is None:
        raise Http404
    way = given.get("way", BANK)
    order = Order(
        amount=read_decimal(given.get("amount", "")) or Decimal(0),
        method=RefundMethod.BANK_TRANSFER if way == BANK else RefundMethod.CARD,
        reason=given.get("reason", ""),
        payment_id=None if way == BANK else _uuid(way),
    )
    request_refund(account_id=account.pk, order=order, by=by, now=now, refund_id=_uuid(given.get("id", "")))
    return _("The refund is on its way.")


def _currency(request: HttpRequest, organization: Organization) -> str:
    """The currency of the balance that a form is about; empty where it is about none."""
    asked = _uuid(request.POST.get("balance", ""))
    if asked is None:
        return ""
    return BalanceAccount.objects.filter(pk=asked, issuer=organization).values_list("currency", flat=True).first() or ""


def _balance(account: BalanceAccount, locale: str) -> dict[str, Any]:
    stands = stands_at(account)
    return {
        "id": str(account.pk),
        "tenant": account.tenant.name,
        "currency": account.currency,
        "amount": money(stands, account.currency, locale=locale),
        "open": stands > 0,
        "token": str(new_id()),
        "cards": [
            (str(payment.pk), _card_words(payment, min(left, stands), locale))
            for payment, left in card_payments(account)
        ]
        if stands > 0
        else [],
    }


def _card_words(payment: Payment, most: Decimal, locale: str) -> str:
    shown = money(most, payment.currency, locale=locale)
    return _("Card that paid %(invoice)s, at most %(left)s") % {"invoice": payment.invoice.number, "left": shown}


def _refund(refund: Refund, locale: str) -> dict[str, Any]:
    return {
        "id": str(refund.pk),
        "tenant": refund.account.tenant.name,
        "amount": money(refund.amount, refund.account.currency, locale=locale),
        "method": METHODS[refund.method],
        "pill": refund_pill(refund.state),
        "at": moment(refund.requested_at, UTC, locale=locale),
        "reason": refund.last_error or refund.reason,
        "reference": refund.reference,
        "by_hand": refund.method == RefundMethod.BANK_TRANSFER,
        "waits": refund.state == RefundState.PENDING,
        "over": refund.state == RefundState.FAILED,
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _key(text: str) -> UUID:
    """Return an id that a form names; Http404 for what is none."""
    found = _uuid(text)
    if found is None:
        raise Http404
    return found
