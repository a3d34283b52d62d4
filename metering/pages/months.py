"""The month that a list shows, read from its address: one of UTC's, or all of them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.http import Http404
from django.utils.translation import gettext as _

from portal.figures import day

MONTHS_OFFERED: Final = 13
ALL: Final = "all"
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)

MonthChoice = tuple[str, str, bool]
"""The value in an address, its words, and whether it is chosen."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of UTC, `[from_at, to_at)`; all time if `first` is None."""

    first: date | None
    from_at: datetime
    to_at: datetime

    @property
    def value(self) -> str:
        """What the month is in an address."""
        return f"{self.first:%Y-%m}" if self.first else ALL


def month_at(first: date) -> Month:
    """Return the month that a day is in."""
    from_at = datetime(first.year, first.month, 1, tzinfo=UTC)
    return Month(from_at.date(), from_at, (from_at + timedelta(days=31)).replace(day=1))


def read_month(given: str, default: str) -> Month:
    """Return the month of `2026-03` or `all`, the default for "". Raises Http404."""
    text = given or default
    if text == ALL:
        return Month(None, EARLIEST, LATEST)
    try:
        year, month = text.split("-")
        first = date(int(year), int(month), 1)
    except ValueError as error:
        raise Http404 from error
    if not EARLIEST.year <= first.year < LATEST.year:
        raise Http404
    return month_at(first)


def offered_months(today: date, chosen: date | None = None) -> list[date]:
    """Return the first days of the months to choose from, the latest first: the running one and a year before it.

    Who chose the oldest of these, or an older one, is offered that one and a year before it too, and so comes by
    choosing to any month, however long ago.
    """
    months = _back_from(today)
    if chosen is not None and chosen.replace(day=1) <= months[-1]:
        months += _back_from(chosen)
    elif chosen is not None:
        months.append(chosen.replace(day=1))
    return sorted(set(months), reverse=True)


def _back_from(of: date) -> list[date]:
    """The month of a day and those before it, as many as are offered at once, none before the earliest."""
    months = [of.replace(day=1)]
    while len(months) < MONTHS_OFFERED and months[-1] > EARLIEST.date():
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def month_choices(chosen: Month, now: datetime, locale: str) -> list[MonthChoice]:
    """Return the months to choose from, those around the chosen one too, and before them all together."""
    every = (ALL, _("All months"), chosen.first is None)
    return [every, *each_month(now.date(), chosen.first, locale)]


def each_month(today: date, chosen: date | None, locale: str) -> list[MonthChoice]:
    """Return the months to choose from, those around the chosen one too; `chosen` is its first day."""
    months = offered_months(today, chosen)
    return [(f"{one:%Y-%m}", day(one, "yMMMM", locale), one == chosen) for one in months]
