"""What clusters drew, what it cost and emitted, by cluster, model, tenant or day; and the same as a file."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.pages.margin import Asked, date_of, months_of, read_asked
from billing.pages.margin_words import carbon_words, decimal_of, kwh, line_name, small_energy
from billing.pages.periods import with_query
from billing.pages.usage_charts import MODEL_TONES, MODELS_MAX, OTHER, OTHER_TONE, label_step, legend
from billing.queries.energy_days import energy_days
from billing.queries.margin import Figures, Grouping, Margin, MarginLine, margin
from clusters.models import Cluster
from portal.charts import Column, Fact, Series, column_table, stacked_columns
from portal.figures import DASH, axis, day, energy, money, number, share, span
from portal.parts import Choice, Empty, Kpi
from portal.shell import Crumb
from tenants.roles import READ_INVOICES, READ_USAGE, allows
from tenants.scoping import acting_membership, provider_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.models import Organization

WH: Final = 3_600_000
"""Millijoules in a watt-hour."""
CSV_HEAD: Final = (
    "group", "name", "energy_kwh", "gpu_hours_metered_share", "carbon_g", "kwh_per_mtok", "carbon_g_per_mtok",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EnergyLine:
    """A group with its energy; a dash where it is not known."""

    name: str
    energy: str
    metered: str
    cost: str
    carbon: str
    per_mtok: str
    carbon_per_mtok: str


@require_safe
@provider_page(READ_USAGE)
def provider_energy(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show the energy of some days; its cost to those who may read money."""
    asked = read_asked(request, default=Grouping.CLUSTER)
    found = _margin(organization, asked)
    membership = acting_membership(request)
    sees_money = membership is not None and allows(membership.role, READ_INVOICES)
    columns, series = _columns(organization, asked)
    context: dict[str, Any] = {
        "sub": _("%(days)s · measured at the GPUs · days are UTC")
        % {"days": span(asked.period.first, asked.period.shown_last, asked.locale)},
        "asked": asked,
        "months": months_of(asked),
        "clusters": list(Cluster.objects.filter(provider=organization).order_by("name").values_list("slug", "name")),
        "kpis": _kpis(found, asked, sees_money=sees_money),
        "sees_money": sees_money,
        "lines": [_line(line, found, asked) for line in _metered(found)],
        "choices": _choices(request.path, asked),
        "by_title": _words()[asked.by],
        "chart": stacked_columns(
            columns, series, label=_("Energy per day, in kWh"), form=lambda value: axis(value, locale=asked.locale)
        ),
        "table": column_table(
            columns, series, caption=_("Energy per day, in kWh"), head=_("Day"),
            form=lambda value: number(value, digits=1), unknown=_("not metered"),
        ),
        "legend": legend(series),
        "export_url": with_query(reverse("provider-energy-csv"), {**asked.query, "by": asked.by.value}),
        "empty": Empty(
            _("No energy was metered in these days"),
            _("An agent that reads the GPUs' energy counters tells it. What it cost needs the price of power."),
            icon="bolt",
        ),
        "crumbs": (Crumb(_("Fleet"), reverse("provider-fleet")), Crumb(_("Energy"))),
    }  # fmt: skip
    return render(request, "billing/energy.html", context)


