"""Billing periods: half-open UTC instants, computed in the contract's time zone.

A period is computed once and stored; nothing recomputes a past one. Wall-clock periods are computed in the
contract's IANA zone, so a month or a day with a change of clocks has the hours it has. A wall-clock time that
the zone skips is taken as the instant reached by the offset before the change; one that happens twice is
taken the first time.

A period is cut at the contract's start and end; it keeps the bounds of the whole period beside, for
proration.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

MONTHS_PER_YEAR = 12
DAYS_PER_WEEK = 7
EDGES_KEPT = 1_024


class PeriodKind(StrEnum):
    """How a contract's time is cut into periods.

    Calendar months begin on the first and weeks on Monday, at 00:00 local time. Anniversary months and days
    begin at the local time of the contract's start, the months on its day of the month or the last day of a
    shorter month. Periods of fixed length follow each other from the contract's start whatever the clocks do.
    """

    CALENDAR_MONTH = "calendar_month"
    ANNIVERSARY_MONTH = "anniversary_month"
    WEEK = "week"
    DAY = "day"
    FIXED_LENGTH = "fixed_length"


class OutsideContract(ValueError):
    """The instant lies before the contract's start or not before its end."""


@dataclass(frozen=True, slots=True)
class PeriodSpec:
    """What a contract says about its periods; `length_s` is given for FIXED_LENGTH and only then."""

    kind: PeriodKind
    zone: str
    starts_at: datetime
    ends_at: datetime | None = None
    length_s: int | None = None

    def __post_init__(self) -> None:
        assert self.starts_at.tzinfo is not None
        assert self.ends_at is None or self.ends_at > self.starts_at
        assert (self.length_s is not None) == (self.kind is PeriodKind.FIXED_LENGTH)
        assert self.length_s is None or self.length_s > 0


@dataclass(frozen=True, slots=True)
class Period:
    """One billing period `[from_at, to_at)` within the uncut `[whole_from_at, whole_to_at)`, in UTC."""

    from_at: datetime
    to_at: datetime
    whole_from_at: datetime
    whole_to_at: datetime

    def __post_init__(self) -> None:
        assert self.whole_from_at <= self.from_at < self.to_at <= self.whole_to_at

    @property
    def is_whole(self) -> bool:
        """Whether the contract's start or end cut nothing off."""
        return (self.from_at, self.to_at) == (self.whole_from_at, self.whole_to_at)

    @property
    def whole_seconds(self) -> int:
        """The length of the whole period in seconds: a day of 23 hours has 82,800."""
        return (self.whole_to_at - self.whole_from_at) // timedelta(seconds=1)


def period_containing(spec: PeriodSpec, instant: datetime) -> Period:
    """Return the period that holds `instant`; raise `OutsideContract` where the contract does not."""
    assert instant.tzinfo is not None
    instant = instant.astimezone(UTC)
    if instant < spec.starts_at or (spec.ends_at is not None and instant >= spec.ends_at):
        raise OutsideContract(f"{instant.isoformat()} is outside the contract")
    whole_from_at, whole_to_at = _whole_period(spec, instant)
    period = Period(
        from_at=max(whole_from_at, spec.starts_at.astimezone(UTC)),
        to_at=whole_to_at if spec.ends_at is None else min(whole_to_at, spec.ends_at.astimezone(UTC)),
        whole_from_at=whole_from_at,
        whole_to_at=whole_to_at,
    )
    assert period.from_at <= instant < period.to_at
    return period


def next_period(spec: PeriodSpec, period: Period) -> Period | None:
    """Return the period that begins where `period` ends, or None if the contract ends there."""
    if spec.ends_at is not None and period.to_at >= spec.ends_at:
        return None
    following = period_containing(spec, period.to_at)
    assert following.from_at == period.to_at
    return following


def iter_periods(spec: PeriodSpec, *, before: datetime) -> Iterator[Period]:
    """Yield every period of the contract that begins before the instant `before`, from the first on."""
    assert before.tzinfo is not None
    period: Period | None = period_containing(spec, spec.starts_at)
    while period is not None and period.from_at < before:
        yield period
        period = next_period(spec, period)


