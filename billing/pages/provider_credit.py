"""A provider's credit and coupons: what was given and is left, giving more, and discounts by a code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing.coupons import end_coupon, offer_coupon, offered_coupons
from billing.credits import grant_credit
from billing.csv_files import csv_answer
from billing.given_credit import GivenGrant, GrantState, credit_terms, given_grants
from billing.models import Coupon
from billing.pages.correction_words import may_correct, refusal_words
from billing.pages.credit_back import CreditBackForm
from billing.pages.credit_forms import CouponForm, GrantForm
from portal.figures import moment, money, number
from portal.locales import active_locale
from portal.parts import Empty, Pill, PillTone
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import CORRECT_INVOICES, READ_INVOICES, NotAllowed
from tenants.scoping import provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django import forms
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.utils.functional import Promise

    from tenants.models import Organization

GRANTS_HEAD: Final = (
    "tenant", "contract", "term", "name", "currency", "amount", "left", "from_utc", "expires_utc", "priority", "bought",
    "state",
)  # fmt: skip
COUPONS_HEAD: Final = (
    "code", "title", "percent", "amount_per_period", "periods_most", "redeem_by_utc", "redemptions_most", "redeemed",
    "offered_utc", "ended_utc",
)  # fmt: skip
STATES: Final[Mapping[GrantState, tuple[Promise, PillTone]]] = {
    GrantState.OPEN: (pgettext_lazy("credit", "open"), "good"),
    GrantState.AHEAD: (gettext_lazy("not yet"), "info"),
    GrantState.USED_UP: (gettext_lazy("used up"), ""),
    GrantState.EXPIRED: (gettext_lazy("expired"), "warn"),
    GrantState.OWED: (gettext_lazy("charged back"), "bad"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_credit(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show grants and coupons; a POST grants credit, gives unused credit back, offers a coupon, or ends one."""
    gives = may_correct(request)
    posted = request.method == "POST"
    if posted and not gives:
        raise NotAllowed(CORRECT_INVOICES)
    action = request.POST.get("action", "")
    grant_form = GrantForm(request.POST if action == "grant" else None, credit_terms(organization))
    coupon_form = CouponForm(request.POST if action == "coupon" else None)
    now, locale = datetime.now(UTC), active_locale()
    back_form = CreditBackForm(request.POST if action == "back" else None, organization, now, locale)
    if posted and action == "back":
        if _given_back(request, back_form, now):
            return redirect("provider-balances")
    elif posted and _acted(request, organization, action, grant_form, coupon_form, now):
        return redirect("provider-credit")
    coupons = [_coupon(one, now, locale) for one in offered_coupons(organization)]
    context = {
        "grants": [_grant(one, locale) for one in given_grants(organization, now)],
        "coupons": coupons,
        "gives": gives,
        "grant_form": grant_form if grant_form.terms else None,
        "coupon_form": coupon_form,
        "back_form": back_form if back_form.purchases else None,
        "opened": action,
        "no_grants": Empty(
            _("No credit yet"),
            _("A contract with a credit term takes grants: welcome credit, or what a tenant paid beforehand."),
            icon="bank",
        ),
        "no_coupons": Empty(
            _("No coupons yet"), _("A coupon is a discount that tenants get by its code, once a contract."), icon="tag"
        ),
    }
    return render(request, "billing/provider_credit.html", context, status=422 if posted else 200)


@require_safe
@provider_page(READ_INVOICES)
def provider_credit_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Write every grant that the page shows."""
    rows = given_grants(organization, datetime.now(UTC))
    return csv_answer(f"credit-{organization.slug}.csv", GRANTS_HEAD, (_grant_row(one) for one in rows))


@require_safe
@provider_page(READ_INVOICES)
def provider_coupons_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Write every coupon that the page shows."""
    rows = (_coupon_row(one) for one in offered_coupons(organization))
    return csv_answer(f"coupons-{organization.slug}.csv", COUPONS_HEAD, rows)


