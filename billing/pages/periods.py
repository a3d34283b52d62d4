"""The window that a usage page shows, read from its address and written back into links."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from portal.figures import number

DAYS_MAX = 1830
FIRST_YEAR, LAST_YEAR = 2000, 2999
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a time zone, `first` to `last`, both included; `month` if they are one calendar month.

    `from_at` and `end_at` are its instants; `to_at` is how far it can be metered: `end_at`, or now while it runs.
    """

    first: date
    last: date
    zone: str
    now: datetime
    is_month: bool

    @property
    def from_at(self) -> datetime:
        """When the first day begins, in UTC."""
        return day_start(self.first, self.zone)

    @property
    def end_at(self) -> datetime:
        """When the last day ends, in UTC."""
        return day_start(self.last + DAY, self.zone)

    @property
    def to_at(self) -> datetime:
        """Up to when there can be usage."""
        return max(self.from_at, min(self.end_at, self.now))

    @property
    def today(self) -> date:
        """The day that now lies in."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def shown_last(self) -> date:
        """The last day that has begun."""
        return max(self.first, min(self.last, self.today))

    @property
    def runs(self) -> bool:
        """Whether the period is not over yet."""
        return self.now < self.end_at

    @property
    def query(self) -> dict[str, str]:
        """What the period is in an address; the running month needs nothing."""
        if not self.is_month:
            return {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return {} if month_of(self.first) == month_of(self.today) else {"month": f"{self.first:%Y-%m}"}

    def days(self) -> list[date]:
        """Every day, those ahead too."""
        return [self.first + DAY * index for index in range((self.last - self.first).days + 1)]

    def read_in(self, zone: str) -> "Period":
        """Return the days of another zone that hold the same instants, for drawing: nothing is counted by them."""
        place = ZoneInfo(zone)
        last = (self.end_at - timedelta(microseconds=1)).astimezone(place).date()
        return replace(self, first=self.from_at.astimezone(place).date(), last=last, zone=zone)

    def before(self) -> "Period | None":
        """The same span of the month before, for a period that is a calendar month."""
        if not self.is_month:
            return None
        first = previous_month(self.first)
        span = (self.shown_last - self.first).days
        last = min(first + DAY * span, self.first - DAY) if self.runs else self.first - DAY
        # A running month is compared up to the same time of the same day.
        now = day_start(last, self.zone) + (self.now - day_start(self.today, self.zone)) if self.runs else self.now
        return Period(first, last, self.zone, now, is_month=False)


class UnreadablePeriod(ValueError):
    """The address asks for a time that cannot be shown; `words` say to the reader what is wrong with it."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def read_period(query: Mapping[str, str], zone: str, now: datetime) -> Period:
    """Return the period of `?month=2026-03` or `?from=2026-03-01&to=2026-03-18`, else the running month.

    Two days the wrong way round are the days between them: a form lets people choose them so. Raises UnreadablePeriod.
    """
    today = now.astimezone(ZoneInfo(zone)).date()
    try:
        if query.get("from") or query.get("to"):
            last = date.fromisoformat(query.get("to") or today.isoformat())
            first = date.fromisoformat(query.get("from") or last.replace(day=1).isoformat())
            first, last = min(first, last), max(first, last)
        elif query.get("month"):
            year, month = query["month"].split("-")
            first = date(int(year), int(month), 1)
            last = next_month(first) - DAY
        else:
            first = today.replace(day=1)
            last = next_month(first) - DAY
    except OverflowError as error:
        raise UnreadablePeriod(_years_words()) from error
    except ValueError as error:
        raise UnreadablePeriod(_("It names no month (2026-03) and no days (2026-03-01) of the calendar.")) from error
    _check(first, last)
    whole_month = first.day == 1 and last == next_month(first) - DAY
    return Period(first, last, zone, now, is_month=whole_month)


def _check(first: date, last: date) -> None:
    if not FIRST_YEAR <= first.year <= last.year <= LAST_YEAR:
        raise UnreadablePeriod(_years_words())
    count = (last - first).days + 1
    if count > DAYS_MAX + 1:
        counts = {"count": number(count), "max": number(DAYS_MAX + 1)}
        raise UnreadablePeriod(_("It has %(count)s days; at most %(max)s are shown at once.") % counts)


def _years_words() -> str:
    return _("Years from %(from)s to %(to)s can be shown.") % {"from": FIRST_YEAR, "to": LAST_YEAR}


def day_start(day: date, zone: str) -> datetime:
    """Return the instant at which a day begins in a zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=1) + 31 * DAY).replace(day=1)


def previous_month(day: date) -> date:
    """Return the first day of the month before a day's."""
    return (day.replace(day=1) - DAY).replace(day=1)


def month_of(day: date) -> tuple[int, int]:
    """Return what two days of one month share."""
    return day.year, day.month


def with_query(path: str, *parts: Mapping[str, str]) -> str:
    """Return an address with the query of all parts, empty values left out."""
    query = {name: value for part in parts for name, value in part.items() if value}
    return f"{path}?{urlencode(query)}" if query else path
