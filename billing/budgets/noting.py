"""Noting how a budget stands: what it was looked at with, which thresholds were reached, and what it stops.

Once per period and threshold, however often it is looked at, by whoever: the rows that tell it are unique.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from billing.api_words import money
from billing.budgets.rules import Per, is_used_up, reached
from billing.budgets.setting import lift_standing, rule_of
from billing.collecting.notices import readers_of
from billing.models import Budget, BudgetLook, BudgetStop, SpendAlert, SpendAlertKind, SpendMail
from billing.telling import tell_subject
from tenants.instants import instant_text
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from uuid import UUID

    from billing.budgets.rules import Rule

STOPPED_BY: Final = "budgets"
LESS_USED: Final = "less than the budget is used after a correction"
QUIET: Final = timedelta(hours=24)
"""A limit per hour is told of by letter once in so long; programs and the page are told of every hour."""


@transaction.atomic
def note_use(
    *,
    budget_id: UUID,
    rule: Rule,
    window: tuple[datetime, datetime],
    used: Decimal,
    now: datetime,
    expected: Decimal | None = None,
    days: Mapping[date, Decimal] | None = None,
) -> list[SpendAlert]:
    """Note what was used in one period of a budget, and tell what was not told before; return what was.

    `days` is how it divides, and is kept beside it with its instant; None keeps what was found of them before.

    1. The budget is locked. If it says something else than `rule` by now, the next look is right, not this one.
    2. How it stands is kept, of the running period only.
    3. Each threshold that was reached becomes an alert, unless it is one already.
    4. Used up, in the running period, and never stopped at this amount or lifted by a person: it stops. Not used up
       any more (use was corrected downwards), a stop is lifted, and comes back with the use.
    5. One letter tells of the gravest of these, and programs are told of each.
    """
    budget = Budget.objects.select_for_update(no_key=True).filter(pk=budget_id, retired_at__isnull=True).first()
    if budget is None or rule_of(budget) != rule:
        return []
    from_at, to_at = window
    is_stopping = rule.stops and is_used_up(used, rule.amount)
    if from_at <= now < to_at:
        if not is_stopping:
            lift_standing(budget, reason=LESS_USED, by=STOPPED_BY, now=now)
        BudgetLook.objects.update_or_create(
            budget=budget,
            defaults={
                "from_at": from_at,
                "to_at": to_at,
                "used": used,
                "expected": expected,
                "looked_at": now,
                **({} if days is None else {"days": _as_text(days), "days_at": now}),
            },
        )
    alerts = [
        _alert(budget, window, SpendAlertKind.THRESHOLD, used=used, now=now, percent=percent)
        for percent in reached(used, rule.amount, rule.thresholds)
    ]
    if rule.on_forecast and expected is not None and expected > rule.amount and now < to_at:
        alerts.insert(0, _alert(budget, window, SpendAlertKind.FORECAST, used=expected, now=now))
    if is_stopping and from_at <= now < to_at and _stop(budget, window, used, now):
        alerts.append(_alert(budget, window, SpendAlertKind.STOPPED, used=used, now=now))
    return _tell(budget, alerts, now)


def _as_text(days: Mapping[date, Decimal]) -> dict[str, str]:
    return {f"{day:%F}": f"{part:f}" for day, part in sorted(days.items())}


def _alert(
    budget: Budget,
    window: tuple[datetime, datetime],
    kind: SpendAlertKind,
    *,
    used: Decimal,
    now: datetime,
    percent: int = 0,
) -> SpendAlert:
    return SpendAlert(
        organization_id=budget.organization_id,
        side=budget.side,
        budget=budget,
        kind=kind,
        scope=budget.scope,
        subject=budget.subject,
        measure=budget.measure,
        currency=budget.currency,
        from_at=window[0],
        to_at=window[1],
        percent=percent,
        amount=budget.amount,
        used=used,
        at=now,
    )


def _stop(budget: Budget, window: tuple[datetime, datetime], used: Decimal, now: datetime) -> bool:
    """Stop, unless a stop at this amount stands or a person lifted one; whoever else looks waits for the budget."""
    before = BudgetStop.objects.filter(budget=budget, from_at=window[0], amount=budget.amount)
    if before.filter(Q(lift__isnull=True) | ~Q(lift__by=STOPPED_BY)).exists():
        return False
    stop = BudgetStop.objects.create(
        budget=budget, from_at=window[0], to_at=window[1], amount=budget.amount, used=used, at=now
    )
    AuditEntry.objects.create(
        organization_id=budget.organization_id,
        actor=STOPPED_BY,
        action="budget.stopped",
        subject=f"budget {budget.pk}",
        after={"name": budget.name, "until": stop.to_at.isoformat()},
        at=now,
    )
    return True


def _tell(budget: Budget, alerts: Iterable[SpendAlert], now: datetime) -> list[SpendAlert]:
    told = {
        (alert.kind, alert.from_at, alert.percent, alert.amount)
        for alert in SpendAlert.objects.filter(budget=budget, from_at__in={alert.from_at for alert in alerts})
    }
    new = [alert for alert in alerts if (alert.kind, alert.from_at, alert.percent, alert.amount) not in told]
    SpendAlert.objects.bulk_create(new)
    for alert in new:
        _tell_programs(alert, budget)
    if new and not _is_quiet(budget, now):
        write_letters(new[-1], now)
    return new


def _tell_programs(alert: SpendAlert, budget: Budget) -> None:
    tell_subject(
        (alert.organization_id,),
        "budget.threshold",
        subject_id=alert.pk,
        at=alert.at,
        budget_id=str(budget.pk),
        budget=budget.name,
        side=str(budget.side),
        reason=str(alert.kind),
        percent=alert.percent or None,
        amount=amount_text(alert.amount, alert.currency),
        used=amount_text(alert.used, alert.currency),
        currency=alert.currency or None,
        measure=alert.measure,
        period_from=instant_text(alert.from_at),
        period_to=instant_text(alert.to_at),
    )


def _is_quiet(budget: Budget, now: datetime) -> bool:
    if budget.per != Per.HOUR:
        return False
    return SpendMail.objects.filter(alert__budget=budget, created_at__gt=now - QUIET).exists()


def write_letters(alert: SpendAlert, now: datetime) -> None:
    """Put a letter about an alert to each who pays for the organization into the box that is sent from."""
    SpendMail.objects.bulk_create(
        [
            SpendMail(alert=alert, address=address, created_at=now, due_at=now)
            for address in readers_of(alert.organization)
        ]
    )


def amount_text(amount: Decimal, currency: str) -> str:
    """Return an amount as the API writes it: money with its decimals, tokens whole."""
    return money(amount, currency) if currency else f"{Decimal(amount).to_integral_value():f}"
