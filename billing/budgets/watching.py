"""The sweep of budgets: whose use is looked at next, and the look itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef

from billing.budgets.comparing import compare_use
from billing.budgets.foretelling import expected_of, foretell
from billing.budgets.noting import note_use
from billing.budgets.rules import DAY, HOUR, Per, window_of
from billing.budgets.setting import rule_of
from billing.budgets.using import Using, sum_of
from billing.models import Budget, Contract, SpendForecast, SpendWatch
from billing.models.contracts import RUNNING_STATES
from billing.queries.usage import Side
from tenants.models import Organization

if TYPE_CHECKING:
    from datetime import datetime

    from billing.budgets.rules import Rule
    from billing.models import BudgetLook, SpendAlert

    _Due = tuple[Budget, Rule, tuple[datetime, datetime]]

LOOKED_AT_EVERY: Final = timedelta(minutes=2)
"""An organization with budgets; others are looked at with their forecast."""
PROFILED_EVERY: Final = HOUR
"""How often the month is foretold and use compared with its past; without budgets one is looked at so often too."""
DAYS_EVERY: Final = HOUR
"""How often the days are found that a month's cost divides into; how much it is, is found with every look."""
LATE: Final = HOUR
"""For so long after a period's end what comes in late is still told of."""


def begin_watches(*, now: datetime, limit: int) -> int:
    """Have each party of a running contract looked at, that is not yet; return how many."""
    begun = 0
    for side in Side:
        known = SpendWatch.objects.filter(organization=OuterRef("pk"), side=side)
        party = Contract.objects.filter(**{side.value: OuterRef("pk")}, state__in=RUNNING_STATES)
        found = Organization.objects.filter(Exists(party), ~Exists(known)).order_by("pk")[:limit]
        rows = [SpendWatch(organization=organization, side=side, due_at=now) for organization in found]
        SpendWatch.objects.bulk_create(rows, ignore_conflicts=True)
        begun += len(rows)
    return begun


def claim_watches(*, now: datetime, limit: int) -> list[SpendWatch]:
    """Return watches that are due, each put off: whoever else looks meanwhile leaves them alone."""
    claimed = []
    for watch in SpendWatch.objects.filter(due_at__lte=now).select_related("organization").order_by("due_at")[:limit]:
        mine = SpendWatch.objects.filter(pk=watch.pk, due_at=watch.due_at)
        if mine.update(due_at=now + LOOKED_AT_EVERY):
            claimed.append(watch)
    return claimed


def look(*, watch: SpendWatch, now: datetime) -> list[SpendAlert]:
    """Look at one watch: at its budgets, and once an hour foretell and compare; return what was told."""
    organization, side = watch.organization, Side(watch.side)
    told = look_at_budgets(organization=organization, side=side, now=now)
    if watch.profiled_at is None or watch.profiled_at <= now - PROFILED_EVERY:
        foretell(organization=organization, side=side, now=now)
        told += compare_use(organization=organization, side=side, now=now)
        SpendWatch.objects.filter(pk=watch.pk).update(profiled_at=now)
    if not Budget.objects.filter(organization=organization, side=side, retired_at__isnull=True).exists():
        # Who sets a budget meanwhile is due at once, and stays so: only what was claimed is put off further.
        SpendWatch.objects.filter(pk=watch.pk, due_at__gt=now).update(due_at=now + PROFILED_EVERY)
    return told


def look_at_budgets(*, organization: Organization, side: Side, now: datetime) -> list[SpendAlert]:
    """Look at every budget of one side of an organization; return what was told.

    Its use is rated once for all of them: by day, or for sums alone where these are all that is asked. What came late
    into a period that has just ended is told of too, but stops nothing any more; not where the budget says what it says
    since later: it counts from the period that ran then.
    """
    using = Using(organization, side, now=now)
    kept = SpendForecast.objects.filter(organization=organization, side=side, made_at__gt=now - DAY)
    forecasts = {(one.currency, one.zone): one for one in kept}
    told: list[SpendAlert] = []
    for due in _days_first(organization, side, using, now):
        budget, rule, window = due
        is_by_day = using.knows_days(rule, window) or _are_days_due(due, using, now)
        days = using.by_day(rule, window) if is_by_day else None
        told += note_use(
            budget_id=budget.pk,
            rule=rule,
            window=window,
            used=using.used(rule, window) if days is None else sum_of(days),
            days=days,
            now=now,
            expected=expected_of(rule, forecasts) if window[0] <= now < window[1] else None,
        )
    return told


def _days_first(organization: Organization, side: Side, using: Using, now: datetime) -> list[_Due]:
    """Return each budget with its rule and the windows that are looked at, those first that days are rated for.

    Whatever else counts with the same days takes them then, and is not rated for a sum besides.
    """
    due: list[_Due] = []
    standing = Budget.objects.filter(organization=organization, side=side, retired_at__isnull=True)
    for budget in standing.select_related("look").order_by("pk"):
        rule = rule_of(budget)
        counted_from_at = min(now, max(now - LATE, budget.changed_at))
        windows = dict.fromkeys(window_of(rule.per, rule.zone, at) for at in (counted_from_at, now))
        due += [(budget, rule, window) for window in windows]
    return sorted(due, key=lambda one: not _are_days_due(one, using, now))


def _are_days_due(due: _Due, using: Using, now: datetime) -> bool:
    """Whether use is rated by day: where it is counted so, and once an hour and day to show how a month divides."""
    budget, rule, window = due
    if rule.per is Per.HOUR:
        return False
    if not using.needs_no_days(rule, window):
        return True
    look: BudgetLook | None = getattr(budget, "look", None)
    if look is None or look.days_at is None or (look.from_at, look.to_at) != window:
        return True
    zone = ZoneInfo(rule.zone)
    is_of_today = look.days_at.astimezone(zone).date() == now.astimezone(zone).date()
    return not (is_of_today and now - DAYS_EVERY < look.days_at <= now)
