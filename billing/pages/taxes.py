"""A provider's taxes: who works them out, its own rates, and certificates of its tenants."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing.pages.settings import country_choices
from billing.pages.tax_words import CATEGORY_WORDS, country_words, rate_words
from billing.tax.keeping import end_exemption, enter_rate, grant_exemption, keep_tax_settings
from billing.tax.standing import is_in_force, tax_standing, tenants_of
from billing.tax_rules.deciding import Buyers, Method
from billing.tax_rules.treatments import Category
from portal.figures import day
from portal.locales import active_locale
from portal.selects import UNCHOSEN, LongSelect
from portal.shell import Crumb
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import EDIT_PROFILE, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest

    from billing.models import TaxExemption, TaxRate
    from tenants.models import Organization

METHOD_WORDS = {
    Method.NONE: gettext_lazy("No tax is charged"),
    Method.RULES: gettext_lazy("By rules and rates"),
    Method.STRIPE: gettext_lazy("By Stripe Tax"),
}
BUYER_WORDS = {
    Buyers.ALL: gettext_lazy("All buyers"),
    Buyers.WITH_VAT_ID: gettext_lazy("Buyers with a VAT id"),
    Buyers.WITHOUT_VAT_ID: gettext_lazy("Buyers without a VAT id"),
}


def _day_field(label: Any, *, required: bool = True, help_text: Any = "") -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"})
    return forms.DateField(label=label, required=required, widget=widget, help_text=help_text)


class MethodForm(forms.Form):
    """Who works out the taxes."""

    method = forms.ChoiceField(
        label=gettext_lazy("Taxes on bills"), choices=[(method.value, words) for method, words in METHOD_WORDS.items()]
    )
    no_tax_reason = forms.CharField(
        label=gettext_lazy("Why no tax is charged"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Where none is: bills say it."),
    )
    stripe_tax_code = forms.CharField(
        label=gettext_lazy("Stripe's tax code"),
        max_length=20,
        required=False,
        help_text=gettext_lazy("Of what is sold, for Stripe Tax."),
    )


class RateForm(forms.Form):
    """A rate of one's own."""

    country = forms.ChoiceField(label=gettext_lazy("Country of the buyer"), widget=LongSelect)
    buyers = forms.ChoiceField(
        label=gettext_lazy("Buyers"), choices=[(buyers.value, words) for buyers, words in BUYER_WORDS.items()]
    )
    category = forms.ChoiceField(
        label=gettext_lazy("Category"),
        required=False,
        initial=Category.STANDARD,
        choices=[
            *((code, words) for code, words in CATEGORY_WORDS.items()),
            ("", gettext_lazy("By the built-in rules")),
        ],
    )
    percent = forms.DecimalField(
        label=gettext_lazy("Percent"),
        max_digits=7,
        decimal_places=4,
        min_value=Decimal(0),
        max_value=Decimal(100),
        initial=0,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    from_on = _day_field(gettext_lazy("From day"))
    reason = forms.CharField(label=gettext_lazy("Reason on bills"), max_length=200, required=False)
    reason_code = forms.CharField(
        label=gettext_lazy("Reason code"), max_length=30, required=False, help_text=gettext_lazy("VATEX, if any.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer every country by its name."""
        super().__init__(*args, **kwargs)
        country = self.fields["country"]
        assert isinstance(country, forms.ChoiceField)
        country.choices = [UNCHOSEN, *country_choices()]


class ExemptionForm(forms.Form):
    """A certificate of a tenant."""

    tenant = forms.ChoiceField(label=gettext_lazy("Tenant"), widget=LongSelect)
    reference = forms.CharField(label=gettext_lazy("Certificate"), max_length=100)
    reason = forms.CharField(label=gettext_lazy("Reason on bills"), max_length=200)
    reason_code = forms.CharField(
        label=gettext_lazy("Reason code"), max_length=30, required=False, help_text=gettext_lazy("VATEX, if any.")
    )
    from_on = _day_field(gettext_lazy("From day"))
    to_on = _day_field(gettext_lazy("First day without it"), required=False, help_text=gettext_lazy("Empty: no end."))

    def __init__(self, *args: Any, tenants: list[tuple[str, str]], **kwargs: Any) -> None:
        """Offer the tenants of the provider."""
        super().__init__(*args, **kwargs)
        tenant = self.fields["tenant"]
        assert isinstance(tenant, forms.ChoiceField)
        tenant.choices = tenants


class EndForm(forms.Form):
    """When a certificate ends."""

    exemption = forms.UUIDField()
    to_on = _day_field(gettext_lazy("First day without it"))


FORMS = ("method", "rate", "exemption", "end")


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_taxes(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show a provider's taxes and take what it says of them; `form` names which of the page's forms was sent."""
    membership = acting_membership(request)
    edits = membership is not None and allows(membership.role, EDIT_PROFILE)
    sent = request.POST.get("form", "") if request.method == "POST" else ""
    if request.method == "POST" and not edits:
        raise NotAllowed(EDIT_PROFILE)
    standing = tax_standing(organization)
    tenants = tenants_of(organization)
    initial = {
        "method": standing.settings.method,
        "no_tax_reason": standing.settings.no_tax_reason,
        "stripe_tax_code": standing.settings.stripe_tax_code,
    }

    def data(name: str) -> Any:
        return request.POST if sent == name else None

    shown: dict[str, forms.Form] = {
        "method": MethodForm(data("method"), initial=initial, prefix="method"),
        "rate": RateForm(data("rate"), initial={"country": organization.country}, prefix="rate"),
        "exemption": ExemptionForm(data("exemption"), prefix="exemption", tenants=tenants),
        "end": EndForm(data("end")),
    }
    if sent in shown and shown[sent].is_valid() and _done(request, organization, sent, shown[sent]):
        return redirect("provider-taxes")
    locale = active_locale()
    today = datetime.now(UTC).date()
    context = {
        "forms": shown,
        "edits": edits,
        "wrong_end": shown["end"].errors if sent == "end" else None,
        "rates": _rates(standing.rates, locale),
        "exemptions": [_exemption(each, today, locale) for each in standing.exemptions],
        "has_tenants": bool(tenants),
        "crumbs": (Crumb(_("Settings"), reverse("provider-settings")), Crumb(_("Taxes"))),
    }
    return render(request, "billing/taxes.html", context, status=422 if request.method == "POST" else 200)


def _done(request: HttpRequest, provider: Organization, sent: str, form: forms.Form) -> bool:
    """Do what a valid form asks for; what refuses it is shown at its field."""
    assert isinstance(request.user, User)
    acts: dict[str, Callable[..., object]] = {
        "method": _keep,
        "rate": _enter,
        "exemption": _grant,
        "end": _end,
    }
    try:
        acts[sent](provider, form.cleaned_data, by=request.user.email, now=datetime.now(UTC))
    except Problem as wrong:
        field = str(wrong.extra.get("field", ""))
        form.add_error(field if field in form.fields else None, told(wrong.said).removeprefix(f"{field}: "))
        return False
    messages.success(request, _("Kept. It counts on bills that are issued from now on."))
    return True


def _keep(provider: Organization, given: dict[str, Any], *, by: str, now: datetime) -> object:
    return keep_tax_settings(provider=provider, by=by, now=now, **{**given, "method": Method(given["method"])})


def _enter(provider: Organization, given: dict[str, Any], *, by: str, now: datetime) -> object:
    return enter_rate(provider=provider, by=by, now=now, **{**given, "buyers": Buyers(given["buyers"])})


def _grant(provider: Organization, given: dict[str, Any], *, by: str, now: datetime) -> object:
    return grant_exemption(provider=provider, tenant_slug=given.pop("tenant"), by=by, now=now, **given)


def _end(provider: Organization, given: dict[str, Any], *, by: str, now: datetime) -> object:
    return end_exemption(provider=provider, exemption_id=given["exemption"], to_on=given["to_on"], by=by, now=now)


def _rates(rows: Sequence[TaxRate], locale: str) -> list[dict[str, Any]]:
    """Of several for the same buyers from the same day the one that was entered last counts, and stands last."""
    counting = set({(row.country, row.buyers, row.from_on): row.pk for row in rows}.values())
    return [_rate(row, locale, counts=row.pk in counting) for row in rows]


def _rate(row: TaxRate, locale: str, *, counts: bool) -> dict[str, Any]:
    return {
        "counts": counts,
        "country": country_words(row.country, locale),
        "buyers": str(BUYER_WORDS[Buyers(row.buyers)]),
        "words": rate_words(row.category, row.percent),
        "reason": " · ".join(filter(None, (row.reason, row.reason_code))),
        "since": day(row.from_on, "yMMMd", locale),
        "by": row.created_by,
    }


def _exemption(row: TaxExemption, today: date, locale: str) -> dict[str, Any]:
    return {
        "id": row.pk,
        "tenant": row.tenant.name,
        "reference": row.reference,
        "reason": row.reason,
        "since": day(row.from_on, "yMMMd", locale),
        "until": day(row.to_on, "yMMMd", locale) if row.to_on else "",
        "in_force": is_in_force(row, today),
    }
