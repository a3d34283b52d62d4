"""One day of a tenant's usage, hour by hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.pages import usage_figures, usage_parts
from billing.pages.periods import Period, UnreadablePeriod, with_query
from billing.pages.unlike_hours import unlike_notices
from billing.pages.usage_charts import legend, model_series, model_tones, model_values
from billing.pages.usage_context import read_zone
from billing.pages.usage_parts import Known
from billing.queries.usage import ModelRow
from billing.queries.usage_hours import HourRow, usage_hours
from billing.queries.usage_sheet import Chosen, UsageSheet, billing_zone, usage_sheet
from billing.queries.usage_sums import usage_overview
from metering.key_queries import known_keys, projects_of
from portal.charts import Column, ColumnState, Fact, column_table, stacked_columns
from portal.figures import axis, compact, day, number
from portal.locales import active_locale
from portal.parts import Action, Empty
from portal.punctuation import between
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_USAGE
from tenants.scoping import tenant_page

LABEL_EVERY_H = 3
HOUR = timedelta(hours=1)
FILTERS = ("model", "key", "project", "currency", "tz", "hour")
FILTER_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page is about: a day, its hours, the models used on it, dearest first, a sheet and the filters.

    The sheet is of the day or of the chosen `hour`.
    """

    period: Period
    hours: tuple[HourRow, ...]
    models: Sequence[str]
    sheet: UsageSheet
    kept: Mapping[str, str]
    known: Known
    hour: tuple[datetime, datetime] | None


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_day(request: HttpRequest, organization: Organization, *, day: date) -> HttpResponse:
    """Show the hours of one day by model, and what the day, or an hour of it, cost by model and key."""
    now = datetime.now(UTC)
    billed = billing_zone(organization, now)
    kept = {name: request.GET.get(name, "")[:FILTER_CHARS_MAX] for name in FILTERS}
    try:
        zone = read_zone(kept["tz"]) or billed
        period = Period(day, day, zone, now, is_month=False)
        hour = _hour(kept["hour"], period)
    except UnreadablePeriod as error:
        raise Http404 from error
    if day.year < 2000 or day > period.today:
        raise Http404
    known = Known(
        {str(key.id): key for key in known_keys(organization, now=now)},
        {one.slug: one.name for one in projects_of(organization)},
    )
    chosen = Chosen(kept["model"], kept["key"], kept["project"], by_caller=bool(known.keys))
    currency = kept["currency"] or None
    whole = (period.from_at, period.end_at)
    hours = usage_hours(organization, *whole, billed, currency=currency, chosen=chosen)
    sheet = usage_sheet(organization, *(hour or whole), billed, currency=currency, chosen=chosen, read_zone=zone)
    all_day = usage_overview(organization, *whole, billed, currency=currency) if hour else sheet.overview
    context = _context(Shown(period, hours, [row.model for row in all_day.models], sheet, kept, known, hour))
    if not (chosen.key_id or chosen.project):
        locale = active_locale()
        context["unlike"] = unlike_notices(organization, hour or whole, zone, locale, model=chosen.model, is_day=True)
    return render(request, "billing/tenant_usage_day.html", context)


def _hour(text: str, period: Period) -> tuple[datetime, datetime] | None:
    """Return the hour of a day that an address names by its number, from 0 on. Raises UnreadablePeriod."""
    if not text:
        return None
    hours = (period.end_at - period.from_at) // HOUR
    if not (text.isascii() and text.isdigit() and len(text) <= len("24") and int(text) < hours):
        raise UnreadablePeriod(_("The day has the hours 0 to %(last)s.") % {"last": hours - 1})
    from_at = period.from_at + int(text) * HOUR
    return from_at, from_at + HOUR


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


