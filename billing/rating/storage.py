"""Rating of reserved storage: gigabytes over time at a price per GB-month.

A month is a calendar month of the contract's zone; a part of it counts by its seconds. A volume that is held
throughout a month is one month, whatever days that has.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from billing.periods import PeriodKind, PeriodSpec, iter_periods
from billing.rating.held_time import About, bounds
from billing.rating.inputs import Fact, RatingWindow, TermInput, facts_of
from billing.rating.rated import Price, PriceUnit, Rated, RatedLine, TermKind, Unit, line_key
from billing.rating.spans import Span
from billing.rating.wording import Stretch, Wording
from billing.rating.wording_fields import check_price
from clusters.occupancy import instant_of_second, unix_second

RULE_STORAGE = "storage_gb_month"


class StorageWording(Wording, frozen=True, kw_only=True, tag="storage"):
    """Storage reserved, by the decimal gigabyte (10**9 bytes) and month."""

    price_per_gb_month: Decimal

    def check(self) -> None:
        """Raise `WrongWording` where the price is none."""
        check_price("price_per_gb_month", self.price_per_gb_month, "0.07")


class Stored(Fact, frozen=True, kw_only=True, tag="stored"):
    """A volume of `gigabytes` reserved over `[from_at, to_at)`; without `to_at` until further notice."""

    volume: str
    gigabytes: int
    from_at: datetime
    to_at: datetime | None = None


def rate_storage(term: TermInput, window: RatingWindow) -> Rated:
    """Rate storage over a window: a row per stretch of constant size and month."""
    return Rated(tuple(line for stretch in term.stretches for line in _stretch(term, window, stretch)))


def _stretch(term: TermInput, window: RatingWindow, stretch: Stretch[StorageWording]) -> Iterator[RatedLine]:
    inside = bounds(stretch, window)
    if inside is None:
        return
    about = About(TermKind.STORAGE, term.ref, stretch.contract_version)
    for (start, end), month_seconds in _months(window.zone, inside):
        for span, gigabytes in _sizes(term, (start, end)):
            yield _line(about, stretch.wording, span, gigabytes, month_seconds)


def _months(zone: str, span: Span) -> Iterator[tuple[Span, int]]:
    """Cut a span at the starts of calendar months; with each part goes the length of its whole month."""
    spec = PeriodSpec(PeriodKind.CALENDAR_MONTH, zone, instant_of_second(span[0]), instant_of_second(span[1]))
    for month in iter_periods(spec, before=instant_of_second(span[1])):
        yield (unix_second(month.from_at), unix_second(month.to_at)), month.whole_seconds


def _sizes(term: TermInput, span: Span) -> Iterator[tuple[Span, int]]:
    """Add up the volumes: stretches of constant size inside a span."""
    changes: dict[int, int] = {}
    for fact in facts_of(term.facts, Stored):
        start = max(span[0], unix_second(fact.from_at))
        end = span[1] if fact.to_at is None else min(span[1], unix_second(fact.to_at))
        if start < end:
            changes[start] = changes.get(start, 0) + fact.gigabytes
            changes[end] = changes.get(end, 0) - fact.gigabytes
    size = 0
    for start, end in pairwise(sorted(second for second, change in changes.items() if change)):
        size += changes[start]
        if size:
            yield (start, end), size


def _line(about: About, wording: StorageWording, span: Span, gigabytes: int, month_seconds: int) -> RatedLine:
    quantity = Decimal(gigabytes * (span[1] - span[0]))
    return RatedLine(
        line_key=line_key(about.kind, about.ref, about.contract_version, span[0]),
        term_kind=about.kind,
        term_ref=about.ref,
        contract_version=about.contract_version,
        price_version_id=None,
        rule=RULE_STORAGE,
        model="",
        token_class="",
        quantity=quantity,
        unit=Unit.GB_SECONDS,
        price=Price(wording.price_per_gb_month, PriceUnit.PER_GB_MONTH, month_seconds),
        quality_mix={"A": quantity},
        from_at=instant_of_second(span[0]),
        to_at=instant_of_second(span[1]),
    )