@require_safe
@provider_page(READ_USAGE)
def provider_energy_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write every line that the page shows, exact; what is not known is empty."""
    asked = read_asked(request, default=Grouping.CLUSTER)
    found = _margin(organization, asked)
    name = f"energy-{asked.period.first}-{asked.period.shown_last}.csv"
    return csv_answer(name, CSV_HEAD, _csv_rows(found, asked))


def _margin(organization: Organization, asked: Asked) -> Margin:
    period = asked.period
    return margin(
        organization, period.first, period.last, by=asked.by, currency=asked.currency, cluster_slug=asked.cluster
    )


def _metered(found: Margin) -> list[MarginLine]:
    return [line for line in found.lines if line.figures.metered_ms]


def _per_mtok(figures: Figures) -> Fraction | None:
    """Energy in mJ per 1M tokens; unknown unless all the GPU time was metered."""
    if figures.metered_ms < figures.gpu_ms or figures.tokens <= 0:
        return None
    return Fraction(figures.energy_mj) * 1_000_000 / figures.tokens


def _carbon_per_mtok(figures: Figures) -> Fraction | None:
    return None if _per_mtok(figures) is None else figures.per_mtok(figures.carbon_g)


def _kpis(found: Margin, asked: Asked, *, sees_money: bool) -> list[Kpi]:
    total = found.total
    drawn, _space, unit = energy(total.energy_mj).partition(" ") if total.metered_ms else (DASH, "", "")
    per, carbon = _per_mtok(total), total.carbon_g
    mass, _space, mass_unit = carbon_words(carbon).partition(" ") if carbon is not None else (DASH, "", "")
    kpis = [
        Kpi(_("Energy"), drawn, unit=unit, foot=_("measured at the GPUs"), lead=True),
        Kpi(
            _("Metered"),
            share(decimal_of(total.metered_share), digits=0) if total.metered_share is not None else DASH,
            foot=_("of the GPU time; the rest is unknown, not zero"),
        ),
        Kpi(
            _("Carbon"),
            mass,
            unit=mass_unit,
            foot=_("with cooling and the rest of the site, by the grid of each cluster"),
        ),
        Kpi(
            _("Per 1M tokens"),
            small_energy(per) if per is not None else DASH,
            foot=_("of all tokens") if per is not None else _("known when all GPU time is metered"),
        ),
    ]
    if sees_money:
        cost = _cost(total, found.currency, asked.locale)
        kpis.insert(1, Kpi(_("Cost of power"), cost, foot=_("at the price of power of each cluster")))
    return kpis


def _line(line: MarginLine, found: Margin, asked: Asked) -> EnergyLine:
    figures = line.figures
    carbon, per, carbon_per = figures.carbon_g, _per_mtok(figures), _carbon_per_mtok(figures)
    known = figures.metered_share
    return EnergyLine(
        name=_name(line, found, asked),
        energy=energy(figures.energy_mj),
        metered=share(decimal_of(known), digits=0) if known is not None else DASH,
        cost=money(figures.energy_cost, found.currency, locale=asked.locale)
        if figures.energy_cost is not None
        else DASH,
        carbon=carbon_words(carbon) if carbon is not None else DASH,
        per_mtok=small_energy(per) if per is not None else DASH,
        carbon_per_mtok=_("%(grams)s g") % {"grams": number(decimal_of(carbon_per), digits=1)} if carbon_per else DASH,
    )


def _cost(figures: Figures, currency: str, locale: str) -> str:
    return DASH if figures.energy_cost is None else money(figures.energy_cost, currency, locale=locale)


def _name(line: MarginLine, found: Margin, asked: Asked) -> str:
    return day(date_of(line), "MMMEd", asked.locale) if asked.by is Grouping.DAY else line_name(line, found.currency)


def _words() -> dict[Grouping, str]:
    return {
        Grouping.CLUSTER: _("By cluster"),
        Grouping.MODEL: _("By model"),
        Grouping.TENANT: _("By tenant"),
        Grouping.DAY: _("By day"),
    }


def _choices(path: str, asked: Asked) -> list[Choice]:
    return [
        Choice(title, with_query(path, {**asked.query, "by": by.value}) + "#sums", current=by is asked.by)
        for by, title in _words().items()
    ]


def _columns(organization: Organization, asked: Asked) -> tuple[list[Column], tuple[Series, ...]]:
    """A column a day in kWh, stacked by cluster; a day of which nothing is known is a gap."""
    period = asked.period
    by_cluster = energy_days(organization, period.first, period.shown_last, cluster_slug=asked.cluster)
    ranked = sorted(by_cluster, key=lambda name: (-sum(by_cluster[name].values()), name))
    named, rest = ranked[:MODELS_MAX], ranked[MODELS_MAX:]
    series = tuple(Series(name, name, tone) for name, tone in zip(named, MODEL_TONES, strict=False))
    series = (*series, Series(OTHER, _("Other"), OTHER_TONE)) if rest else series
    days = period.days()
    step = label_step(len(days))
    columns = []
    for index, each in enumerate(days):
        values = {name: kwh(by_cluster[name][each]) for name in named if each in by_cluster[name]}
        if rest and any(each in by_cluster[name] for name in rest):
            values[OTHER] = kwh(sum(by_cluster[name].get(each, 0) for name in rest))
        columns.append(_column(each, values, series, asked, labelled=index % step == 0))
    return columns, series


def _column(
    each: date, values: dict[str, Decimal], series: tuple[Series, ...], asked: Asked, *, labelled: bool
) -> Column:
    today = asked.period.today
    facts = [
        Fact(layer.name, f"{number(values[layer.key], digits=1)} kWh", layer.tone)
        for layer in reversed(series)
        if layer.key in values
    ]
    return Column(
        label=str(each.day) if labelled else "",
        title=day(each, "MMMEd", asked.locale),
        values=values,
        facts=tuple(facts),
        state="ahead" if each > today else "gap" if not values else "partial" if each == today else "measured",
        weekend=each.weekday() >= 5,
    )


def _csv_rows(found: Margin, asked: Asked) -> Iterator[tuple[object, ...]]:
    for line in _metered(found):
        figures = line.figures
        per = _per_mtok(figures)
        yield (
            asked.by.value, line.name or line.key or line.kind, kwh(figures.energy_mj),
            decimal_of(figures.metered_share, 6), figures.carbon_g,
            None if per is None else decimal_of(per / (WH * 1000), 9), decimal_of(_carbon_per_mtok(figures), 6),
        )  # fmt: skip
