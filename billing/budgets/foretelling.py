"""Foretelling what the running month comes to, kept for pages and budgets until it is foretold anew."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.budgets.forecast import HISTORY_DAYS, forecast
from billing.budgets.rules import DAY, Measure, Per, Scope, day_start, window_of
from billing.models import SpendForecast
from billing.money import exact_sum, round_to_minor
from billing.queries.sheet_rows import rows_of
from billing.queries.usage import currencies_used, rated_in_turn
from billing.queries.usage_sheet import billing_zone
from billing.queries.usage_sums import bills_of
from tenants.limits.written_once import written_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from billing.budgets.forecast import Forecast
    from billing.budgets.rules import Rule
    from billing.queries.usage import Side
    from tenants.models import Organization


def foretell(*, organization: Organization, side: Side, now: datetime) -> list[SpendForecast]:
    """Foretell the running month in each currency of an organization's contracts, and keep it."""
    zone = billing_zone(organization, now, side=side)
    today = now.astimezone(ZoneInfo(zone)).date()
    from_at = day_start(today - HISTORY_DAYS * DAY, zone)
    kept = []
    for currency in currencies_used(organization, from_at, now, side):
        used: defaultdict[date, Decimal] = defaultdict(Decimal)
        for usage in rated_in_turn(organization, from_at, now, zone, currency=currency, side=side):
            for row in rows_of(usage, bills_of(usage), zone):
                used[row.day] = exact_sum((used[row.day], row.amount))
        made = _forecast(used, today, window_of(Per.MONTH, zone, now), ZoneInfo(zone))
        if made is not None:
            kept.append(_keep(organization, side, (currency, zone), made, now))
    return kept


def kept_forecast(organization: Organization, side: Side, currency: str, now: datetime) -> SpendForecast | None:
    """Return the forecast of the running month, if one was made in the last day."""
    found = next(iter(_kept(organization.pk, side, currency, now - DAY)), None)
    if found is None or now.astimezone(ZoneInfo(found.zone)).date().replace(day=1) != found.month:
        return None
    return found


@written_once
def _kept(organization: UUID, side: Side, currency: str, since: datetime) -> QuerySet[SpendForecast]:
    kept = SpendForecast.objects.filter(organization=organization, side=side, currency=currency, made_at__gt=since)
    return kept.order_by("pk")[:1]


def expected_of(rule: Rule, forecasts: Mapping[tuple[str, str], SpendForecast]) -> Decimal | None:
    """Return what a budget's running period is expected to come to: of a month's cost of all use, else None."""
    is_foretold = (rule.scope, rule.measure, rule.per) == (Scope.ORGANIZATION, Measure.COST, Per.MONTH)
    made = forecasts.get((rule.currency, rule.zone)) if is_foretold else None
    return made.expected if made else None


def _forecast(
    used: defaultdict[date, Decimal], today: date, month: tuple[datetime, datetime], zone: ZoneInfo
) -> tuple[Decimal, Forecast] | None:
    """Return what was spent up to now, and the forecast; days before the first use are no history."""
    begun = min((day for day, amount in used.items() if amount), default=today)
    days = [max(used[day], Decimal(0)) for day in _days(begun, today)]
    first = today.replace(day=1)
    spent = exact_sum((Decimal(0), *(used[day] for day in _days(first, today))))
    left = (month[1].astimezone(zone).date() - today) // DAY
    made = forecast(days, spent=spent, today=max(used[today], Decimal(0)), left=left)
    return None if made is None else (exact_sum((spent, used[today])), made)


def _days(first: date, end: date) -> list[date]:
    return [first + place * DAY for place in range((end - first) // DAY)]


def _keep(
    organization: Organization, side: Side, of: tuple[str, str], made: tuple[Decimal, Forecast], now: datetime
) -> SpendForecast:
    currency, zone = of
    spent, found = made

    def rounded(amount: Decimal | None) -> Decimal | None:
        return None if amount is None else round_to_minor(amount, currency)

    kept, _ = SpendForecast.objects.update_or_create(
        organization=organization,
        side=side,
        currency=currency,
        defaults={
            "month": now.astimezone(ZoneInfo(zone)).date().replace(day=1),
            "zone": zone,
            "spent": spent,
            "expected": round_to_minor(found.expected, currency),
            "low": rounded(found.low),
            "high": rounded(found.high),
            "tries": found.tries,
            "made_at": now,
        },
    )
    return kept
