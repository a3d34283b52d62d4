"""What the template of the usage page needs beside its figures: choices, links, charts and their words."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.pages.forecast_tile import Foretold
from billing.pages.periods import Period, UnreadablePeriod, month_of, with_query
from billing.pages.usage_charts import (
    Bucket,
    Grouping,
    buckets,
    cost_columns,
    is_daily,
    legend,
    title_of,
    token_columns,
    with_forecast,
)
from billing.queries.usage_sheet import UsageSheet
from metering.completeness import freshness_in
from metering.pages.months import offered_months
from portal.charts import Limit, Number, column_table, line_chart, stacked_columns
from portal.figures import axis, day, money, number, span
from portal.parts import Choice, Empty
from portal.punctuation import one_after_another
from tenants.models import Organization

BUDGET_DRAWN_MAX = 4
"""A budget is drawn beside its cost up to so many times what the month is expected to come to."""
Kept = Mapping[str, str]
"""The filters beside the period that links keep: model, key, project, group, currency, tz."""
ZONES_OFFERED = (
    "UTC",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Europe/Berlin",
    "Europe/London",
    "America/Los_Angeles",
    "America/New_York",
)


def subtitle(period: Period, drawn: Period, locale: str) -> str:
    """Return which days the page is about, and by whose clock; `drawn` has the days of the reader's."""
    words = {"days": span(period.first, period.shown_last, locale), "zone": period.zone, "read": drawn.zone}
    if drawn.zone != period.zone:
        return _("%(days)s in %(zone)s, as on your invoice · drawn by days of %(read)s, the totals stay") % words
    return _("%(days)s · days are %(zone)s, as on your invoice") % words


def zone_choices(period: Period, chosen: str) -> list[tuple[str, str, bool]]:
    """Return (value, words, whether chosen) of the zones offered for reading; the contract's is the empty value."""
    offered = [zone for zone in dict.fromkeys((*ZONES_OFFERED, chosen)) if zone and zone != period.zone]
    contract = ("", _("%(zone)s (contract)") % {"zone": period.zone}, chosen in {"", period.zone})
    return [contract, *((zone, zone, zone == chosen) for zone in sorted(offered))]


def read_zone(asked: str) -> str:
    """Return the zone that an address asks to read in. Raises UnreadablePeriod for one that does not exist."""
    try:
        return ZoneInfo(asked).key if asked else ""
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnreadablePeriod(_("There is no time zone of this name: %(zone)s") % {"zone": asked}) from error


def metered_day(request: HttpRequest, organization: Organization, period: Period) -> date | None:
    """Return the last day that metering has reached; None where nothing was metered yet."""
    _state, metered_to = freshness_in(request, organization)
    return metered_to.astimezone(ZoneInfo(period.zone)).date() if metered_to else None


def month_choices(period: Period, now: datetime, locale: str) -> list[tuple[str, str, bool]]:
    """Return (value, words, whether chosen) of each month offered, and of the period if it is no such month."""
    today = now.astimezone(ZoneInfo(period.zone)).date()
    months = offered_months(today, period.first if period.is_month else None)
    choices = [
        (
            f"{month:%Y-%m}",
            _("This month") if month == today.replace(day=1) else day(month, "yMMMM", locale),
            period.is_month and month_of(month) == month_of(period.first),
        )
        for month in months
    ]
    if not period.is_month:
        choices.insert(0, ("", span(period.first, period.last, locale), True))
    return choices


def model_urls(period: Period, kept: Kept, sheet: UsageSheet) -> dict[str, str]:
    """Return where each model's name leads: its own page, or this one narrowed to it where a key is chosen."""
    others = {name: value for name, value in kept.items() if name not in {"model", "group"}}
    return {
        model: with_query(reverse("tenant-usage-model", args=[model]), period.query, others) for model in sheet.models
    }


def group_choices(path: str, period: Period, kept: Kept, *, has_keys: bool) -> list[Choice]:
    """Return the ways to stack the columns; by key and project where any key was ever counted."""
    ways = {"": _("Type"), "model": _("Model")}
    if has_keys:
        ways |= {"key": _("Key"), "project": _("Project")}
    current = kept["group"] if kept["group"] in ways else ""
    return [
        Choice(words, with_query(path, period.query, {**kept, "group": way}), current=way == current)
        for way, words in ways.items()
    ]


def nothing(period: Period, locale: str) -> Empty:
    """Return what a page without any usage says."""
    words = {"days": span(period.first, period.shown_last, locale)}
    return Empty(
        _("Nothing used yet") if period.runs else _("Nothing used"),
        _(
            "No tokens were metered and no GPUs were held for you in %(days)s. Choose another month, or wait: "
            "usage shows here within minutes of being metered."
        )
        % words
        if period.runs
        else _("No tokens were metered and no GPUs were held for you in %(days)s.") % words,
        icon="chart",
    )


