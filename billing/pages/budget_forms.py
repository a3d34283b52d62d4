"""Forms of budgets: what is limited in one choice, how much, when it tells, and whether it stops."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.budgets.rules import AMOUNT_MAX, NAME_CHARACTERS_MAX, THRESHOLDS, Measure, Per, Rule, Scope
from billing.budgets.words import per_words, scope_words
from billing.models import Contract
from billing.queries.usage import Side
from clusters.models import Binding
from metering.key_models import Project, UsageKey
from portal.selects import LongSelect

if TYPE_CHECKING:
    from tenants.models import Organization

SEPARATOR: Final = ":"
TOKENS: Final = "tokens"
CHOICES_MAX: Final = 500


class PercentsField(forms.CharField):
    """Whole percents, separated by commas."""

    def clean(self, value: Any) -> tuple[int, ...]:
        """Read the numbers, in any order."""
        text = super().clean(value).replace("%", "")
        try:
            return tuple(sorted({int(part) for part in text.replace(" ", ",").split(",") if part}))
        except ValueError:
            raise forms.ValidationError(_("Enter whole percents, such as 50, 75, 100.")) from None


class BudgetForm(forms.Form):
    """A budget; what it limits can be chosen only while it is new."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_CHARACTERS_MAX)
    of = forms.ChoiceField(label=gettext_lazy("Limits"), widget=LongSelect)
    counted = forms.ChoiceField(label=gettext_lazy("Counted in"))
    per = forms.ChoiceField(label=gettext_lazy("Period"), help_text=gettext_lazy("Per hour it limits a rate."))
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"), max_digits=24, decimal_places=6, min_value=Decimal(0), max_value=AMOUNT_MAX
    )
    thresholds = PercentsField(
        label=gettext_lazy("Tell at, percent"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("Each is told once a period: by letter, by webhook and here."),
    )
    on_forecast = forms.BooleanField(
        label=gettext_lazy("Tell as soon as the month is on course to pass it"),
        required=False,
        help_text=gettext_lazy("For the cost of all use per month: that is what is forecast."),
    )
    stops = forms.BooleanField(
        label=gettext_lazy("Stop new use when it is used up"),
        required=False,
        help_text=gettext_lazy(
            "New requests are refused by every gateway that asks Forecourt. A cost of all use or of a contract also "
            "keeps more GPUs from being reserved or started. What runs goes on, and is billed."
        ),
    )

    def __init__(self, *args: Any, organization: Organization, side: Side, rule: Rule | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rule = rule
        if rule is not None:
            for name in ("of", "counted", "per"):
                del self.fields[name]
        else:
            contracts = Contract.objects.filter(**{side.value: organization}).order_by("number")
            named = list(contracts.values_list("number", "currency"))
            self._choose("of", subjects(organization, side, [number for number, _currency in named]))
            currencies = sorted({currency for _number, currency in named}) or ["USD"]
            costs = [(one, _("Cost in %(currency)s") % {"currency": one}) for one in currencies]
            self._choose("counted", [*costs, (TOKENS, _("Tokens"))])
            self._choose("per", [(one.value, per_words(one)) for one in reversed(Per)])
        if side is Side.PROVIDER:
            del self.fields["stops"]

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def rule(self, zone: str) -> Rule:
        """Return what the form says; it must be valid."""
        given = self.cleaned_data
        rest = {
            "amount": given["amount"],
            "thresholds": given["thresholds"],
            "on_forecast": given["on_forecast"],
            "stops": given.get("stops", False),
        }
        if self._rule is not None:
            old = self._rule
            return Rule(old.scope, old.subject, old.measure, old.currency, old.per, old.zone, **rest)
        scope, _separator, subject = given["of"].partition(SEPARATOR)
        is_cost = given["counted"] != TOKENS
        return Rule(
            Scope(scope),
            subject,
            Measure.COST if is_cost else Measure.TOKENS,
            given["counted"] if is_cost else "",
            Per(given["per"]),
            zone,
            **rest,
        )


class LiftForm(forms.Form):
    """Why use may go on."""

    reason = forms.CharField(label=gettext_lazy("Why use may go on"), max_length=200)


def subjects(organization: Organization, side: Side, contracts: list[str]) -> list[tuple[str, str]]:
    """Return what can be limited: all, each contract, each model that was served, a tenant's projects and keys.

    Contracts are given by their numbers.
    """
    served = Binding.objects.filter(**{f"deployment__{side.value}": organization})
    models = served.order_by("model").values_list("model", flat=True).distinct()[:CHOICES_MAX]
    found = [(Scope.ORGANIZATION, "")]
    found += [(Scope.CONTRACT, number) for number in contracts[:CHOICES_MAX]]
    found += [(Scope.MODEL, model) for model in models]
    if side is Side.TENANT:
        projects = Project.objects.filter(tenant=organization).order_by("slug").values_list("slug", flat=True)
        keys = UsageKey.objects.filter(tenant=organization, deleted_at__isnull=True).order_by("label")
        found += [(Scope.PROJECT, slug) for slug in projects[:CHOICES_MAX]]
        found += [(Scope.KEY, label) for label in keys.values_list("label", flat=True)[:CHOICES_MAX]]
    return [(f"{scope}{SEPARATOR}{subject}", scope_words(scope, subject, side)) for scope, subject in found]


def initial_of(name: str, rule: Rule | None) -> dict[str, Any]:
    """Return what a form begins with."""
    if rule is None:
        return {"thresholds": ", ".join(str(one) for one in THRESHOLDS)}
    return {
        "name": name,
        "amount": f"{rule.amount.normalize():f}",
        "thresholds": ", ".join(str(one) for one in rule.thresholds),
        "on_forecast": rule.on_forecast,
        "stops": rule.stops,
    }
