"""Which usage of a window stands in sums of days and which is read by the hour; together each is counted once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from metering.day_models import UsageDayChange, UsageDaysSummed

if TYPE_CHECKING:
    from uuid import UUID

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Parts:
    """Conditions on `UsageHour` and on `UsageDay` that choose a window between them; without `days` all is in hours.

    Those on hours, three at most, are to be asked one by one: each is a stretch of time, or are days of some
    deployments, which an index finds. As one condition they would have every hour of the window read.
    """

    hours: tuple[Q, ...]
    days: Q | None


def parts_of(from_at: datetime, to_at: datetime) -> Parts:
    """Return how the usage of `[from_at, to_at)` is read; two queries.

    Sums stand for whole UTC days up to the last one that is summed, but not for a deployment and day to whose hours
    something was written since. Hours without a deployment are in no sum, nor are those with nothing in them.
    """
    hours = Q(from_at__gte=from_at, from_at__lt=to_at)
    kept = UsageDaysSummed.objects.values_list("day", flat=True).first()
    first, end = _first_whole(from_at), to_at.astimezone(UTC).date()
    if kept is None:
        return Parts((hours,), None)
    end = min(end, kept + DAY)
    if first >= end:
        return Parts((hours,), None)
    changed: dict[date, list[UUID]] = {}
    rows = UsageDayChange.objects.filter(day__gte=first, day__lt=end).values_list("day", "deployment_id").distinct()
    for day, deployment_id in rows:
        changed.setdefault(day, []).append(deployment_id)
    edges = ((from_at, _start(first)), (_start(end), to_at))
    read = [Q(from_at__gte=since, from_at__lt=until) for since, until in edges if since < until]
    stale = Q()
    days = Q(utc_day__gte=first, utc_day__lt=end)
    for day, deployments in sorted(changed.items()):
        stale |= Q(deployment_id__in=deployments, from_at__gte=_start(day), from_at__lt=_start(day + DAY))
        days &= ~Q(deployment_id__in=deployments, utc_day=day)
    return Parts((*read, stale) if changed else tuple(read), days)


def _first_whole(from_at: datetime) -> date:
    """The first UTC day that begins at an instant or after it."""
    at = from_at.astimezone(UTC)
    return at.date() if at.time() == time.min else at.date() + DAY


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