def token_chart(
    period: Period, sheet: UsageSheet, kept: Kept, *, grouping: Grouping | None, locale: str, metered_to: date | None
) -> dict[str, Any]:
    """Return the chart of tokens with its legend, table and the sentence below it."""

    def day_url(at: date) -> str:
        return with_query(reverse("tenant-usage-day", args=[at]), {**kept, "group": ""})

    columns, series = token_columns(
        period, sheet, grouping=grouping, locale=locale, day_url=day_url, metered_to=metered_to
    )
    daily = is_daily(period)
    return {
        "token_title": _("Tokens per day") if daily else _("Tokens per month"),
        "token_chart": stacked_columns(
            columns,
            series,
            label=_("Tokens per day. Use the arrow keys to read one at a time, Enter to open a day.")
            if daily
            else _("Tokens per month. Use the arrow keys to read one at a time."),
            form=lambda value: axis(value, locale=locale),
        ),
        "token_legend": legend(series),
        "token_table": column_table(
            columns,
            series,
            caption=_("Tokens per day") if daily else _("Tokens per month"),
            head=_("Day (%(zone)s)") % {"zone": period.zone} if daily else _("Month"),
            form=number,
            unknown=_("not in yet"),
        ),
        "token_foot": _token_words(period, sheet, locale),
    }


def cost_chart(
    period: Period, sheet: UsageSheet, *, locale: str, metered_to: date | None, ahead: Foretold | None
) -> dict[str, Any]:
    """Return the line of cost with its table, and on to what the month is expected to come to beside its budget."""
    currency = sheet.overview.currency
    columns, series = cost_columns(period, sheet, locale=locale, metered_to=metered_to)
    if ahead is not None and ahead.made.zone != period.zone:
        ahead = None
    drawn, layers = columns, series
    if ahead is not None:
        drawn, layers = with_forecast(columns, series, ahead.expected(sheet.total), currency=currency, locale=locale)
    title = _("Cost this month") if period.is_month and period.runs else _("Cost, running total")

    def written(value: Number) -> str:
        return money(value, currency, locale=locale)

    return {
        "cost_title": title,
        "cost_legend": legend(layers[::-1]) if ahead is not None else (),
        "cost_chart": line_chart(
            drawn,
            layers,
            label=_("Running total of the cost. Use the arrow keys to read one day at a time."),
            form=lambda value: axis(value, locale=locale, currency=currency),
            limit=_budget_limit(ahead, sheet, locale),
        ),
        "cost_table": column_table(
            columns,
            series,
            caption=title,
            head=_("Day (%(zone)s)") % {"zone": period.zone} if is_daily(period) else _("Month"),
            form=written,
            unknown=_("not in yet"),
        ),
        "cost_foot": _cost_words(sheet, locale),
    }


def _budget_limit(ahead: Foretold | None, sheet: UsageSheet, locale: str) -> Limit | None:
    """Return the budget as a line across; none where it is so far above that the cost would lie flat under it."""
    if ahead is None or ahead.budget is None:
        return None
    budget = ahead.budget
    if budget.amount > BUDGET_DRAWN_MAX * ahead.expected(sheet.total):
        return None
    amount = money(budget.amount, budget.currency, locale=locale, digits=0)
    return Limit(budget.amount, _("Budget %(amount)s") % {"amount": amount})


def _token_words(period: Period, sheet: UsageSheet, locale: str) -> str:
    spans = buckets(period, sheet.rows)
    busiest: Bucket | None = max(spans, key=lambda bucket: bucket.tokens.total, default=None)
    sentences = []
    if busiest is not None and busiest.tokens.total:
        when = {"day": title_of(busiest, period, locale)}
        sentences.append((_("Busiest day: %(day)s.") if is_daily(period) else _("Busiest month: %(day)s.")) % when)
    if period.first <= period.today <= period.last:
        sentences.append(_("Today is part-filled."))
    return one_after_another(sentences)


def _cost_words(sheet: UsageSheet, locale: str) -> str:
    overview = sheet.overview
    if sheet.chosen.tells_callers and not sheet.chosen.is_all:
        return _("Only what is chosen above.")
    if sheet.model:
        return _("%(model)s only.") % {"model": sheet.model}
    if not overview.leases:
        return _("The invoice of a whole billing period shows this very total.")
    words = {
        "tokens": money(overview.token_amount, overview.currency, locale=locale),
        "leases": money(overview.lease_amount, overview.currency, locale=locale),
    }
    return _("%(tokens)s for tokens, %(leases)s for GPU leases.") % words