def _given_back(request: HttpRequest, form: CreditBackForm, now: datetime) -> bool:
    """Give unused credit back; False where the form says what is wrong with it."""
    assert isinstance(request.user, User)
    if not form.is_valid():
        return False
    try:
        form.give(by=request.user.email, now=now)
    except Problem as refused:
        form.add_error(None, refusal_words(refused))
        return False
    messages.success(request, _("The refund is on its way. What does not arrive stands on the tenant's balance."))
    return True


def _acted(  # noqa: PLR0917  one for each form
    request: HttpRequest,
    organization: Organization,
    action: str,
    grant_form: GrantForm,
    coupon_form: CouponForm,
    now: datetime,
) -> bool:
    """Do what was asked for; False where a form says what is wrong with it."""
    assert isinstance(request.user, User)
    if action == "end":
        end_coupon(coupon=_own_coupon(organization, request.POST.get("coupon", "")), now=now)
        messages.success(request, _("It is offered no longer. What was redeemed stays as agreed."))
        return True
    form: forms.Form = grant_form if action == "grant" else coupon_form
    if not form.is_valid():
        return False
    try:
        if action == "grant":
            made = grant_credit(term=grant_form.chosen, grant=grant_form.grant, recorded_by=request.user.email, now=now)
            messages.success(request, _("%(name)s is granted.") % {"name": made.name})
        else:
            given = coupon_form.cleaned_data
            offer_coupon(
                provider=organization,
                wording=coupon_form.wording,
                title=given["title"],
                now=now,
                redeem_by=given["redeem_by"],
                redemptions_most=given["redemptions_most"],
            )
            messages.success(request, _("%(code)s is offered.") % {"code": given["code"]})
    except Problem as refused:
        form.add_error(None, told(refused.said))
        return False
    return True


def _own_coupon(organization: Organization, text: str) -> Coupon:
    """Return a provider's own coupon. Raises Http404."""
    try:
        coupon = Coupon.objects.filter(provider=organization, pk=UUID(text)).first()
    except ValueError:
        coupon = None
    if coupon is None:
        raise Http404
    return coupon


def _grant(one: GivenGrant, locale: str) -> dict[str, Any]:
    words, tone = STATES[one.state]
    return {
        "row": one,
        "amount": money(one.amount, one.currency, locale=locale),
        "left": money(one.left, one.currency, locale=locale),
        "from": moment(one.from_at, UTC, locale=locale),
        "expires": moment(one.expires_at, UTC, locale=locale) if one.expires_at else "",
        "pill": Pill(str(words), tone, small=True),
    }


def _grant_row(one: GivenGrant) -> tuple[object, ...]:
    expires = one.expires_at.isoformat() if one.expires_at else None
    return (
        one.tenant, one.contract, one.term, one.name, one.currency, one.amount, one.left, one.from_at.isoformat(),
        expires, one.priority, one.bought, one.state,
    )  # fmt: skip


def _coupon(one: Any, now: datetime, locale: str) -> dict[str, Any]:
    """Show a row of `offered_coupons`."""
    wording, most = one.document, one.redemptions_most
    over = one.redeem_by is not None and one.redeem_by <= now
    taken = most is not None and one.redeemed >= most
    if one.ended_at is not None:
        pill = Pill(_("ended"), small=True)
    elif over or taken:
        pill = Pill(_("over") if over else _("all taken"), "warn", small=True)
    else:
        pill = Pill(_("offered"), "good", small=True)
    percent, periods = wording.get("percent"), wording["coupon"].get("periods_most")
    return {
        "row": one,
        "off": f"{percent}%" if percent else _("%(amount)s a period") % {"amount": wording.get("amount_per_period")},
        "periods": number(periods) if periods else _("all"),
        "redeemed": f"{number(one.redeemed)} / {number(most)}" if most else number(one.redeemed),
        "until": moment(one.redeem_by, UTC, locale=locale) if one.redeem_by else "",
        "pill": pill,
        "ends": one.ended_at is None,
    }


def _coupon_row(one: Any) -> tuple[object, ...]:
    wording = one.document
    return (
        one.code, one.title, wording.get("percent"), wording.get("amount_per_period"),
        wording["coupon"].get("periods_most"), one.redeem_by and one.redeem_by.isoformat(), one.redemptions_most,
        one.redeemed, one.created_at.isoformat(), one.ended_at and one.ended_at.isoformat(),
    )  # fmt: skip
