"""Budgets as data: what they limit, over which hour, day, week or month, and which thresholds an amount has reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from billing.money import minor_digits
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

AMOUNT_MAX: Final = Decimal(10) ** 18
PERCENT_MAX: Final = 1000
THRESHOLDS_MAX: Final = 10
THRESHOLDS: Final = (50, 75, 100)
"""What is offered where nobody chose."""
WHOLE_PERCENT: Final = 100
NAME_CHARACTERS_MAX: Final = 100
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)


class Scope(StrEnum):
    """Of what a budget limits the use; all but the organization name a subject."""

    ORGANIZATION = "organization"
    CONTRACT = "contract"
    MODEL = "model"
    PROJECT = "project"
    KEY = "key"


class Measure(StrEnum):
    """In what use is counted."""

    COST = "cost"
    TOKENS = "tokens"


class Per(StrEnum):
    """Over which time; per hour it is a rate."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class WrongRule(ValueError):
    """A budget cannot be so; `field` is the one that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Rule:
    """What a budget says. `amount` is in the currency, or in tokens; `thresholds` are percent of it, and rise."""

    scope: Scope
    subject: str
    measure: Measure
    currency: str
    per: Per
    zone: str
    amount: Decimal
    thresholds: tuple[int, ...]
    on_forecast: bool = False
    stops: bool = False


def checked_rule(rule: Rule) -> Rule:
    """Return a rule that can be. Raises WrongRule with what is expected."""
    if bool(rule.subject) != (rule.scope is not Scope.ORGANIZATION):
        limited = sentence("expected the %(scope)s that is limited.", scope=rule.scope)
        raise WrongRule("subject", sentence("expected left out.") if rule.scope is Scope.ORGANIZATION else limited)
    if bool(rule.currency) != (rule.measure is Measure.COST):
        raise WrongRule("currency", sentence("expected with a cost, and left out with tokens."))
    if not rule.amount.is_finite() or not 0 < rule.amount <= AMOUNT_MAX:
        raise WrongRule("amount", sentence("expected more than 0, up to %(most)s.", most=f"{AMOUNT_MAX:f}"))
    digits = minor_digits(rule.currency) if rule.currency else 0
    if rule.amount != round(rule.amount, digits):
        raise WrongRule("amount", sentence("expected at most %(digits)s decimals.", digits=digits))
    if rule.on_forecast and rule.per is not Per.MONTH:
        raise WrongRule("on_forecast", sentence("expected with a month: only months are forecast."))
    if rule.on_forecast and (rule.measure is not Measure.COST or rule.scope is not Scope.ORGANIZATION):
        raise WrongRule(
            "on_forecast", sentence("expected with the cost of the whole organization: only that is forecast.")
        )
    _check_thresholds(rule)
    return rule


def _check_thresholds(rule: Rule) -> None:
    given = rule.thresholds
    if len(given) > THRESHOLDS_MAX or not all(1 <= one <= PERCENT_MAX for one in given):
        raise WrongRule(
            "thresholds",
            sentence(
                "expected up to %(thresholds_max)s whole percents from 1 to %(percent_max)s.",
                thresholds_max=THRESHOLDS_MAX,
                percent_max=PERCENT_MAX,
            ),
        )
    if list(given) != sorted(set(given)):
        raise WrongRule("thresholds", sentence("expected each once, the lowest first."))
    if not given and not rule.stops:
        raise WrongRule("thresholds", sentence("expected at least one, or a stop: this budget would do nothing."))


def window_of(per: Per, zone: str, at: datetime) -> tuple[datetime, datetime]:
    """Return the instants `[from, to)` of the hour, local day, week (from Monday) or month that `at` lies in."""
    assert at.tzinfo is not None
    if per is Per.HOUR:
        start = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return start, start + HOUR
    first = at.astimezone(ZoneInfo(zone)).date()
    if per is Per.WEEK:
        first -= first.weekday() * DAY
    elif per is Per.MONTH:
        first = first.replace(day=1)
    following = {Per.DAY: first + DAY, Per.WEEK: first + 7 * DAY}.get(per) or (first + 31 * DAY).replace(day=1)
    return day_start(first, zone), day_start(following, zone)


def day_start(day: date, zone: str) -> datetime:
    """Return when a local day begins, in UTC; where midnight is skipped, at the first instant of the day."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def reached(used: Decimal, amount: Decimal, thresholds: Sequence[int]) -> tuple[int, ...]:
    """Return the thresholds that `used` has reached; exactly at one it is reached."""
    return tuple(one for one in thresholds if used * WHOLE_PERCENT >= amount * one)


def is_used_up(used: Decimal, amount: Decimal) -> bool:
    """Say whether nothing of an amount is left."""
    return used >= amount


def percent_of(used: Decimal, amount: Decimal) -> Decimal:
    """Return how much of an amount is used, in percent and exact to a tenth, rounded down: 99.99 is not yet 100."""
    tenths = (used * WHOLE_PERCENT * 10 / amount).to_integral_value(rounding="ROUND_FLOOR")
    return tenths / 10
