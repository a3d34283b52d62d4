"""The operator's payouts: what each provider can be paid, and what becomes of every payout; acts are POSTs."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing import stripe_account
from billing.csv_files import csv_answer
from billing.models import Payout, PayoutFile, PayoutMethod
from billing.pages.payout_words import payout_row
from billing.pages.provider_files import PAYOUT_HEAD, payout_rows
from billing.statements.bank_files import Lacking, make_file, waiting_payouts
from billing.statements.paying_out import WrongPayout, make_payout, record_failed, record_paid, record_reversal
from billing.statements.payout_terms import set_terms
from billing.statements.payouts import Standing, all_standings, payouts_of
from billing.statements.transfers import take_back
from billing.stripe_answers import StripeError
from portal.figures import moment, money
from portal.locales import active_locale
from portal.parts import Empty
from portal.punctuation import joined
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import MATCH_PAYMENTS, READ_INVOICES, allows
from tenants.scoping import acting_membership, operator_page
from tenants.sentences import sentence
from tenants.telling import told

DAYS_DIGITS_MAX: Final = 3
FILES_SHOWN: Final = 20


@require_safe
@operator_page(READ_INVOICES)
def operator_payouts(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what every provider can be paid, and the latest payouts with what can be done about them."""
    locale = active_locale()
    membership = acting_membership(request)
    found = all_standings(datetime.now(UTC))
    context = {
        "standings": [_standing(one, locale) for one in found],
        "held_back": [
            (one.provider, one.terms.hold_days, f"{Decimal(one.terms.reserve_amount).normalize():f}")
            for one in {one.provider.pk: one for one in found}.values()
        ],
        "rows": [payout_row(one, locale) for one in payouts_of(organization)],
        "waiting": [
            (one, money(one.amount, one.currency, locale=locale), _left_out(one.left_out))
            for one in waiting_payouts(organization)
        ],
        "files": [
            (one, moment(one.made_at, UTC, locale=locale), money(one.control_sum, one.currency, locale=locale))
            for one in PayoutFile.objects.defer("body").order_by("-made_at", "-pk")[:FILES_SHOWN]
        ],
        "may_act": membership is not None and allows(membership.role, MATCH_PAYMENTS),
        "empty": Empty(
            _("Nothing was paid out yet"), _("Payouts are made by the schedule of each provider."), icon="ledger"
        ),
    }
    return render(request, "billing/operator_payouts.html", context)


@require_safe
@operator_page(READ_INVOICES)
def operator_payouts_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write the payouts of the page as a file."""
    return csv_answer("payouts.csv", PAYOUT_HEAD, payout_rows(request, organization, datetime.now(UTC)))


@require_POST
@operator_page(MATCH_PAYMENTS)
def operator_payout_make(request: HttpRequest, organization: Organization, *, provider_id: UUID) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Pay out now what a provider can be paid in a currency."""
    provider = get_object_or_404(Organization, pk=provider_id, is_provider=True)
    currency = request.POST.get("currency", "")

    def act() -> str:
        made = make_payout(provider_id=provider.pk, currency=currency, by=_who(request), now=datetime.now(UTC))
        return _("%(number)s to %(provider)s is on its way.") % {"number": made.number, "provider": provider.name}

    return _done(request, act)


@require_POST
@operator_page(MATCH_PAYMENTS)
def operator_payout_hold(request: HttpRequest, organization: Organization, *, provider_id: UUID) -> HttpResponseBase:
    """Hold a provider's payouts for a reason, without one no longer; or set what of them is always held back."""
    provider = get_object_or_404(Organization, pk=provider_id, is_provider=True)
    reason = request.POST.get("reason", "").strip()
    always = "hold_days" in request.POST

    def act() -> str:
        changes = (
            {"hold_days": _days(request), "reserve_amount": _amount(request)} if always else {"held_reason": reason}
        )
        set_terms(provider=provider, changes=changes, actor=organization, by=_who(request), now=datetime.now(UTC))
        if always:
            return _("It is held back so from now on.")
        return _("Payouts are held.") if reason else _("Payouts go on.")

    return _done(request, act)