def _context(shown: Shown) -> dict[str, Any]:
    locale = active_locale()
    period, sheet, kept = shown.period, shown.sheet, shown.kept
    overview = sheet.overview
    models = shown.models
    rows = usage_figures.shown_models(sheet)
    series = model_series(models)
    columns = [_column(number, hour, models, shown, locale) for number, hour in enumerate(shown.hours)]
    title = _title(period.first, locale)
    hours = {"zone": period.zone}
    tones = model_tones(models)
    whole = with_query(reverse("tenant-usage-day", args=[period.first]), {**kept, "hour": ""})
    crumbs = [Crumb(_("Usage"), _month_url(period, kept)), Crumb(title, whole if shown.hour else "")]
    if shown.hour:
        crumbs.append(Crumb(_clock(shown.hour[0], period)))
    return {
        "title": f"{title}{between('comma')}{_clock(shown.hour[0], period)}" if shown.hour else title,
        "sub": _("Hours are %(zone)s, as on your invoice") % hours
        if not kept["tz"]
        else _("Hours are %(zone)s, as you chose to read them") % hours,
        "overview": overview,
        "sheet": sheet,
        "kept": {"group": "key"},
        "day_only": True,
        "is_empty": not (sheet.rows or any(hour.tokens.total for hour in shown.hours)),
        "empty": Empty(
            _("Nothing used on this day"), _("No tokens were metered and no GPUs were held for you."), icon="chart"
        ),
        "notice": usage_figures.unpriced_notice(overview.unpriced, locale),
        "part_notice": usage_figures.part_notice(overview),
        "kpis": usage_figures.day_kpis(sheet, locale),
        "chart": stacked_columns(
            columns,
            series,
            label=_("Tokens per hour. Use the arrow keys to read one hour at a time, Enter to open it."),
            form=lambda value: axis(value, locale=locale),
        ),
        "legend": legend(series),
        "table": column_table(
            columns, series, caption=_("Tokens per hour"), head=_("Hour (%(zone)s)") % hours, form=number
        ),
        "models": [(row, tones.get(row.model, "m5"), _price_lines(row, overview.currency, locale)) for row in rows],
        "leases": overview.leases if sheet.chosen.is_all else (),
        "part_lines": usage_parts.part_lines(sheet, period, {**kept, "group": "key"}, shown.known)
        if shown.known.keys
        else (),
        "export_url": "" if shown.hour else _export_url(period, kept, by_key=bool(shown.known.keys)),
        "whole_url": whole if shown.hour else "",
        "crumbs": tuple(crumbs),
        "previous": _neighbour(period, -1, kept, locale),
        "next": _neighbour(period, 1, kept, locale) if period.first < period.today else None,
    }


def _export_url(period: Period, kept: Mapping[str, str], *, by_key: bool) -> str:
    """The file of the day: what the page sums, by model, lease and key."""
    days = {"from": period.first.isoformat(), "to": period.first.isoformat(), "group": "key" if by_key else ""}
    return with_query(reverse("tenant-usage-csv"), days, {**kept, "hour": ""})


def _clock(at: datetime, period: Period) -> str:
    local = at.astimezone(ZoneInfo(period.zone))
    return f"{local:%H:%M} {local.tzname()}"


def _price_lines(row: ModelRow, currency: str, locale: str) -> tuple[str, ...]:
    prices = usage_figures.model_prices(row.prices, currency, locale)
    return (prices, *usage_figures.tier_prices(row.tiers, currency, locale))


def _column(number: int, hour: HourRow, models: Sequence[str], shown: Shown, locale: str) -> Column:
    period = shown.period
    local = hour.at.astimezone(ZoneInfo(period.zone))
    values = model_values(hour.tokens_by_model, models)
    ahead = hour.at > period.now
    state: ColumnState = "ahead" if ahead else "partial" if hour.at + HOUR > period.now else "measured"
    layers = model_series(models)
    facts = tuple(Fact(layer.name, compact(values[layer.key], locale=locale, digits=2), layer.tone) for layer in layers)
    url = with_query(reverse("tenant-usage-day", args=[period.first]), {**shown.kept, "hour": str(number)})
    return Column(
        label=f"{local:%H:%M}" if local.hour % LABEL_EVERY_H == 0 else "",
        title=_clock(hour.at, period),
        values={} if ahead else values,
        facts=() if ahead else tuple(reversed(facts)),
        url="" if ahead else url,
        state=state,
    )


def _title(at: date, locale: str) -> str:
    return f"{day(at, 'yMMMMd', locale)} ({day(at, 'EEE', locale)})"


def _month_url(period: Period, kept: Mapping[str, str]) -> str:
    same = (period.first.year, period.first.month) == (period.today.year, period.today.month)
    month = {} if same else {"month": f"{period.first:%Y-%m}"}
    return with_query(reverse("tenant-usage"), month, {**kept, "hour": ""})


def _neighbour(period: Period, step: int, kept: Mapping[str, str], locale: str) -> Action:
    other = period.first + timedelta(days=step)
    url = with_query(reverse("tenant-usage-day", args=[other]), {**kept, "hour": ""})
    return Action(day(other, "MMMEd", locale), url)
