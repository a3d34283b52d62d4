"""Sums of usage page by page: in the order of time, and no more time is read than the page needs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from metering.queries import usage_totals
from tenants.listing.cursors import WrongCursor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.db.models import QuerySet

    from metering.key_models import KeyedUsage
    from metering.models import UsageHour
    from metering.queries import Granularity, GroupBy, UsageTotal
    from tenants.listing.cursors import Place

FIRST: Final = 2
"""Stretches of time that are read first."""
GROWTH: Final = 16
"""How many times as many are read next, where those before did not fill the page."""
HOUR: Final = timedelta(hours=1)
MONTHS: Final = 12


def totals_page(
    *,
    usage: QuerySet[UsageHour] | QuerySet[KeyedUsage],
    window: tuple[datetime, datetime],
    granularity: Granularity,
    zone: str,
    group_by: Sequence[GroupBy],
    after: Place | None,
    limit: int,
) -> list[UsageTotal]:
    """Return the first `limit` of what `usage_totals` returns of a window's usage, `after` a place where one is given.

    At most four queries for a year by day or a month by hour, and mostly one. Raises WrongCursor.
    """
    if granularity == "total":
        return usage_totals(
            usage=usage, granularity=granularity, zone=zone, group_by=group_by, after=after, limit=limit
        )
    found: list[UsageTotal] = []
    from_at, to_at = window
    for start, end in _pieces(max(from_at, _at(after) or from_at), to_at, granularity, zone):
        found += usage_totals(
            usage=usage.filter(from_at__gte=start, from_at__lt=end),
            granularity=granularity,
            zone=zone,
            group_by=group_by,
            after=after,
            limit=limit - len(found),
        )
        if len(found) == limit:
            break
    return found


def _at(after: Place | None) -> datetime | None:
    """Return where the stretch of a place begins. Raises WrongCursor."""
    if after is None:
        return None
    try:
        at = datetime.fromisoformat(str(after[0]))
    except (IndexError, ValueError) as error:
        raise WrongCursor from error
    if at.tzinfo is None:
        raise WrongCursor
    return at


def _pieces(
    from_at: datetime, to_at: datetime, granularity: Granularity, zone: str
) -> Iterator[tuple[datetime, datetime]]:
    """Yield a window in pieces of whole stretches, each longer than the one before."""
    start, stretches = from_at, FIRST
    while start < to_at:
        try:
            end = min(to_at, _later(start, stretches, granularity, zone))
        except (OverflowError, ValueError):
            # Beyond the last day that there is.
            end = to_at
        yield start, end
        start, stretches = end, stretches * GROWTH


def _later(at: datetime, stretches: int, granularity: Granularity, zone: str) -> datetime:
    """Return where the stretch begins that comes so many after the one that an instant lies in."""
    if granularity == "hour":
        return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + stretches * HOUR
    local = ZoneInfo(zone)
    day = at.astimezone(local).date()
    if granularity == "day":
        later = day + timedelta(days=stretches)
    else:
        months = day.year * MONTHS + day.month - 1 + stretches
        later = date(months // MONTHS, months % MONTHS + 1, 1)
    return datetime.combine(later, time.min, local).astimezone(UTC)
