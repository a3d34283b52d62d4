"""Sums of usage hours by UTC day, for pages that show months: a thirtieth of the rows, and nothing that hours lack.

A day is summed once nobody can still be writing its hours as hours of today. Whoever writes hours of a day that is over
notes that in the same transaction (a trigger does), and the day is read by the hour until it is summed anew.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Min

from metering.day_models import UsageDay, UsageDayChange, UsageDaysSummed, UsageWeek
from metering.models import UsageHour

DAY: Final = timedelta(days=1)
MARGIN: Final = timedelta(minutes=5)
"""Clocks of the database and of its writers may be so far apart."""
CHANGES_A_ROUND: Final = 1_000
SUM: Final = """
    INSERT INTO metering_usageday (utc_day, deployment_id, tenant_id, witness, quantity, model, quality, context_over,
        marks, value, from_at, to_at)
    SELECT (hour_at AT TIME ZONE 'UTC')::date, deployment_id, tenant_id, witness, quantity, model, quality,
        context_over, marks, sum(value), min(from_at), max(to_at)
    FROM metering_usagehour
    WHERE hour_at >= %(from_at)s AND hour_at < %(to_at)s AND value <> 0 AND deployment_id IS NOT NULL
        AND (%(deployments)s::uuid[] IS NULL OR deployment_id = ANY (%(deployments)s::uuid[]))
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""
DIFFERENCES: Final = """
    WITH made AS (
        SELECT (hour_at AT TIME ZONE 'UTC')::date AS day, deployment_id, tenant_id, witness, quantity, model, quality,
            context_over, marks, sum(value) AS value, min(from_at) AS from_at, max(to_at) AS to_at
        FROM metering_usagehour
        WHERE hour_at >= %(from_at)s AND hour_at < %(to_at)s AND value <> 0 AND deployment_id IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ), kept AS (
        SELECT utc_day, deployment_id, tenant_id, witness, quantity, model, quality, context_over, marks, value,
            from_at, to_at
        FROM metering_usageday WHERE from_at >= %(from_at)s AND from_at < %(to_at)s
    )
    SELECT * FROM (
        (SELECT * FROM made EXCEPT SELECT * FROM kept) UNION (SELECT * FROM kept EXCEPT SELECT * FROM made)
    ) AS unlike
    WHERE NOT EXISTS (SELECT FROM metering_usagedaychange change
        WHERE change.deployment_id = unlike.deployment_id AND change.day = unlike.day)
"""

WEEKS_UNLIKE: Final = """
    SELECT utc_week, deployment_id, witness, quantity, model, quality, sum(made), sum(kept)
    FROM (
        SELECT date_trunc('week', utc_day)::date AS utc_week, deployment_id, witness, quantity, model, quality,
            value AS made, 0 AS kept FROM metering_usageday
        UNION ALL
        SELECT utc_week, deployment_id, witness, quantity, model, quality, 0, value FROM metering_usageweek
    ) AS one
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(made) <> sum(kept) ORDER BY 1, 2, 3, 4, 5, 6
"""


def sum_days(*, now: datetime) -> int:
    """Sum the next day that is over, or those that changed since they were summed; returns how many days.

    One transaction; done twice it finds nothing more to do.
    """
    with transaction.atomic():
        kept = UsageDaysSummed.objects.select_for_update().first()
        last = _last_whole_day(now)
        day = _first_day() if kept is None else kept.day + DAY
        if day is not None and day <= last:
            UsageDayChange.objects.filter(day=day).delete()
            _sum_again(day, None)
            UsageDaysSummed.objects.update_or_create(pk=1, defaults={"day": day})
            return 1
        return 0 if kept is None else _sum_changed(kept.day)


def differences(first: date, last: date) -> list[tuple[Any, ...]]:
    """Return the sums of days, both included, that stand and are not what the hours come to, and those that lack."""
    with connection.cursor() as cursor:
        cursor.execute(DIFFERENCES, {"from_at": _start(first), "to_at": _start(last + DAY)})
        return list(cursor.fetchall())


def weeks_unlike_days() -> list[tuple[Any, ...]]:
    """Return each series of a week whose sum is not what the sums of its days come to, and both, of days first."""
    with connection.cursor() as cursor:
        cursor.execute(WEEKS_UNLIKE)
        return list(cursor.fetchall())


def summed_span() -> tuple[date, date] | None:
    """Return the first and the last day that can have sums; None where no day is summed."""
    kept, first = UsageDaysSummed.objects.first(), _first_day()
    return None if kept is None or first is None else (first, kept.day)


def forget_sums() -> None:
    """Take every sum away; pages read the hours until days are summed again."""
    with transaction.atomic():
        UsageDaysSummed.objects.select_for_update().delete()
        UsageDay.objects.all().delete()
        UsageWeek.objects.all().delete()


def _sum_changed(last: date) -> int:
    """Sum days anew whose hours were written to; what is written from here on notes itself again."""
    chosen = list(
        UsageDayChange.objects.filter(day__lte=last).order_by("pk").values_list("pk", flat=True)[:CHANGES_A_ROUND]
    )
    if not chosen:
        return 0
    changes = UsageDayChange.objects.filter(pk__in=chosen)
    deployments: dict[date, set[Any]] = {}
    for deployment_id, day in changes.values_list("deployment_id", "day").distinct():
        deployments.setdefault(day, set()).add(deployment_id)
    changes.delete()
    for day, changed in sorted(deployments.items()):
        _sum_again(day, changed)
    return sum(len(changed) for changed in deployments.values())


def _sum_again(day: date, deployments: set[Any] | None) -> None:
    """Replace the sums of a day, of some deployments or of all."""
    sums = UsageDay.objects.filter(utc_day=day)
    (sums if deployments is None else sums.filter(deployment_id__in=deployments)).delete()
    with connection.cursor() as cursor:
        cursor.execute(
            SUM,
            {
                "from_at": _start(day),
                "to_at": _start(day + DAY),
                "deployments": None if deployments is None else list(deployments),
            },
        )


def _last_whole_day(now: datetime) -> date:
    """Return the last day that nobody can be writing hours of as of today."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app_oldest_running()")
        (running_at,) = cursor.fetchone()
    settled_at: datetime = min(now, running_at) - MARGIN
    return settled_at.astimezone(UTC).date() - DAY


def _first_day() -> date | None:
    found = UsageHour.objects.aggregate(at=Min("hour_at"))["at"]
    return None if found is None else found.astimezone(UTC).date()


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
