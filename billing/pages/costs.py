"""What clusters cost by their owner's figures: what counts now, what was entered when, and the form for the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing.cluster_costs import WrongClusterCost, enter_cluster_cost
from billing.economics.cost import CardCost, CostRates
from billing.money import MINOR_DIGITS
from billing.pages.refused_fields import say_at_field
from billing.queries.cluster_costs import ClusterFigures, CostVersion, cluster_costs
from portal.figures import DASH, moment, money, number, unit_price
from portal.locales import active_locale
from portal.parts import Empty, Notice
from portal.punctuation import joined
from portal.shell import Crumb
from tenants.models import User
from tenants.roles import EDIT_COSTS, READ_INVOICES, allows
from tenants.scoping import acting_membership, provider_page

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Organization

DIGITS_MAX: Final = 24
DEFAULT_LIFE_DAYS: Final = 1826
"""Five years, with the day of a leap year."""


class CostForm(forms.Form):
    """A cost model for a cluster; with two fields for each card model that stands there."""

    day = forms.DateField(label=gettext_lazy("From day (UTC)"), widget=forms.DateInput(attrs={"type": "date"}))
    hour = forms.TypedChoiceField(
        label=gettext_lazy("From hour (UTC)"), coerce=int, choices=[(hour, f"{hour:02}:00") for hour in range(24)]
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in sorted(MINOR_DIGITS)]
    )
    power_price_per_kwh = forms.DecimalField(
        label=gettext_lazy("Power price per kWh"), max_digits=DIGITS_MAX, decimal_places=12, min_value=Decimal(0)
    )
    pue = forms.DecimalField(
        label=gettext_lazy("PUE"),
        max_digits=8,
        decimal_places=4,
        min_value=Decimal(1),
        max_value=Decimal(10),
        help_text=gettext_lazy("All energy of the site over its cards' energy, such as 1.25."),
    )
    grid_g_per_kwh = forms.DecimalField(
        label=gettext_lazy("Grid, g CO2e per kWh"),
        max_digits=10,
        decimal_places=3,
        min_value=Decimal(0),
        max_value=Decimal(5000),
        required=False,
        help_text=gettext_lazy("Empty where it is not known: carbon is then unknown too."),
    )
    grid_source = forms.CharField(label=gettext_lazy("Source of the grid's figure"), max_length=200, required=False)
    rent_per_month = forms.DecimalField(
        label=gettext_lazy("Rent per month"), max_digits=DIGITS_MAX, decimal_places=6, min_value=Decimal(0)
    )
    overhead_per_month = forms.DecimalField(
        label=gettext_lazy("Overhead per month"),
        max_digits=DIGITS_MAX,
        decimal_places=6,
        min_value=Decimal(0),
        help_text=gettext_lazy("Network, people and software of this cluster."),
    )

    def __init__(self, *args: Any, card_models: list[str], **kwargs: Any) -> None:
        """Ask for the price and the life of each card model."""
        super().__init__(*args, **kwargs)
        self.card_models = card_models
        for index, model in enumerate(card_models):
            self.fields[f"capex_{index}"] = forms.DecimalField(
                label=_("%(model)s: price of one card") % {"model": model},
                max_digits=DIGITS_MAX,
                decimal_places=6,
                min_value=Decimal(0),
                required=False,
                help_text=_("With its part of the server. Empty where it is not known."),
            )
            self.fields[f"life_{index}"] = forms.IntegerField(
                label=_("%(model)s: life in days") % {"model": model}, min_value=1, max_value=36_500, required=False
            )
        for field in self.fields.values():
            if isinstance(field, forms.DecimalField):
                field.widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def rates(self) -> CostRates:
        """Return what the form says; it must be valid."""
        given = self.cleaned_data
        cards = {
            model: CardCost(given[f"capex_{index}"], given[f"life_{index}"] or DEFAULT_LIFE_DAYS)
            for index, model in enumerate(self.card_models)
            if given[f"capex_{index}"] is not None
        }
        return CostRates(
            effective_at=datetime.combine(given["day"], time(given["hour"]), tzinfo=UTC),
            currency=given["currency"],
            power_price_per_kwh=given["power_price_per_kwh"],
            pue=given["pue"],
            rent_per_month=given["rent_per_month"],
            overhead_per_month=given["overhead_per_month"],
            grid_g_per_kwh=given["grid_g_per_kwh"],
            cards=cards,
        )


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version in words."""

    number: int
    since: str
    counts: bool
    current: bool
    power: str
    pue: str
    rent: str
    overhead: str
    grid: str
    cards: tuple[str, ...]
    entered: str


