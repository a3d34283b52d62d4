"""What a provider earns and what it costs: by model, tenant, cluster and day, and what sells below cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.models import MarginRow
from billing.pages import margin_words as words
from billing.pages.periods import UnreadablePeriod, read_period, with_query
from billing.queries.inversions import SETTLED_AFTER, inversions_of
from billing.queries.margin import Grouping, Margin, MarginLine, daily, margin
from clusters.models import Cluster
from metering.pages.months import each_month
from portal.figures import day, money, span
from portal.locales import active_locale
from portal.parts import Choice, Empty
from portal.shell import Crumb
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from billing.pages.periods import Period
    from tenants.models import Organization

CURRENCY_CHARS: Final = 3
CSV_HEAD: Final = (
    "group", "name", "kind", "currency", "earned", "gpu_cost", "energy_cost", "overhead_cost", "profit", "gpu_hours",
    "gpu_hours_costed", "gpu_hours_metered", "energy_kwh", "carbon_g", "input_tokens", "cached_input_tokens",
    "cache_write_tokens", "output_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for."""

    period: Period
    by: Grouping
    currency: str
    cluster: str
    locale: str
    now: datetime

    @property
    def judged_at(self) -> datetime:
        """As of when it is said what sells below cost: now, or when the days shown were over."""
        return min(self.now, self.period.end_at + SETTLED_AFTER)

    @property
    def query(self) -> dict[str, str]:
        """The same as an address says it."""
        return {
            **self.period.query,
            "by": "" if self.by is Grouping.MODEL else self.by.value,
            "currency": self.currency,
            "cluster": self.cluster,
        }


def read_asked(request: HttpRequest, default: Grouping = Grouping.MODEL) -> Asked:
    """Read the filters of an address, grouped by `default` where none says how. Raises Http404 for what cannot be."""
    now = datetime.now(UTC)
    currency, by = request.GET.get("currency", ""), request.GET.get("by", "") or default.value
    try:
        period = read_period(request.GET.dict(), "UTC", now)
        grouping = Grouping(by)
    except (UnreadablePeriod, ValueError) as error:
        raise Http404 from error
    if len(currency) not in (0, CURRENCY_CHARS):
        raise Http404
    locale = active_locale()
    return Asked(period, grouping, currency, request.GET.get("cluster", ""), locale, now)


