"""Months of statements: which one a billing period or an instant belongs to, and when it is over. A month is its first
day.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LAST_ZONE_BEHIND_H = 12
"""How far behind UTC the last clocks on earth are."""

INSTANT = timedelta(microseconds=1)


def month_of_period(to_at: datetime, zone: str) -> date:
    """Return the month in which the last instant of a period lies, by the clock of its contract."""
    return (to_at - INSTANT).astimezone(ZoneInfo(zone)).date().replace(day=1)


def month_of(at: datetime) -> date:
    """Return the month of an instant in UTC."""
    return at.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    """Return the month after."""
    return (month.replace(day=1) + timedelta(days=31)).replace(day=1)


def previous_month(month: date) -> date:
    """Return the month before."""
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def over_at(month: date) -> datetime:
    """Return the instant from which a month is over everywhere."""
    following = next_month(month)
    start = datetime(following.year, following.month, following.day, tzinfo=UTC)
    return start + timedelta(hours=LAST_ZONE_BEHIND_H)
