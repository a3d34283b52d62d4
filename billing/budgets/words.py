"""Budgets and alerts in words: what is limited, what happens at each threshold, and what is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing.budgets.rules import HOUR, Measure, Per, Scope, percent_of
from billing.models import SpendAlertKind
from billing.queries.usage import Side
from portal.figures import compact, day, moment, money, number, span
from portal.punctuation import joined, one_after_another

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from billing.budgets.rules import Rule
    from billing.models import Budget, SpendAlert

_PARTS: Final = {
    Scope.CONTRACT: gettext_noop("Contract %(subject)s"),
    Scope.MODEL: gettext_noop("Model %(subject)s"),
    Scope.PROJECT: gettext_noop("Project %(subject)s"),
    Scope.KEY: gettext_noop("Key %(subject)s"),
}
"""A part of the use: a form names hundreds of them."""


def amount_words(amount: Decimal, currency: str, locale: str) -> str:
    """Return an amount for people: money, or tokens in their short form."""
    if currency:
        return money(amount, currency, locale=locale)
    return _("%(count)s tokens") % {"count": compact(amount, locale=locale, digits=2)}


def scope_words(scope: str, subject: str, side: str = Side.TENANT) -> str:
    """Return of what a budget limits the use."""
    if scope == Scope.ORGANIZATION:
        return _("All that you sell") if side == Side.PROVIDER else _("All use")
    return _(_PARTS[Scope(scope)]) % {"subject": subject}


def per_words(per: str) -> str:
    """Return over which time."""
    words = {Per.HOUR: _("per hour"), Per.DAY: _("per day"), Per.WEEK: _("per week"), Per.MONTH: _("per month")}
    return words[Per(per)]


def period_words(from_at: datetime, to_at: datetime, zone: str, locale: str) -> str:
    """Return which hour, day, week or month a period is."""
    local = ZoneInfo(zone)
    first, last = from_at.astimezone(local).date(), (to_at - HOUR / 2).astimezone(local).date()
    if to_at - from_at == HOUR:
        return moment(from_at, local, locale=locale)
    if first.day == 1 and (last - first).days > 7:
        return day(first, "yMMMM", locale)
    return span(first, last, locale)


def limit_words(budget: Budget, locale: str) -> str:
    """Return what a budget allows: $200.00 per month."""
    amount = amount_words(budget.amount, budget.currency, locale)
    return _("%(amount)s %(per)s") % {"amount": amount, "per": per_words(budget.per)}


def stop_words(rule: Rule, locale: str) -> str:
    """Return what is stopped when a budget is used up, and what goes on."""
    if not rule.stops:
        return _("Nothing is stopped: it tells only.")
    said = {"subject": rule.subject, "amount": amount_words(rule.amount, rule.currency, locale)}
    refused = {
        Scope.ORGANIZATION: _("At %(amount)s, new requests are refused by every gateway that asks Forecourt."),
        Scope.CONTRACT: _(
            "At %(amount)s, new requests under contract %(subject)s are refused by every gateway that asks Forecourt."
        ),
        Scope.MODEL: _("At %(amount)s, new requests to %(subject)s are refused by every gateway that asks Forecourt."),
        Scope.PROJECT: _(
            "At %(amount)s, new requests of the project %(subject)s are refused by every gateway that asks Forecourt."
        ),
        Scope.KEY: _(
            "At %(amount)s, new requests with the key %(subject)s are refused by every gateway that asks Forecourt."
        ),
    }[rule.scope] % said
    if rule.measure is Measure.COST and rule.scope in (Scope.ORGANIZATION, Scope.CONTRACT):
        goes_on = _(
            "No more GPUs are reserved or started. Requests, leases and sessions that run go on, and are billed."
        )
    else:
        goes_on = _("Requests that run go on, and are billed. Leases and sessions are not touched.")
    return one_after_another((refused, goes_on))


def told_words(rule: Rule) -> str:
    """Return at which thresholds it is told, and whether the forecast tells too."""
    percents = joined(f"{one}%" for one in rule.thresholds)
    sentences = [_("Tells at %(percents)s.") % {"percents": percents}] if percents else []
    if rule.on_forecast:
        sentences.append(_("Tells as soon as the month is on course to pass it."))
    return one_after_another(sentences)


def alert_words(alert: SpendAlert, locale: str) -> str:
    """Return what an alert tells, figures first."""
    said = {
        "used": amount_words(alert.used, alert.currency, locale),
        "amount": amount_words(alert.amount, alert.currency, locale),
        "percent": number(percent_of(alert.used, alert.amount)) if alert.amount else "",
        "threshold": f"{alert.percent}%",
    }
    words = {
        SpendAlertKind.THRESHOLD: _("%(used)s of %(amount)s used: %(threshold)s reached"),
        SpendAlertKind.FORECAST: _("On course for %(used)s by the end of the month, against %(amount)s"),
        SpendAlertKind.STOPPED: _("%(used)s of %(amount)s used: new use stopped"),
        SpendAlertKind.ANOMALY: _("%(used)s in an hour, usually %(amount)s"),
    }
    return words[SpendAlertKind(alert.kind)] % said
