"""One day of a tenant's usage, hour by hour."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.pages import usage_figures
from billing.pages.periods import Period, with_query
from billing.pages.usage_charts import legend, model_series, model_tones, model_values
from billing.queries.usage import ModelRow
from billing.queries.usage_hours import HourRow, UsageDay, usage_day
from billing.queries.usage_sheet import billing_zone
from portal.charts import Column, ColumnState, Fact, column_table, stacked_columns
from portal.figures import axis, compact, day, locale_for, number
from portal.parts import Action, Empty
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_USAGE
from tenants.scoping import tenant_page

LABEL_EVERY_H = 3


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_day(request: HttpRequest, organization: Organization, *, day: date) -> HttpResponse:
    """Show the hours of one day by model, and what the day cost."""
    now = datetime.now(UTC)
    zone = billing_zone(organization, now)
    period = Period(day, day, zone, now, is_month=False)
    if day.year < 2000 or day > period.today:
        raise Http404
    currency = request.GET.get("currency") or None
    found = usage_day(organization, period.from_at, period.end_at, zone, currency=currency)
    return render(request, "billing/tenant_usage_day.html", _context(period, found, request.GET.get("currency", "")))


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_at(request: HttpRequest, organization: Organization, *, at: str) -> HttpResponse:
    """Lead to the day that an hour of UTC such as `20260305T09` belongs to in the zone of the contract."""
    try:
        hour_at = datetime.strptime(at, "%Y%m%dT%H").replace(tzinfo=UTC)
    except ValueError as error:
        raise Http404 from error
    now = datetime.now(UTC)
    if hour_at.year < 2000 or hour_at > now:
        raise Http404
    at_day = hour_at.astimezone(ZoneInfo(billing_zone(organization, now))).date()
    currency = {"currency": request.GET.get("currency", "")}
    return redirect(with_query(reverse("tenant-usage-day", args=[at_day]), currency))


def _context(period: Period, found: UsageDay, currency: str) -> dict[str, Any]:
    locale = locale_for(translation.get_language() or "en")
    overview = found.overview
    models = [row.model for row in overview.models]
    series = model_series(models)
    columns = [_column(hour, models, period, locale) for hour in found.hours]
    title = _title(period.first, locale)
    hours = {"zone": period.zone}
    return {
        "title": title,
        "sub": _("Hours are %(zone)s, as on your invoice") % hours,
        "overview": overview,
        "is_empty": not (overview.models or overview.leases),
        "empty": Empty(
            _("Nothing used on this day"), _("No tokens were metered and no GPUs were held for you."), icon="chart"
        ),
        "notice": usage_figures.unpriced_notice(overview.unpriced, locale),
        "part_notice": usage_figures.part_notice(overview),
        "kpis": usage_figures.day_kpis(overview, locale),
        "chart": stacked_columns(
            columns,
            series,
            label=_("Tokens per hour. Use the arrow keys to read one hour at a time."),
            form=lambda value: axis(value, locale=locale),
        ),
        "legend": legend(series),
        "table": column_table(
            columns, series, caption=_("Tokens per hour"), head=_("Hour (%(zone)s)") % hours, form=number
        ),
        "models": [
            (row, tone, _price_lines(row, overview.currency, locale))
            for row, tone in zip(overview.models, model_tones(models).values(), strict=True)
        ],
        "crumbs": (Crumb(_("Usage"), _month_url(period)), Crumb(title)),
        "previous": _neighbour(period, -1, currency, locale),
        "next": _neighbour(period, 1, currency, locale) if period.first < period.today else None,
    }


def _price_lines(row: ModelRow, currency: str, locale: str) -> tuple[str, ...]:
    prices = usage_figures.model_prices(row.prices, currency, locale)
    return (prices, *usage_figures.tier_prices(row.tiers, currency, locale))


def _column(hour: HourRow, models: list[str], period: Period, locale: str) -> Column:
    local = hour.at.astimezone(ZoneInfo(period.zone))
    values = model_values(hour.tokens_by_model, models)
    ahead = hour.at > period.now
    state: ColumnState = "ahead" if ahead else "partial" if hour.at + timedelta(hours=1) > period.now else "measured"
    layers = model_series(models)
    facts = tuple(Fact(layer.name, compact(values[layer.key], locale=locale, digits=2), layer.tone) for layer in layers)
    return Column(
        label=f"{local:%H:%M}" if local.hour % LABEL_EVERY_H == 0 else "",
        title=f"{local:%H:%M} {local.tzname()}",
        values={} if ahead else values,
        facts=() if ahead else tuple(reversed(facts)),
        state=state,
    )


def _title(at: date, locale: str) -> str:
    return f"{day(at, 'yMMMMd', locale)} ({day(at, 'EEE', locale)})"


def _month_url(period: Period) -> str:
    same = (period.first.year, period.first.month) == (period.today.year, period.today.month)
    return with_query(reverse("tenant-usage"), {} if same else {"month": f"{period.first:%Y-%m}"})


def _neighbour(period: Period, step: int, currency: str, locale: str) -> Action:
    other = period.first + timedelta(days=step)
    url = with_query(reverse("tenant-usage-day", args=[other]), {"currency": currency})
    return Action(day(other, "MMMEd", locale), url)
