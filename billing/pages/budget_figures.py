"""One budget in figures: what is used and left now, day by day against its amount, and what it does in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from billing.budgets.rules import DAY, Per, percent_of, window_of
from billing.budgets.setting import rule_of
from billing.budgets.words import amount_words, period_words, stop_words, told_words
from billing.pages.budget_lines import WHOLE, WIDTH
from portal.charts import Column, Fact, Limit, Part, Series, bar, column_table, line_chart
from portal.figures import DASH, axis, clock, day, moment, number
from portal.parts import Kpi
from portal.punctuation import joined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from billing.budgets.known import KnownUse
    from billing.budgets.rules import Rule
    from billing.models import Budget
    from portal.charts import Number, Tone

LABELS_MAX = 11


def budget_kpis(known: KnownUse | None, budget: Budget, now: datetime, locale: str) -> list[Kpi]:
    """Return used, left and expected of the running period, as of when it was found."""
    rule = rule_of(budget)
    window = window_of(rule.per, rule.zone, now)
    begins = Kpi(
        _("Begins anew"),
        day(window[1].astimezone(ZoneInfo(rule.zone)).date(), "MMMd", locale)
        if rule.per is not Per.HOUR
        else moment(window[1], ZoneInfo(rule.zone), locale=locale, year=False),
        foot=_("days are %(zone)s") % {"zone": rule.zone},
    )
    if known is None:
        waits = _("not looked at yet: what you sell is added up every few minutes")
        return [Kpi(_("Used"), DASH, foot=waits, lead=True), begins]
    figures = [*_used_and_left(known, rule, window, now, locale), begins]
    look = getattr(budget, "look", None)
    if look is not None and look.expected is not None and now < look.to_at:
        expected = amount_words(look.expected, rule.currency, locale)
        figures.insert(2, Kpi(_("On course for"), expected, foot=_("by the end of the month")))
    return figures


def _used_and_left(
    known: KnownUse, rule: Rule, window: tuple[datetime, datetime], now: datetime, locale: str
) -> list[Kpi]:
    percent, left, zone = percent_of(known.used, rule.amount), rule.amount - known.used, ZoneInfo(rule.zone)
    tone: Tone = "bad" if left <= 0 else "k-line"
    is_today = known.at.astimezone(zone).date() == now.astimezone(zone).date()
    at = clock(known.at, zone, locale=locale) if is_today else moment(known.at, zone, locale=locale, year=False)
    return [
        Kpi(
            _("Used"),
            amount_words(known.used, rule.currency, locale),
            chart=bar([Part(tone, min(percent, WIDTH))], whole=WIDTH, mark=WHOLE),
            foot_strong=f"{number(percent, digits=1)}%",
            foot=_("of %(amount)s at %(at)s") % {"amount": amount_words(rule.amount, rule.currency, locale), "at": at},
            lead=True,
        ),
        Kpi(
            _("Left") if left >= 0 else _("Over"),
            amount_words(abs(left), rule.currency, locale),
            foot=period_words(*window, rule.zone, locale),
            alert=left <= 0,
        ),
    ]


def what_it_does(rule: Rule, readers: Sequence[str], locale: str) -> list[str]:
    """Return what happens, and who is told, in sentences."""
    told = _("Letters go to %(readers)s; programs are told by the webhook budget.threshold.") % {
        "readers": joined(readers) or _("nobody: no owner, admin or billing person has an address")
    }
    return [part for part in (told_words(rule), told, stop_words(rule, locale)) if part]


def budget_chart(known: KnownUse | None, budget: Budget, now: datetime, locale: str) -> dict[str, Any]:
    """Return the running total of a week or month against the amount, with its table, as far as it is known.

    Nothing for shorter periods, and while nothing is known.
    """
    rule = rule_of(budget)
    if known is None or rule.per not in (Per.WEEK, Per.MONTH):
        return {}
    window = window_of(rule.per, rule.zone, now)
    zone = ZoneInfo(rule.zone)
    first, end = (at.astimezone(zone).date() for at in window)
    days = [first + place * DAY for place in range((end - first) // timedelta(days=1))]
    columns = _columns(days, known, rule, locale)
    series = (Series("used", _("Used so far"), "k-line"),)
    words = amount_words(rule.amount, rule.currency, locale)

    def written(value: Number) -> str:
        return amount_words(Decimal(value), rule.currency, locale)

    title = _("Running total against the budget")
    return {
        "chart_title": title,
        "chart": line_chart(
            columns,
            series,
            label=_("Running total against the budget. Use the arrow keys to read one day at a time."),
            form=lambda value: axis(value, locale=locale, currency=rule.currency),
            limit=Limit(rule.amount, words),
        ),
        "chart_table": column_table(
            columns, series, caption=title, head=_("Day (%(zone)s)") % {"zone": rule.zone}, form=written, unknown="–"
        ),
        "chart_foot": ""
        if known.days_at == known.at
        else _("How it divides into days was found at %(at)s.") % {"at": clock(known.days_at, zone, locale=locale)},
    }


def _columns(days: Sequence[date], known: KnownUse, rule: Rule, locale: str) -> list[Column]:
    """Return running totals of days; the last one that is known is what is used, though days were found before."""
    step = max(1, -(-len(days) // LABELS_MAX))
    today = known.at.astimezone(ZoneInfo(rule.zone)).date()
    columns, running = [], Decimal(0)
    for place, at in enumerate(days):
        running = known.used if at == today else running + known.days.get(at, Decimal(0))
        ahead = at > today
        fact = Fact(_("Used so far"), amount_words(running, rule.currency, locale), "k-line")
        columns.append(
            Column(
                label=day(at, "d" if rule.per is Per.MONTH else "EEE", locale) if place % step == 0 else "",
                title=day(at, "MMMEd", locale),
                values={} if ahead else {"used": running},
                facts=() if ahead else (fact,),
                state="ahead" if ahead else "partial" if at == today else "measured",
            )
        )
    return columns
