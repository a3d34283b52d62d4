"""Budgets and alerts as rows of tables, and stops as notices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.budgets.rules import is_used_up, percent_of, reached
from billing.budgets.setting import rule_of
from billing.budgets.words import (
    alert_words,
    amount_words,
    limit_words,
    period_words,
    scope_words,
    stop_words,
    told_words,
)
from billing.models import SpendAlertKind
from portal.charts import Part, bar
from portal.figures import moment, number
from portal.parts import Action, Notice, Pill
from portal.punctuation import one_after_another

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from billing.models import Budget, BudgetStop, SpendAlert
    from portal.charts import Tone
    from portal.parts import PillTone

WIDTH: Final = Decimal(125)
"""Percent of the amount at the end of a bar, so that what is over shows beyond the mark."""
WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A row of the table of budgets."""

    url: str
    name: str
    of: str
    limit: str
    used: str
    percent: str
    bar: str
    expected: str
    pill: Pill
    does: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """A row of the table of alerts."""

    at: str
    what: str
    pill: Pill
    name: str
    url: str
    period: str


def budget_lines(
    budgets: Iterable[Budget], stops: Sequence[BudgetStop], address: str, now: datetime, locale: str
) -> list[BudgetLine]:
    """Return the rows of budgets with how each stood at its last look of the running period."""
    stopped = {stop.budget_id for stop in stops}
    return [_line(budget, stopped, address, now, locale) for budget in budgets]


def _line(budget: Budget, stopped: set[UUID], address: str, now: datetime, locale: str) -> BudgetLine:
    rule = rule_of(budget)
    look = getattr(budget, "look", None)
    look = look if look is not None and now < look.to_at else None
    percent = percent_of(look.used, budget.amount) if look else None
    tone = "bad" if look and is_used_up(look.used, budget.amount) else "k-line"
    shown: Tone = "bad" if tone == "bad" else "k-line"
    expected = look.expected if look else None
    return BudgetLine(
        url=reverse(address, args=[budget.pk]),
        name=budget.name,
        of=scope_words(budget.scope, budget.subject, budget.side),
        limit=limit_words(budget, locale),
        used=amount_words(look.used, budget.currency, locale) if look else _("not looked at yet"),
        percent="" if percent is None else f"{number(percent)}%",
        bar=bar([Part(shown, min(percent, WIDTH))], whole=WIDTH, mark=WHOLE) if percent is not None else "",
        expected="" if expected is None else amount_words(expected, budget.currency, locale),
        pill=state_pill(budget, is_stopped=budget.pk in stopped, now=now),
        does=one_after_another((told_words(rule), stop_words(rule, locale))),
    )


def state_pill(budget: Budget, *, is_stopped: bool, now: datetime) -> Pill:
    """Return how a budget stands, in a word."""
    look = getattr(budget, "look", None)
    if is_stopped:
        return Pill(_("Stopped"), "bad")
    if look is None or now >= look.to_at:
        return Pill(_("Waiting"))
    if is_used_up(look.used, budget.amount):
        return Pill(_("Used up"), "bad")
    if look.expected is not None and look.expected > budget.amount:
        return Pill(_("On course to pass"), "warn")
    passed = reached(look.used, budget.amount, budget.thresholds)
    if passed:
        return Pill(_("%(percent)s%% reached") % {"percent": passed[-1]}, "warn")
    return Pill(_("Within"), "good")


def alert_lines(alerts: Iterable[SpendAlert], address: str, locale: str) -> list[AlertLine]:
    """Return the rows of alerts; without an address their budgets are not linked."""
    return [_alert(alert, address, locale) for alert in alerts]


def _alert(alert: SpendAlert, address: str, locale: str) -> AlertLine:
    budget = alert.budget
    zone = budget.zone if budget else "UTC"
    is_there = budget is not None and budget.retired_at is None
    of = scope_words(alert.scope, alert.subject, alert.side)
    return AlertLine(
        at=moment(alert.at, ZoneInfo(zone), locale=locale),
        what=alert_words(alert, locale),
        pill=_kind_pill(alert.kind, alert.percent),
        name=budget.name if budget else of,
        url=reverse(address, args=[budget.pk]) if budget and is_there and address else "",
        period=period_words(alert.from_at, alert.to_at, zone, locale),
    )


def _kind_pill(kind: str, percent: int) -> Pill:
    at_threshold: PillTone = "bad" if percent >= WHOLE else "warn"
    return {
        SpendAlertKind.THRESHOLD: Pill(_("%(percent)s%% reached") % {"percent": percent}, at_threshold),
        SpendAlertKind.FORECAST: Pill(_("On course to pass"), "warn"),
        SpendAlertKind.STOPPED: Pill(_("Stopped"), "bad"),
        SpendAlertKind.ANOMALY: Pill(_("Unlike before"), "info"),
    }[SpendAlertKind(kind)]


def stop_notices(stops: Sequence[BudgetStop], address: str, locale: str) -> list[Notice]:
    """Return a notice per stop that stands: what is stopped until when, and where it is lifted."""
    notices = []
    for stop in stops:
        said = {
            "name": stop.budget.name,
            "used": amount_words(stop.used, stop.budget.currency, locale),
            "until": moment(stop.to_at, ZoneInfo(stop.budget.zone), locale=locale),
        }
        link = Action(_("Raise or lift it"), reverse(address, args=[stop.budget_id])) if address else None
        text = stop_words(rule_of(stop.budget), locale)
        notices.append(
            Notice(_("“%(name)s” is used up: new use is stopped until %(until)s.") % said, text, tone="bad", link=link)
        )
    return notices