@require_safe
@provider_page(READ_INVOICES)
def provider_margin(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a provider earned and spent over some days."""
    asked = read_asked(request)
    found = _margin(organization, asked)
    models = found if asked.by is Grouping.MODEL else _margin(organization, asked, by=Grouping.MODEL)
    simulate_url = with_query(reverse("provider-simulate"), {"currency": asked.currency})
    clusters = _clusters(organization)
    context: dict[str, Any] = {
        "sub": _subtitle(asked),
        "asked": asked,
        "margin": found,
        "notice": words.inversion_notice(inversions_of(organization, asked.judged_at), asked.locale, simulate_url)
        or words.unknown_notice(found.total),
        "kpis": words.kpis(found, asked.locale),
        "months": months_of(asked),
        "clusters": clusters,
        "legend": words.legend(),
        "choices": _choices(request.path, asked),
        "by_title": dict(_groupings())[asked.by],
        "sums": _sums(found, asked.by, asked),
        "total": words.sum_line(MarginLine("", "", "", found.total), found.currency, asked.locale, name=_("Total")),
        "elsewhere": [money(total, code, locale=asked.locale) for code, total in found.elsewhere],
        "export_url": with_query(reverse("provider-margin-csv"), asked.query),
        "simulate_url": simulate_url,
        "empty": _nothing(found, clusters),
        **_cost_tables(organization, models, asked),
    }
    return render(request, "billing/margin.html", context)


@require_safe
@provider_page(READ_INVOICES)
def provider_margin_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Give what the page shows as a file, exact."""
    asked = read_asked(request)
    found = _margin(organization, asked)
    name = f"margin-{asked.period.first}-{asked.period.shown_last}.csv"
    return csv_answer(name, CSV_HEAD, _csv_rows(found, asked.by))


@require_safe
@provider_page(READ_INVOICES)
def provider_margin_model(request: HttpRequest, organization: Organization, *, model: str) -> HttpResponse:
    """Show what one model earned and cost, by cluster, tenant and day."""
    asked = read_asked(request)
    groups = {by: _margin(organization, asked, by=by, model=model) for by in Grouping if by is not Grouping.MODEL}
    found = groups[Grouping.DAY]
    if not found.lines and not MarginRow.objects.filter(provider=organization, model=model).exists():
        raise Http404
    titles = dict(_groupings())
    by_token = found.total.tokens > 0
    days = {model: {date_of(line): line.figures for line in found.lines}}
    whole = MarginLine(model, model, "", found.total)
    [line], scale = words.cost_lines(
        [whole], days, asked.period.shown_last, found.currency, asked.locale, by_token=by_token, query={}
    )
    context = {
        "model": model,
        "sub": _subtitle(asked),
        "line": line,
        "scale": scale,
        "by_token": by_token,
        "legend": words.legend(),
        "kpis": words.kpis(found, asked.locale),
        "months": months_of(asked),
        "yields": [words.yield_line(whole, asked.locale)] if by_token else [],
        "groups": [(by.value, titles[by], _sums(each, by, asked)) for by, each in groups.items()],
        "unit": money(1, found.currency, locale=asked.locale, digits=0),
        "asked": asked,
        "clusters": _clusters(organization),
        "empty": None
        if found.lines
        else Empty(
            _("Nothing was worked out for these days"), _("Choose days on which it was held, served or charged.")
        ),
        "crumbs": (Crumb(_("Margin"), with_query(reverse("provider-margin"), asked.query)), Crumb(model)),
    }
    return render(request, "billing/margin_model.html", context)


def date_of(line: MarginLine) -> date:
    """Return the day that a line of days is about."""
    return datetime.fromisoformat(line.key).date()


def _clusters(organization: Organization) -> list[tuple[str, str]]:
    return list(Cluster.objects.filter(provider=organization).order_by("name").values_list("slug", "name"))


def _margin(
    organization: Organization, asked: Asked, *, by: Grouping | None = None, model: str | None = None
) -> Margin:
    return margin(
        organization,
        asked.period.first,
        asked.period.last,
        by=by or asked.by,
        currency=asked.currency,
        cluster_slug=asked.cluster,
        model=model,
    )


def _cost_tables(organization: Organization, models: Margin, asked: Asked) -> dict[str, Any]:
    """The cost against the price: per 1M tokens of what made tokens, per GPU-hour of what did not."""
    last = asked.period.shown_last
    days = daily(
        organization,
        last - timedelta(days=words.SPARK_DAYS - 1),
        last,
        currency=models.currency,
        cluster_slug=asked.cluster,
    )
    named = [line for line in models.lines if not line.kind]
    served = [line for line in named if line.figures.tokens > 0]
    cards = [line for line in named if line.figures.tokens <= 0 and line.figures.gpu_ms]
    query = {**asked.query, "by": ""}
    served_lines, served_scale = words.cost_lines(
        served, days, last, models.currency, asked.locale, by_token=True, query=query
    )
    card_lines, card_scale = words.cost_lines(
        cards, days, last, models.currency, asked.locale, by_token=False, query=query
    )
    return {
        "served": served_lines,
        "served_scale": served_scale,
        "cards": card_lines,
        "card_scale": card_scale,
        "yields": [words.yield_line(line, asked.locale) for line in served],
        "unit": money(1, models.currency, locale=asked.locale, digits=0),
    }


def _sums(found: Margin, by: Grouping, asked: Asked) -> list[words.SumLine]:
    return [
        words.sum_line(line, found.currency, asked.locale, name=_name(line, by, asked), url=_url(line, by, asked))
        for line in found.lines
    ]


def _name(line: MarginLine, by: Grouping, asked: Asked) -> str:
    return day(date_of(line), "MMMEd", asked.locale) if by is Grouping.DAY else ""


def _url(line: MarginLine, by: Grouping, asked: Asked) -> str:
    if by is Grouping.MODEL and line.key:
        return with_query(reverse("provider-margin-model", args=[line.key]), {**asked.query, "by": ""})
    return ""


def _groupings() -> list[tuple[Grouping, str]]:
    return [
        (Grouping.MODEL, _("By model")),
        (Grouping.TENANT, _("By tenant")),
        (Grouping.CLUSTER, _("By cluster")),
        (Grouping.DAY, _("By day")),
    ]


def _choices(path: str, asked: Asked) -> list[Choice]:
    return [
        Choice(
            title,
            with_query(path, {**asked.query, "by": "" if by is Grouping.MODEL else by.value}) + "#sums",
            current=by is asked.by,
        )
        for by, title in _groupings()
    ]


def months_of(asked: Asked) -> list[tuple[str, str, bool]]:
    """Return the months that a filter offers: its value, its words, and whether it is the one shown."""
    chosen = asked.period.first if asked.period.is_month else None
    offered = each_month(asked.now.date(), chosen, asked.locale)
    if not any(current for *_both, current in offered):
        offered.insert(0, ("", span(asked.period.first, asked.period.last, asked.locale), True))
    return offered


def _subtitle(asked: Asked) -> str:
    days = span(asked.period.first, asked.period.shown_last, asked.locale)
    return _("%(days)s · days are UTC · cost by the provider's own figures") % {"days": days}


def _nothing(found: Margin, clusters: list[tuple[str, str]]) -> Empty | None:
    if found.lines:
        return None
    if not clusters:
        return Empty(_("No clusters yet"), _("Margin shows here once a cluster has nodes and something is charged."))
    return Empty(
        _("Nothing was worked out for these days"),
        _("Days are worked out every minute once something is held, served or charged."),
    )


def _csv_rows(found: Margin, by: Grouping) -> Iterator[tuple[object, ...]]:
    for line in found.lines:
        figures = line.figures
        yield (
            by.value, line.name or line.key, line.kind, found.currency, figures.revenue, figures.known_gpu_cost,
            figures.energy_cost, figures.known_overhead_cost, figures.profit, words.hours(figures.gpu_ms),
            words.hours(figures.costed_ms), words.hours(figures.metered_ms), words.kwh(figures.energy_mj),
            figures.carbon_g, figures.input_tokens, figures.cached_input_tokens, figures.cache_write_tokens,
            figures.output_tokens,
        )  # fmt: skip