@require_safe
@provider_page(READ_INVOICES)
def provider_costs(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List a provider's clusters with the costs in force."""
    now = datetime.now(UTC)
    locale = active_locale()
    clusters = cluster_costs(organization)
    context = {
        "clusters": [
            (one, _line(version, version, locale) if version else None, one.without_price(now))
            for one in clusters
            for version in [one.in_force(now)]
        ],
        "empty": None if clusters else Empty(_("No clusters yet"), _("A cluster is there once a node is enrolled.")),
        "crumbs": (Crumb(_("Margin"), reverse("provider-margin")), Crumb(_("Costs"))),
    }
    return render(request, "billing/costs.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_INVOICES)
def provider_cluster_costs(request: HttpRequest, organization: Organization, *, slug: str) -> HttpResponse:
    """Show every version of a cluster's costs, and take the next one."""
    now = datetime.now(UTC)
    locale = active_locale()
    found = next(iter(cluster_costs(organization, slug)), None)
    if found is None:
        raise Http404
    membership = acting_membership(request)
    edits = membership is not None and allows(membership.role, EDIT_COSTS)
    if request.method == "POST" and not edits:
        raise Http404
    current = found.in_force(now)
    models = [model for model, _count in found.card_models]
    posted = request.POST if request.method == "POST" else None
    form = CostForm(posted, card_models=models, initial=_initial(found, now))
    if form.is_bound and form.is_valid() and _entered(request, organization, slug, form, now):
        return redirect("provider-cluster-costs", slug=slug)
    context = {
        "cluster": found,
        "edits": edits,
        "form": form,
        "notice": _unknown_cards(found, now),
        "versions": [_line(one, current, locale) for one in found.versions],
        "crumbs": (
            Crumb(_("Margin"), reverse("provider-margin")),
            Crumb(_("Costs"), reverse("provider-costs")),
            Crumb(found.name),
        ),
    }
    return render(request, "billing/cluster_costs.html", context, status=422 if form.is_bound else 200)


def _entered(request: HttpRequest, organization: Organization, slug: str, form: CostForm, now: datetime) -> bool:
    """Enter what the form says; what refuses it is shown above the form."""
    assert isinstance(request.user, User)
    try:
        enter_cluster_cost(
            provider=organization,
            cluster_slug=slug,
            rates=form.rates(),
            grid_source=form.cleaned_data["grid_source"],
            by=request.user.email,
            now=now,
        )
    except WrongClusterCost as wrong:
        say_at_field(form, wrong)
        return False
    messages.success(request, _("Entered. The days from then are worked out anew within a minute or so."))
    return True


def _initial(found: ClusterFigures, now: datetime) -> dict[str, Any]:
    version = found.in_force(now) or next(iter(found.versions), None)
    start: dict[str, Any] = {"day": now.date(), "hour": 0, "currency": "USD", "pue": Decimal("1.25")}
    if version is None:
        return start
    start.update(
        currency=version.currency,
        power_price_per_kwh=version.power_price_per_kwh.normalize(),
        pue=version.pue.normalize(),
        rent_per_month=f"{version.rent_per_month.normalize():f}",
        overhead_per_month=f"{version.overhead_per_month.normalize():f}",
        grid_g_per_kwh=None if version.grid_g_per_kwh is None else f"{version.grid_g_per_kwh.normalize():f}",
        grid_source=version.grid_source,
    )
    known = {card.model: card for card in version.cards}
    for index, (model, _count) in enumerate(found.card_models):
        if model in known:
            start[f"capex_{index}"] = f"{known[model].capex_per_gpu.normalize():f}"
            start[f"life_{index}"] = known[model].life_days
    return start


def _unknown_cards(found: ClusterFigures, now: datetime) -> Notice | None:
    missing = found.without_price(now)
    if not missing:
        return None
    return Notice(
        _("The cost of some cards is not known."),
        _("Nobody entered a price for %(models)s: their time is counted, and no margin is shown for it.")
        % {"models": joined(missing)},
        "warn",
    )


def _line(one: CostVersion, current: CostVersion | None, locale: str) -> VersionLine:
    grid = (
        DASH
        if one.grid_g_per_kwh is None
        else _("%(grams)s g CO2e per kWh") % {"grams": number(one.grid_g_per_kwh, digits=0)}
    )
    return VersionLine(
        number=one.number,
        since=moment(one.effective_at, UTC, locale=locale),
        counts=one.counts,
        current=current is not None and one.number == current.number,
        power=unit_price(one.power_price_per_kwh, one.currency, locale=locale),
        pue=f"{one.pue.normalize():f}",
        rent=money(one.rent_per_month, one.currency, locale=locale),
        overhead=money(one.overhead_per_month, one.currency, locale=locale),
        grid=" · ".join(filter(None, (grid, one.grid_source))),
        cards=tuple(
            _("%(model)s: %(price)s over %(days)s days")
            % {
                "model": card.model,
                "price": money(card.capex_per_gpu, one.currency, locale=locale),
                "days": number(card.life_days),
            }
            for card in one.cards
        ),
        entered=f"{one.entered_by} · {moment(one.created_at, UTC, locale=locale)}",
    )
