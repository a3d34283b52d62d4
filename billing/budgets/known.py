"""How much of a budget is used, as its page says it: what the last look found, or for a tenant what is found now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.budgets.rules import Per, window_of
from billing.budgets.setting import rule_of
from billing.budgets.using import Using, sum_of
from billing.queries.usage import Side

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.models import Budget, BudgetLook
    from tenants.models import Organization

STANDS_FOR: Final = timedelta(minutes=10)
"""Looks are two minutes apart; what one found is shown to a tenant for so long, then it is found anew."""


@dataclass(frozen=True, slots=True)
class KnownUse:
    """What is used of the running period at an instant, and on which of its days at `days_at`, not later than that.

    `days` is empty of a rate's hour.
    """

    used: Decimal
    days: Mapping[date, Decimal]
    at: datetime
    days_at: datetime


def known_use(organization: Organization, budget: Budget, now: datetime) -> KnownUse | None:
    """Return how a budget stands in the running period; None for a provider's that was not looked at in it yet.

    To find it, a provider's use is that of all its tenants, rated: no page waits for that, and what the last look of
    the period found stands with its instant. What is limited, in what and per what cannot be changed (`change_budget`),
    so a look is of the budget as it is.
    """
    rule = rule_of(budget)
    window = window_of(rule.per, rule.zone, now)
    is_provider = Side(budget.side) is Side.PROVIDER
    look: BudgetLook | None = getattr(budget, "look", None)
    if look is not None and _is_of(look, window, rule.per, now) and (is_provider or now - STANDS_FOR < look.looked_at):
        days = {date.fromisoformat(day): Decimal(part) for day, part in (look.days or {}).items()}
        return KnownUse(look.used, days, look.looked_at, look.days_at or look.looked_at)
    if is_provider:
        return None
    using = Using(organization, Side.TENANT, now=now)
    if rule.per is Per.HOUR:
        return KnownUse(using.used(rule, window), {}, now, now)
    days = using.by_day(rule, window)
    return KnownUse(sum_of(days), days, now, now)


def _is_of(look: BudgetLook, window: tuple[datetime, datetime], per: Per, now: datetime) -> bool:
    """Whether a look is of a period, up to now at most, and knows its days where it has any."""
    return (look.from_at, look.to_at) == window and look.looked_at <= now and (look.days is not None or per is Per.HOUR)
