"""What usage costs times its price: marks of its requests (batch, priority), and windows of local time.

Everything that applies is multiplied: a batch at half price in a window at 0.75 costs 0.375 times the price. Windows do
not overlap, so at most one of them applies. A window is told by the clock on the wall of the contract's zone: an hour
that the clock skips is not in it, and one that it repeats is in it twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.rating.book import PriceVersion
from billing.rating.token_price_wording import TokenPriceWording, minutes_of_week
from metering.event_marks import marks_in

MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Factor:
    """By what a price is multiplied, and for which reasons: names joined by "+", empty for none."""

    value: Fraction
    names: str


NO_FACTOR = Factor(Fraction(1), "")


class Factors:
    """The factors of a wording in a zone; for a mark that the wording says nothing of, those of the price book."""

    def __init__(self, wording: TokenPriceWording, zone: str) -> None:
        self._by_mark = {each.mark: each.factor for each in wording.multipliers}
        self._windows = [
            (start, end, window.name, window.factor)
            for window in wording.off_peak
            for start, end in minutes_of_week(window)
        ]
        self._zone = ZoneInfo(zone)
        self._known: dict[tuple[str, str, str, tuple[str, Decimal] | None], Factor] = {}
        self._window_at: dict[datetime, tuple[str, Decimal] | None] = {}

    def of(self, marks: str, at: datetime, model: str, version: PriceVersion | None) -> Factor:
        """Return the factor of a model's requests with these marks that begin at an instant."""
        window = self._window(at) if self._windows else None
        if not marks and window is None:
            return NO_FACTOR
        key = (marks, model, version.version_id if version else "", window)
        if key not in self._known:
            self._known[key] = self._factor(marks, model, version, window)
        return self._known[key]

    def _factor(
        self, marks: str, model: str, version: PriceVersion | None, window: tuple[str, Decimal] | None
    ) -> Factor:
        applied = [(mark, self._of_mark(mark, model, version)) for mark in sorted(marks_in(marks))]
        applied += [window] if window else []
        value = Fraction(1)
        for _, factor in applied:
            value *= Fraction(factor)
        return Factor(value, "+".join(name for name, factor in applied if factor != 1))

    def _of_mark(self, mark: str, model: str, version: PriceVersion | None) -> Decimal:
        own = self._by_mark.get(mark)
        if own is None and version is not None:
            own = version.factor(model, mark)
        return Decimal(1) if own is None else own

    def _window(self, at: datetime) -> tuple[str, Decimal] | None:
        if at not in self._window_at:
            local = at.astimezone(self._zone)
            minute = local.weekday() * MINUTES_PER_DAY + local.hour * 60 + local.minute
            found = ((name, factor) for start, end, name, factor in self._windows if start <= minute < end)
            self._window_at[at] = next(found, None)
        return self._window_at[at]


def window_edges(wording: TokenPriceWording, zone: str, from_at: datetime, to_at: datetime) -> Iterator[datetime]:
    """Yield the instants inside `(from_at, to_at)` at which a window begins or ends: usage must be cut there."""
    place = ZoneInfo(zone)
    edges = {edge for window in wording.off_peak for span in minutes_of_week(window) for edge in span}
    day, last = from_at.astimezone(place).date(), to_at.astimezone(place).date()
    found: set[datetime] = set()
    while day <= last:
        for edge in edges:
            if edge // MINUTES_PER_DAY % 7 == day.weekday():
                found.update(_instants(day, edge % MINUTES_PER_DAY, place))
        day += timedelta(days=1)
    yield from sorted(at for at in found if from_at < at < to_at)


def _instants(day: date, minute: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when the clock shows a minute of a day: twice where it is set back."""
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    for fold in (0, 1):
        yield local.replace(fold=fold).astimezone(UTC)
