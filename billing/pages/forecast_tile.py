"""The forecast on the usage page: what the month is on course for, its range, and the budget it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.budgets.foretelling import kept_forecast
from billing.budgets.rules import Measure, Per, Scope
from billing.models import Budget
from billing.queries.usage import Side
from portal.charts import Part, bar
from portal.figures import day, money
from portal.parts import Kpi
from portal.templatetags.figures_tags import money_big

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from billing.models import SpendForecast
    from billing.pages.periods import Period
    from billing.queries.usage import UsageOverview
    from portal.parts import PillTone
    from tenants.models import Organization


RANGE_MAX: Final = 3
"""A range that reaches beyond so many times what is expected tells nobody anything; the API gives it all the same."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What the running month is expected to come to, and the budget of all its cost that is passed first."""

    made: SpendForecast
    budget: Budget | None

    def expected(self, so_far: Decimal) -> Decimal:
        """Return what the month comes to: a forecast is kept for a while, so never less than it came to up to now."""
        return max(self.made.expected, so_far)


def foretold(organization: Organization, period: Period, currency: str, now: datetime) -> Foretold | None:
    """Return what the running month comes to; None for other periods, and where nothing was foretold."""
    if not (period.is_month and period.runs):
        return None
    made = kept_forecast(organization, Side.TENANT, currency, now)
    if made is None or made.zone != period.zone:
        return None
    return Foretold(made, _budget(organization, currency))


def forecast_kpis(found: Foretold | None, period: Period, shown: UsageOverview, locale: str) -> list[Kpi]:
    """Return the tile of the running month. Nothing of it is below what is `shown` beside it as the month up to now."""
    if found is None:
        return []
    made, budget, currency = found.made, found.budget, shown.currency
    foot_strong, tone = _against(made, budget, locale)
    return [
        Kpi(
            _("Forecast %(day)s") % {"day": day(period.last, "MMMd", locale)},
            money_big(found.expected(shown.total), currency),
            chart=_bar(made, budget),
            foot_strong=foot_strong,
            foot_tone=tone,
            foot=_range(made, shown.total, locale),
            alert=tone == "bad",
            url=reverse("tenant-budget", args=[budget.pk]) if budget else reverse("tenant-budgets"),
        )
    ]


def _budget(organization: Organization, currency: str) -> Budget | None:
    """Return the month's budget of all cost; of several the smallest, which is passed first."""
    found = Budget.objects.filter(
        organization=organization,
        side=Side.TENANT,
        scope=Scope.ORGANIZATION,
        measure=Measure.COST,
        per=Per.MONTH,
        currency=currency,
        retired_at__isnull=True,
    )
    return found.order_by("amount", "pk").first()


def _against(made: SpendForecast, budget: Budget | None, locale: str) -> tuple[str, PillTone]:
    if budget is None:
        return "", ""
    over = made.expected - budget.amount
    written = money(abs(over), made.currency, locale=locale)
    if over > 0:
        return _("%(amount)s over budget") % {"amount": written}, "bad"
    return _("%(amount)s under budget") % {"amount": written}, "good"


def _says_nothing(high: Decimal, made: SpendForecast) -> bool:
    return high > RANGE_MAX * made.expected


def _range(made: SpendForecast, so_far: Decimal, locale: str) -> str:
    if made.low is None or made.high is None:
        return _("too few days yet for a range")
    if so_far > made.high or _says_nothing(made.high, made):
        return _("the days so far differ too much for a range")
    said = {
        "low": money(max(made.low, so_far), made.currency, locale=locale, digits=0),
        "high": money(made.high, made.currency, locale=locale, digits=0),
    }
    return _("80%% of months like it end at %(low)s to %(high)s") % said


def _bar(made: SpendForecast, budget: Budget | None) -> str:
    high = made.expected if made.high is None or _says_nothing(made.high, made) else made.high
    top: Decimal = max(made.expected, high, budget.amount if budget else made.expected)
    parts = [Part("k-line", made.spent), Part("k-soft", max(made.expected - made.spent, 0 * made.expected))]
    return bar(parts, whole=top, mark=budget.amount if budget else None)
