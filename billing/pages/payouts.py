"""A provider's payouts: what can be paid out, how it is paid, its account at Stripe, and what was sent."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import stripe_account
from billing.models import PayoutTerms, StripePayee
from billing.pages.payout_words import method_words, payout_row, schedule_words, standing_kpis
from billing.statements.onboarding import Connecting, connect, look_at_payee, onboarding_url
from billing.statements.payout_terms import set_terms
from billing.statements.payouts import payouts_of, standings_of, terms_seen
from billing.stripe_answers import StripeError
from portal.locales import active_locale
from portal.parts import Empty
from tenants.limits.reader import whole
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import EDIT_PROFILE, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page
from tenants.telling import told


class TermsForm(forms.Form):
    """How a provider wants to be paid out."""

    method = forms.ChoiceField(label=gettext_lazy("Paid by"))
    schedule = forms.ChoiceField(label=gettext_lazy("When"))
    minimum_amount = forms.DecimalField(
        label=gettext_lazy("From an amount of"), min_value=0, max_digits=16, decimal_places=4
    )

    def __init__(self, data: Mapping[str, Any] | None, terms: PayoutTerms) -> None:
        """Offer what can be chosen, with what is set now."""
        least = f"{Decimal(terms.minimum_amount).normalize():f}"
        said = {"method": terms.method, "schedule": terms.schedule, "minimum_amount": least}
        super().__init__(data, initial=said)
        for name, words in (("method", method_words()), ("schedule", schedule_words())):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = list(words.items())


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_payouts(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Show what can be paid out and what was; a POST sets how, or makes the account at Stripe."""
    may_set = _may_set(request)
    if request.method == "POST" and not may_set:
        raise NotAllowed(EDIT_PROFILE)
    posted = request.method == "POST"
    form = TermsForm(request.POST if posted else None, terms_seen(organization))
    if posted and request.POST.get("action") == "connect":
        return _connected(request, organization)
    if posted and form.is_valid() and _set(request, form, organization):
        return redirect("provider-payouts")
    locale, now = active_locale(), datetime.now(UTC)
    context = {
        "standings": [
            {"currency": one.found.currency, "kpis": standing_kpis(one, locale)}
            for one in standings_of(organization, now)
        ],
        "held_reason": terms_seen(organization).held_reason,
        "rows": [payout_row(one, locale) for one in payouts_of(organization) if one.provider_id == organization.pk],
        "form": form if may_set else None,
        "payee": StripePayee.objects.filter(pk=organization.pk).first(),
        "with_stripe": stripe_account.gateway() is not None,
        "may_set": may_set,
        "empty": Empty(
            _("Nothing was paid out yet"), _("What tenants paid goes out by the schedule below."), icon="ledger"
        ),
    }
    return render(request, "billing/provider_payouts.html", context, status=422 if posted else 200)


@require_safe
@provider_page(EDIT_PROFILE)
def provider_payouts_stripe(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Go on to Stripe's page on which the owner of the account fills it in; back from it, look how it stands."""
    gateway = stripe_account.gateway()
    payee = StripePayee.objects.filter(pk=organization.pk).first()
    if gateway is None or payee is None:
        raise Http404
    page = request.build_absolute_uri(reverse("provider-payouts"))
    here = request.build_absolute_uri(reverse("provider-payouts-stripe"))

    def go(stripe: Connecting) -> str:
        if request.GET.get("back"):
            with whole("coming back from Stripe's page keeps what it says of the account"):
                look_at_payee(provider_id=organization.pk, gateway=stripe, now=datetime.now(UTC))
            return page
        return onboarding_url(payee=payee, gateway=stripe, page_url=f"{here}?back=1", again_url=here)

    url = _asked_stripe(request, gateway, go)
    return HttpResponseRedirect(url or page)


def _connected(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    gateway = stripe_account.gateway()
    if gateway is None:
        raise Http404

    def make(stripe: Connecting) -> str:
        connect(provider=organization, by=_who(request), gateway=stripe, now=datetime.now(UTC))
        return "made"

    if _asked_stripe(request, gateway, make):
        messages.success(request, _("The account is there. Fill it in on Stripe's pages."))
    return redirect("provider-payouts")


def _asked_stripe(request: HttpRequest, gateway: Connecting, ask: Callable[[Connecting], str]) -> str:
    try:
        return ask(gateway)
    except StripeError as error:
        messages.error(request, _("Stripe did not do it: %(reason)s") % {"reason": error})
        return ""


def _set(request: HttpRequest, form: TermsForm, organization: Organization) -> bool:
    try:
        set_terms(
            provider=organization,
            changes=form.cleaned_data,
            actor=organization,
            by=_who(request),
            now=datetime.now(UTC),
        )
    except Problem as refused:
        form.add_error(None, told(refused.said))
        return False
    messages.success(request, _("Payouts are made so from now on."))
    return True


def _may_set(request: HttpRequest) -> bool:
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, EDIT_PROFILE)


def _who(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email
