"""A provider's first page: what needs attention today, the month's money, and the fleet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.models import MarginDay
from billing.money import exact_sum
from billing.pages import overview_words as words
from billing.pages.periods import Period, read_period, with_query
from billing.pages.usage_charts import MODEL_TONES, MODELS_MAX, OTHER, OTHER_TONE, label_step, legend
from billing.queries.margin import Grouping, daily, margin, revenue_of
from billing.queries.month_money import month_money
from billing.queries.receivables import owed_to
from billing.queries.waiting import MONEY, waits_of
from metering.attention import Attention, attention_of
from metering.fleet_figures import cluster_figures, total_of
from metering.pages.fleet_strip import FINDINGS_SHOWN, drawing_kpi, free_kpi
from portal.charts import Column, Fact, Series, column_table, stacked_columns
from portal.figures import axis, day, money, span
from portal.locales import active_locale
from portal.parts import Action, Empty
from portal.shell import Crumb
from tenants.roles import READ_FLEET, READ_INVOICES, READ_USAGE, allows
from tenants.scoping import acting_membership, provider_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse

    from billing.queries.margin import Figures
    from billing.queries.receivables import Owed
    from tenants.models import Organization

VIEW: Final = timedelta(hours=24)


@require_safe
@provider_page(READ_USAGE)
def provider_overview(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what needs attention, and of money and fleet what the reader's role may see."""
    now = datetime.now(UTC)
    locale = active_locale()
    membership = acting_membership(request)
    role = membership.role if membership else ""
    sees_money, sees_fleet = allows(role, READ_INVOICES), allows(role, READ_FLEET)
    period = read_period({}, "UTC", now)
    attention = attention_of(provider=organization, now=now, worst=FINDINGS_SHOWN) if sees_fleet else Attention()
    owed = owed_to(organization, now)
    waits = [wait for wait in waits_of(organization, now, owed) if sees_money or wait.kind not in MONEY]
    todo = [*(words.wait_line(wait, locale) for wait in waits), *words.finding_lines(attention, now, locale)]
    context: dict[str, Any] = {
        "sub": span(period.first, period.shown_last, locale),
        "todo": sorted(todo, key=lambda line: not line.severe),
        "sees_money": sees_money,
        "sees_fleet": sees_fleet,
        "kpis": [],
        "crumbs": (Crumb(_("Overview")),),
    }
    if sees_money:
        context |= _money(organization, period, owed, locale)
    if sees_fleet:
        context |= _fleet(organization, now)
        context["kpis"] = [*context["kpis"], *context["fleet_kpis"]][:6]
    return render(request, "billing/overview.html", context)


def _money(organization: Organization, period: Period, owed: Sequence[Owed], locale: str) -> dict[str, Any]:
    """The month so far: what was earned day by day and by whom, what came in, what is open."""
    found = margin(organization, period.first, period.shown_last, by=Grouping.TENANT)
    sums = month_money(organization, from_at=period.from_at, to_at=period.end_at, now=period.now, owed=owed)
    before = period.before()
    earned_before = revenue_of(organization, before.first, before.last, currency=found.currency) if before else None
    by_day = daily(organization, period.first, period.shown_last, currency=found.currency)
    columns, series = _columns(by_day, period, found.currency, locale)
    worked_out = MarginDay.objects.filter(provider=organization).order_by("-summed_at").first()
    table = column_table(
        columns, series, caption=_("Earned per day"), head=_("Day"),
        form=lambda value: money(value, found.currency, locale=locale),
        unknown=_("unknown"),
    )  # fmt: skip
    return {
        "kpis": words.money_kpis(found, earned_before, sums, locale),
        "earned_chart": stacked_columns(
            columns,
            series,
            label=_("Earned per day, by what was sold"),
            form=lambda value: axis(value, locale=locale, currency=found.currency),
        ),
        "earned_table": table,
        "earned_legend": legend(series),
        "earned_note": words.updated_words(worked_out.summed_at if worked_out else None, locale),
        "earners": words.earner_lines(found.lines, found.total.revenue, found.currency, locale),
        "earners_url": with_query(reverse("provider-margin"), {"by": Grouping.TENANT.value}) + "#sums",
        "elsewhere": [money(total, code, locale=locale) for code, total in found.elsewhere],
        "nothing_earned": Empty(
            _("Nothing is earned yet this month"),
            _("A day shows here once something is held, served or charged."),
            Action(_("Contracts"), reverse("provider-contracts")),
            "chart",
        ),
    }


def _columns(
    by_day: Mapping[str, Mapping[date, Figures]], period: Period, currency: str, locale: str
) -> tuple[list[Column], tuple[Series, ...]]:
    """A column a day, stacked by what earned the most; what comes after the fifth is together."""
    totals = {name: exact_sum(one.revenue for one in days.values()) for name, days in by_day.items()}
    ranked = sorted((name for name, total in totals.items() if total > 0), key=lambda name: (-totals[name], name))
    named, rest = ranked[:MODELS_MAX], ranked[MODELS_MAX:]
    series = tuple(
        Series(name, name or _("Without a place"), tone) for name, tone in zip(named, MODEL_TONES, strict=False)
    )
    if rest:
        series = (*series, Series(OTHER, _("Other"), OTHER_TONE))
    days = period.days()
    step = label_step(len(days))
    columns = []
    for index, each in enumerate(days):
        ahead = each > period.today
        values = {name: _earned(by_day, name, each) for name in named}
        if rest:
            values[OTHER] = exact_sum(_earned(by_day, name, each) for name in rest)
        facts = [Fact(layer.name, money(values[layer.key], currency, locale=locale), layer.tone) for layer in series]
        columns.append(
            Column(
                label=str(each.day) if index % step == 0 else "",
                title=day(each, "MMMEd", locale),
                values={} if ahead else values,
                facts=() if ahead else tuple(reversed(facts)),
                url="" if ahead else with_query(reverse("provider-margin"), _day_query(each)),
                state="ahead" if ahead else "partial" if each == period.today else "measured",
                weekend=each.weekday() >= 5,
            )
        )
    return columns, series


def _earned(by_day: Mapping[str, Mapping[date, Figures]], name: str, each: date) -> Decimal:
    found = by_day.get(name, {}).get(each)
    return found.revenue if found else Decimal(0)


def _day_query(each: date) -> dict[str, str]:
    return {"from": each.isoformat(), "to": each.isoformat()}


def _fleet(organization: Organization, now: datetime) -> dict[str, Any]:
    clusters = cluster_figures(provider=organization, now=now, from_at=now - VIEW)
    total = total_of(clusters)
    return {
        "clusters": [words.cluster_line(cluster) for cluster in clusters],
        "fleet_kpis": [free_kpi(total), drawing_kpi(total)],
        "no_fleet": Empty(
            _("No cluster yet"),
            _("Add a site of yours under Fleet; then each of its servers is enrolled with two commands."),
            Action(_("Fleet"), reverse("provider-fleet")),
            "chip",
        ),
    }
