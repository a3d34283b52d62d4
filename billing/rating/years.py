"""Years of a term: from its start to each anniversary, by the clock of the contract's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def anniversary(starts_at: datetime, zone: str, years: int) -> datetime:
    """Return the instant `years` years after a start: the same local date and time; 28 February for the 29th."""
    local = starts_at.astimezone(ZoneInfo(zone))
    leap_day = (local.month, local.day) == (2, 29)
    day = 28 if leap_day and not _is_leap(local.year + years) else local.day
    return local.replace(year=local.year + years, day=day).astimezone(UTC)


def year_of(starts_at: datetime, zone: str, at: datetime) -> tuple[datetime, datetime]:
    """Return the year `[from_at, to_at)` of a term that holds an instant at or after its start."""
    assert starts_at <= at
    place = ZoneInfo(zone)
    years = at.astimezone(place).year - starts_at.astimezone(place).year
    if anniversary(starts_at, zone, years) > at:
        years -= 1
    begin, end = anniversary(starts_at, zone, years), anniversary(starts_at, zone, years + 1)
    assert begin <= at < end
    return begin, end


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
