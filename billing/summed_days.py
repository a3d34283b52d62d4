"""Which usage of spans is read as sums of days and which by the hour, so that both come to the same."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.db.models import QuerySet

from billing.usage_spans import Span
from metering.day_models import UsageDayChange
from metering.summed_usage import summed_to
from tenants.limits.written_once import written_once

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Summed:
    """Up to which day usage is summed, and of which deployments and days hours were written since; None: no day is."""

    last: date | None
    changed: Collection[tuple[UUID, date]] = frozenset()


def summed_of(spans: Sequence[Span]) -> Summed:
    """Return what of spans is summed; two queries."""
    last = summed_to() if spans else None
    if last is None or min(span.from_at for span in spans) >= _start(last + DAY):
        return Summed(last)
    since = min(span.from_at for span in spans).astimezone(UTC).date()
    return Summed(last, set(_changed({span.deployment_id for span in spans}, since, last)))


@written_once
def _changed(deployments: Collection[UUID], since: date, last: date) -> QuerySet[UsageDayChange, tuple[UUID, date]]:
    changes = UsageDayChange.objects.filter(deployment_id__in=deployments, day__gte=since, day__lte=last)
    return changes.values_list("deployment_id", "day").distinct()


def in_days(spans: Sequence[Span], cuts: Iterable[datetime], summed: Summed) -> tuple[list[Span], list[Span]]:
    """Return the parts of spans that are read by the hour, and those that are whole days with sums.

    `cuts` are instants at which usage is told apart. A day that one lies in, that was written to since it was summed,
    or that a span holds a part of is read by the hour.
    """
    if summed.last is None or not spans:
        return list(spans), []
    end = min(max(span.to_at for span in spans), _start(summed.last + DAY))
    broken = {cut.astimezone(UTC).date() for cut in cuts if cut.astimezone(UTC).time() != time.min}
    by_hour: list[Span] = []
    by_day: list[Span] = []
    for span in spans:
        at = span.from_at
        for start, stop in _runs(span, end, broken, summed.changed):
            by_day.append(replace(span, from_at=start, to_at=stop))
            if at < start:
                by_hour.append(replace(span, from_at=at, to_at=start))
            at = stop
        if at < span.to_at:
            by_hour.append(replace(span, from_at=at))
    return by_hour, by_day


def _runs(
    span: Span, end: datetime, broken: Collection[date], changed: Collection[tuple[UUID, date]]
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the runs of whole days of a span that can be read as sums, in order."""
    start: datetime | None = None
    at = _start(span.from_at.astimezone(UTC).date())
    if at < span.from_at:
        at += DAY
    while at + DAY <= min(span.to_at, end):
        day = at.date()
        if day in broken or (span.deployment_id, day) in changed:
            if start is not None:
                yield start, at
            start = None
        elif start is None:
            start = at
        at += DAY
    if start is not None:
        yield start, at


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