@require_POST
@operator_page(MATCH_PAYMENTS)
def operator_payout_act(request: HttpRequest, organization: Organization, *, payout_id: UUID) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Record that a payout was paid, failed or came back; what went by transfer is taken back at Stripe."""
    payout = get_object_or_404(Payout, pk=payout_id)
    action, text = request.POST.get("action", ""), request.POST.get("text", "").strip()
    who, now = _who(request), datetime.now(UTC)

    def act() -> str:
        if action == "paid":
            record_paid(payout_id=payout.pk, reference=text, by=who, at=now, now=now)
            return _("%(number)s is paid.") % {"number": payout.number}
        if action == "failed":
            record_failed(payout_id=payout.pk, reason=text, by=who, now=now)
            return _("%(number)s failed and is owed again.") % {"number": payout.number}
        _take_back(payout, _amount(request), text, who, now)
        return _("%(number)s came back and is owed again.") % {"number": payout.number}

    return _done(request, act)


@require_POST
@operator_page(MATCH_PAYMENTS)
def operator_payout_file_make(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Put what waits in a currency into a file for the bank."""
    currency = request.POST.get("currency", "")[:3]

    def act() -> str:
        made = make_file(operator=organization, currency=currency, by=_who(request), now=datetime.now(UTC))
        return _("%(number)s is made: save it, and load it at your bank.") % {"number": made.number}

    return _done(request, act)


@require_safe
@operator_page(MATCH_PAYMENTS)
def operator_payout_file(request: HttpRequest, organization: Organization, *, file_id: UUID) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Hand a file out, byte for byte as it was made, however often it is asked for."""
    found = get_object_or_404(PayoutFile, pk=file_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.number}.xml"',
        "ETag": f'"{found.sha256}"',
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(bytes(found.body), content_type="application/xml", headers=headers)


def _take_back(payout: Payout, amount: Decimal, text: str, who: str, now: datetime) -> None:
    gateway = stripe_account.gateway()
    if payout.method == PayoutMethod.STRIPE and gateway is not None:
        take_back(payout_id=payout.pk, amount=amount, reason=text, by=who, gateway=gateway, now=now)
        return
    record_reversal(payout_id=payout.pk, amount=amount, reference=text, reason=text, by=who, at=now)


def _days(request: HttpRequest) -> int:
    text = request.POST.get("hold_days", "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= DAYS_DIGITS_MAX):
        raise WrongPayout(sentence("%(text)s is no number of days.", text=repr(text[:40])), field="hold_days")
    return int(text)


def _amount(request: HttpRequest) -> Decimal:
    text = request.POST.get("amount", "")
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise WrongPayout(sentence("%(text)s is no amount.", text=repr(text)), field="amount") from error
    if not amount.is_finite():
        raise WrongPayout(sentence("%(text)s is no amount.", text=repr(text)), field="amount")
    return amount


def _done(request: HttpRequest, act: Callable[[], str]) -> HttpResponseBase:
    """Act, and say on the page what came of it."""
    try:
        messages.success(request, act())
    except Problem as refused:
        messages.error(request, told(refused.said))
    except StripeError as error:
        messages.error(request, _("Stripe did not do it: %(reason)s") % {"reason": error})
    return redirect("operator-payouts")


def _left_out(found: tuple[tuple[str, Lacking], ...]) -> str:
    """Whose payouts no file can have, and why."""
    why = {
        Lacking.IBAN: _("%(provider)s (no IBAN)"),
        Lacking.BIC: _("%(provider)s (outside SEPA, no BIC)"),
        Lacking.LIMIT: _("%(provider)s (more than one transfer can be of)"),
    }
    return joined(why[lacking] % {"provider": provider} for provider, lacking in found)


def _standing(standing: Standing, locale: str) -> dict[str, Any]:
    found = standing.found
    figures = ("amount", "owed", "uncollected", "recent", "held")
    return {
        "provider": standing.provider,
        "terms": standing.terms,
        "currency": found.currency,
        "can": found.amount > 0 and not standing.terms.held_reason,
        **{name: money(getattr(found, name), found.currency, locale=locale) for name in figures},
    }


def _who(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email
