"""Which usage of a window stands in sums of weeks or days and which is read by the hour; each is counted once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from metering.day_models import UsageDayChange, UsageDaysSummed
from tenants.limits.written_once import written_once

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a window is read by the hour, and which whole UTC days `[first, end)` are read as their sums, if any.

    `hours` are two stretches at most, each `[from, to)`. `stale` are the days of those summed, and the deployments,
    whose hours count and not the sum.
    """

    hours: tuple[tuple[datetime, datetime], ...]
    days: tuple[date, date] | None
    stale: Mapping[date, Sequence[UUID]]


@dataclass(frozen=True, slots=True)
class WeekParts:
    """Conditions on `UsageHour`, `UsageDay` and `UsageWeek` that choose a window between them.

    Days are three stretches at most, each to be asked for itself as hours are; without `weeks` no week is whole.
    """

    hours: tuple[Q, ...]
    days: tuple[Q, ...]
    weeks: Q | None


@dataclass(frozen=True, slots=True)
class _Known:
    """The days `[first, end)` of a window that are summed, and of which deployments a day is stale."""

    first: date
    end: date
    changed: Mapping[date, Sequence[UUID]]


def parts_of(from_at: datetime, to_at: datetime) -> Parts:
    """Return how the usage of `[from_at, to_at)` is read; two queries.

    Sums stand for whole UTC days up to the last one that is summed, but not for a deployment and day to whose hours
    something was written since. Hours without a deployment are in no sum, nor are those with nothing in them.
    """
    known = _known(from_at, to_at)
    if known is None:
        return Parts(((from_at, to_at),), None, {})
    return Parts(_edges(from_at, to_at, known), (known.first, known.end), known.changed)


def week_parts_of(from_at: datetime, to_at: datetime) -> WeekParts:
    """Return how the usage of `[from_at, to_at)` is read where days need not be told apart; two queries.

    A week stands for itself where its seven days are all summed; of a deployment with a stale day in it the others are
    read as days.
    """
    known = _known(from_at, to_at)
    hours = _hours(from_at, to_at, known)
    if known is None:
        return WeekParts(hours, (), None)
    first, end = _monday(known.first + WEEK - DAY), _monday(known.end)
    if first >= end:
        return WeekParts(hours, (_sound(known.first, known.end, known),), None)
    edges = ((known.first, first), (end, known.end))
    days = [_sound(since, until, known) for since, until in edges if since < until]
    weeks = Q(utc_week__gte=first, utc_week__lt=end)
    broken: dict[date, set[UUID]] = {}
    for day, deployments in known.changed.items():
        if first <= day < end:
            broken.setdefault(_monday(day), set()).update(deployments)
    beside = Q()
    for week, apart in sorted(broken.items()):
        weeks &= ~Q(deployment_id__in=apart, utc_week=week)
        beside |= Q(deployment_id__in=apart) & _sound(week, week + WEEK, known)
    return WeekParts(hours, (*days, beside) if broken else tuple(days), weeks)


def _known(from_at: datetime, to_at: datetime) -> _Known | None:
    """What is summed of a window; None where no whole day of it is."""
    kept = summed_to()
    first, end = _first_whole(from_at), to_at.astimezone(UTC).date()
    if kept is None:
        return None
    end = min(end, kept + DAY)
    if first >= end:
        return None
    changed: dict[date, list[UUID]] = {}
    for day, deployment_id in _changed(first, end):
        changed.setdefault(day, []).append(deployment_id)
    return _Known(first, end, dict(sorted(changed.items())))


def summed_to() -> date | None:
    """Return the last day whose usage is summed; one query."""
    return next(iter(_summed_to()), None)


@written_once
def _summed_to() -> QuerySet[UsageDaysSummed, date]:
    return UsageDaysSummed.objects.order_by("pk").values_list("day", flat=True)[:1]


@written_once
def _changed(first: date, end: date) -> QuerySet[UsageDayChange, tuple[date, UUID]]:
    """The days `[first, end)` that are stale of a deployment."""
    changes = UsageDayChange.objects.filter(day__gte=first, day__lt=end)
    return changes.values_list("day", "deployment_id").distinct()


def _hours(from_at: datetime, to_at: datetime, known: _Known | None) -> tuple[Q, ...]:
    """Which hours no sum stands for."""
    if known is None:
        return (Q(from_at__gte=from_at, from_at__lt=to_at),)
    read = [Q(from_at__gte=since, from_at__lt=until) for since, until in _edges(from_at, to_at, known)]
    stale = Q()
    for day, deployments in known.changed.items():
        stale |= Q(deployment_id__in=deployments, from_at__gte=start_of(day), from_at__lt=start_of(day + DAY))
    return (*read, stale) if known.changed else tuple(read)


def _edges(from_at: datetime, to_at: datetime, known: _Known) -> tuple[tuple[datetime, datetime], ...]:
    """What of a window lies before and behind the days that are summed."""
    edges = ((from_at, start_of(known.first)), (start_of(known.end), to_at))
    return tuple((since, until) for since, until in edges if since < until)


def _sound(first: date, end: date, known: _Known) -> Q:
    """The sums of the days `[first, end)` that are to be relied on."""
    days = Q(utc_day__gte=first, utc_day__lt=end)
    for day, deployments in known.changed.items():
        if first <= day < end:
            days &= ~Q(deployment_id__in=deployments, utc_day=day)
    return days


def _monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - day.weekday() * DAY


def _first_whole(from_at: datetime) -> date:
    """The first UTC day that begins at an instant or after it."""
    at = from_at.astimezone(UTC)
    return at.date() if at.time() == time.min else at.date() + DAY


def start_of(day: date) -> datetime:
    """Return the instant at which a UTC day begins."""
    return datetime.combine(day, time.min, UTC)