def months_later(at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """Return the instant so many months after another, at its local time: on the last day of a shorter month."""
    local = at.astimezone(zone)
    return _utc(_month_day(local.date(), months, local.day), local.time(), zone)


@lru_cache(maxsize=EDGES_KEPT)
def day_edges(zone: str, from_at: datetime, to_at: datetime) -> tuple[datetime, ...]:
    """Return the starts of local days strictly inside `[from_at, to_at)`, in UTC: where a bill is cut into days.

    All leases of a contract ask for those of one month.
    """
    assert from_at <= to_at
    tz = ZoneInfo(zone)
    first, last = from_at.astimezone(tz).date(), to_at.astimezone(tz).date()
    midnights = (_utc(first + timedelta(days=n), time(), tz) for n in range(1, (last - first).days + 1))
    return tuple(sorted({at for at in midnights if from_at < at < to_at}))


def day_starts(from_at: datetime, to_at: datetime, zone: str) -> list[datetime]:
    """Return the instants within `[from_at, to_at)` at which a day begins in the IANA zone, in UTC."""
    local = ZoneInfo(zone)
    day = from_at.astimezone(local).date()
    starts: list[datetime] = []
    while True:
        at = datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
        if at >= to_at:
            return starts
        if at >= from_at:
            starts.append(at)
        day += timedelta(days=1)


def _whole_period(spec: PeriodSpec, instant: datetime) -> tuple[datetime, datetime]:
    boundary, index = _boundaries(spec, instant)
    # The index is an estimate from local dates, at most a step or two away from the right one.
    while boundary(index) > instant:
        index -= 1
    while boundary(index + 1) <= instant:
        index += 1
    return boundary(index), boundary(index + 1)


def _boundaries(spec: PeriodSpec, instant: datetime) -> tuple[Callable[[int], datetime], int]:
    """Return a function from a period's index to its start, and the index to look for `instant` from."""
    zone = ZoneInfo(spec.zone)
    anchor = spec.starts_at.astimezone(zone)
    local = instant.astimezone(zone).date()
    months = (local.year - anchor.year) * MONTHS_PER_YEAR + local.month - anchor.month
    days = (local - anchor.date()).days
    match spec.kind:
        case PeriodKind.CALENDAR_MONTH:
            return lambda index: _utc(_month_day(anchor.date(), index, 1), time(), zone), months
        case PeriodKind.ANNIVERSARY_MONTH:
            day, at = anchor.day, anchor.time()
            return lambda index: _utc(_month_day(anchor.date(), index, day), at, zone), months
        case PeriodKind.WEEK:
            monday = anchor.date() - timedelta(days=anchor.weekday())
            return (
                lambda index: _utc(monday + timedelta(days=DAYS_PER_WEEK * index), time(), zone),
                days // DAYS_PER_WEEK,
            )
        case PeriodKind.DAY:
            at = anchor.time()
            return lambda index: _utc(anchor.date() + timedelta(days=index), at, zone), days
        case _:
            assert spec.length_s is not None
            start, length = spec.starts_at.astimezone(UTC), timedelta(seconds=spec.length_s)
            return lambda index: start + index * length, (instant - start) // length


def _month_day(anchor: date, months: int, day: int) -> date:
    """Return the given day of the month that lies `months` after the anchor's, or that month's last day."""
    year, month0 = divmod(anchor.year * MONTHS_PER_YEAR + anchor.month - 1 + months, MONTHS_PER_YEAR)
    next_year, next_month0 = divmod(year * MONTHS_PER_YEAR + month0 + 1, MONTHS_PER_YEAR)
    last_day = (date(next_year, next_month0 + 1, 1) - timedelta(days=1)).day
    return date(year, month0 + 1, min(day, last_day))


def _utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at.replace(fold=0), tzinfo=zone).astimezone(UTC)
