"""The window that the occupancy page shows, read from its address and written back into links."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DAYS_OFFERED = (1, 7, 14)
DAYS_DEFAULT = 14
DAY = timedelta(days=1)
DAYS_BEHIND = {1: 0, 7: 3, 14: 6}
"""How many of the days lie behind today where no first day is asked for: now stands near the middle."""
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 1)


class UnreadableWindow(ValueError):
    """The address asks for days that do not exist, a span that is not offered, or a page that is no number."""


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """`days` whole days of UTC from `first`, in a cluster ("" for all), at a page of nodes."""

    first: date
    days: int
    today: date
    cluster: str
    page: int

    @property
    def from_at(self) -> datetime:
        """When the first day begins."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def to_at(self) -> datetime:
        """When the last day ends."""
        return self.from_at + self.days * DAY

    @property
    def last(self) -> date:
        """The last day shown."""
        return self.first + (self.days - 1) * DAY

    @property
    def is_default(self) -> bool:
        """Whether it is the window around today."""
        return self.first == default_first(self.today, self.days)

    def query(
        self, *, first: date | None = None, days: int = 0, cluster: str | None = None, page: int = 0
    ) -> dict[str, str]:
        """Return what this window, or one that differs in what is given, is in an address."""
        span = days or self.days
        if first is None:
            # Another span of the window around today is again around today.
            first = default_first(self.today, span) if self.is_default else self.first
        chosen = self.cluster if cluster is None else cluster
        wanted = {
            "cluster": chosen,
            "from": "" if first == default_first(self.today, span) else first.isoformat(),
            "days": "" if span == DAYS_DEFAULT else str(span),
            "page": "" if (page or 1) == 1 else str(page),
        }
        return {name: value for name, value in wanted.items() if value}


def default_first(today: date, days: int) -> date:
    """Return the first day of the window around today."""
    return today - DAYS_BEHIND[days] * DAY


def read_window(query: Mapping[str, str], now: datetime) -> ShownWindow:
    """Return the window of `?cluster=…&from=2026-11-12&days=14&page=2`. Raises UnreadableWindow."""
    today = now.astimezone(UTC).date()
    try:
        days = int(query.get("days") or DAYS_DEFAULT)
        page = int(query.get("page") or 1)
        first = date.fromisoformat(query["from"]) if query.get("from") else None
    except ValueError as error:
        raise UnreadableWindow(str(error)) from error
    if days not in DAYS_OFFERED or page < 1:
        raise UnreadableWindow(f"{days} days, page {page}")
    first = first or default_first(today, days)
    if not FIRST_DAY <= first <= LAST_DAY:
        raise UnreadableWindow(first.isoformat())
    return ShownWindow(first, days, today, query.get("cluster", ""), page)
