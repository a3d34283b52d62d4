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


def month_choices(chosen: Month, now: datetime, locale: str) -> list[MonthChoice]:
    """Return the months to choose from: the running one, those before it, the chosen one, and all together."""
    months = [now.date().replace(day=1)]
    while len(months) < MONTHS_OFFERED:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    if chosen.first is not None and chosen.first not in months:
        months.append(chosen.first)
    every = (ALL, _("All months"), chosen.first is None)
    return [every, *((f"{one:%Y-%m}", day(one, "yMMMM", locale), one == chosen.first) for one in months)]
