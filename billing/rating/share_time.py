"""The stretches of time of a token share: months, quarters and years, contract years, and steps of its schedule.

A window is cut into segments such that in each one wording, one step of the schedule, one tier period and one span of
guarantee and cap hold. Amounts per span are prorated by the seconds of the segment.
"""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import ShareOf, ShareTier, SpanKind, SpansBegin, TierPeriod
from billing.rating.wording import Stretch
from clusters.occupancy import unix_second

INSTANT = timedelta(microseconds=1)
MONTHS_IN = {SpanKind.MONTH: 1, SpanKind.QUARTER: 3, SpanKind.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Span:
    """A month, quarter or year as instants `[from_at, to_at)`."""

    from_at: datetime
    to_at: datetime

    @property
    def seconds(self) -> int:
        """Its length; a month with a change of clocks has the seconds it has."""
        return unix_second(self.to_at) - unix_second(self.from_at)


@dataclass(frozen=True, slots=True)
class Table:
    """The share table in force: the share of everything, and rows of what has another. `step` counts from 0."""

    step: int
    everything: ShareOf
    rows: Sequence[ShareOf]

    def row_of(self, model: str, token_class: str) -> ShareOf:
        """Return the most particular row that is of a class of a model."""
        for about in ((model, token_class), (model, None), ("", token_class)):
            for row in self.rows:
                if (row.model, row.token_class) == about:
                    return row
        return self.everything


@dataclass(frozen=True, slots=True)
class Segment:
    """A part `[from_at, to_at)` of a window in which nothing of a term's wording changes.

    `tier_span` is None where the position in the tiers runs for the term's lifetime. `divided` counts the instants
    before it at which a percentage off changes; `whole` numbers what the segment would be without them.
    """

    number: int
    stretch: Stretch[TokenShareWording]
    from_at: datetime
    to_at: datetime
    table: Table
    tier_span: Span | None
    spans_from_at: datetime
    zone: str
    divided: int = 0
    whole: int = 0

    @property
    def wording(self) -> TokenShareWording:
        """The wording in force."""
        return self.stretch.wording

    @property
    def seconds(self) -> int:
        """Its length in whole seconds."""
        return unix_second(self.to_at) - unix_second(self.from_at)

    def span(self, kind: SpanKind) -> Span:
        """Return the month, quarter or year that holds the segment, as the wording says that they begin."""
        return span_at(kind, self.wording.spans_begin, self.spans_from_at, self.zone, self.from_at)


def tiers_of(row: ShareOf) -> tuple[ShareTier, ...]:
    """Return the tiers of a row; a share without tiers is one tier."""
    if row.tiers:
        return row.tiers
    assert row.share_percent is not None
    return (ShareTier(from_base_amount=Decimal(0), share_percent=row.share_percent),)


def span_at(kind: SpanKind, begin: SpansBegin, term_from_at: datetime, zone: str, at: datetime) -> Span:
    """Return the span of a kind that holds an instant.

    Calendar spans begin at local midnight of a first of the month, quarters in January, April, July and October. Those
    of a term begin at its local time of day, on its day of the month or the last of a shorter one.
    """
    local = ZoneInfo(zone)
    anchor = term_from_at.astimezone(local).replace(tzinfo=None)
    if begin is SpansBegin.CALENDAR:
        anchor = datetime(anchor.year, 1, 1)  # noqa: DTZ001 - a wall-clock time
    day = at.astimezone(local).date()
    index = ((day.year - anchor.year) * 12 + day.month - anchor.month) // MONTHS_IN[kind] + 1
    while _after_months(anchor, index * MONTHS_IN[kind], local) > at:
        index -= 1
    return Span(
        _after_months(anchor, index * MONTHS_IN[kind], local),
        _after_months(anchor, (index + 1) * MONTHS_IN[kind], local),
    )


def segments(term: TermInput, window: RatingWindow) -> tuple[Segment, ...]:
    """Cut the part of a window that a term covers; in order, without overlap."""
    found: list[Segment] = []
    divided = whole = 0
    for stretch in term.stretches:
        from_at, to_at = max(stretch.from_at, window.from_at), min(stretch.to_at, window.to_at)
        if from_at >= to_at:
            continue
        cuts = share_cuts(stretch.wording, term.from_at, window.zone, from_at - INSTANT, to_at)
        goes_on = bool(stretch.is_part and found) and from_at not in cuts
        divided += bool(stretch.is_part and found)
        for start, end in pairwise(sorted({from_at, to_at, *cuts})):
            whole += bool(found) and not goes_on
            goes_on = False
            wording: TokenShareWording = stretch.wording
            found.append(
                Segment(
                    number=len(found),
                    stretch=stretch,
                    from_at=start,
                    to_at=end,
                    table=_table_at(wording, term, window.zone, start),
                    tier_span=_tier_span(wording, term, window.zone, start),
                    spans_from_at=term.from_at,
                    zone=window.zone,
                    divided=divided,
                    whole=whole,
                )
            )
    return tuple(found)


def undivided(parts: Iterable[Segment]) -> list[list[Segment]]:
    """Return segments in runs between instants at which a percentage off changes: no row reaches over one."""
    return [list(run) for _, run in groupby(parts, key=lambda part: part.divided)]


def share_cuts(
    wording: TokenShareWording, term_from_at: datetime, zone: str, from_at: datetime, to_at: datetime
) -> set[datetime]:
    """Return the instants inside `[from_at, to_at)` at which usage under one wording must be told apart."""
    local = ZoneInfo(zone)
    anchor = term_from_at.astimezone(local).replace(tzinfo=None)
    starts = {_after_months(anchor, step.from_month, local) for step in wording.schedule}
    kinds = {(part.span, wording.spans_begin) for part in (wording.guarantee, wording.cap, wording.hybrid) if part}
    if wording.tier_period is TierPeriod.MONTH:
        # Also without tiers: those of an amendment go on from the position that was reached in this month.
        kinds.add((SpanKind.MONTH, wording.spans_begin))
    if wording.tier_period is TierPeriod.CONTRACT_YEAR:
        kinds.add((SpanKind.YEAR, SpansBegin.TERM))
    for kind, begin in kinds:
        at = from_at
        while at < to_at:
            at = span_at(kind, begin, term_from_at, zone, at).to_at
            starts.add(at)
    return {at for at in starts if from_at < at < to_at}


def _table_at(wording: TokenShareWording, term: TermInput, zone: str, at: datetime) -> Table:
    local = ZoneInfo(zone)
    anchor = term.from_at.astimezone(local).replace(tzinfo=None)
    table = Table(0, ShareOf(share_percent=wording.share_percent, tiers=wording.tiers), wording.share_by)
    for number, step in enumerate(wording.schedule, 1):
        if _after_months(anchor, step.from_month, local) <= at:
            table = Table(number, ShareOf(share_percent=step.share_percent, tiers=step.tiers), step.share_by)
    return table


def _tier_span(wording: TokenShareWording, term: TermInput, zone: str, at: datetime) -> Span | None:
    match wording.tier_period:
        case TierPeriod.MONTH:
            return span_at(SpanKind.MONTH, wording.spans_begin, term.from_at, zone, at)
        case TierPeriod.CONTRACT_YEAR:
            return span_at(SpanKind.YEAR, SpansBegin.TERM, term.from_at, zone, at)
        case TierPeriod.LIFETIME:
            return None


def _after_months(anchor: datetime, months: int, zone: ZoneInfo) -> datetime:
    """Return the instant of a wall-clock time so many months later; of a time that happens twice, the first."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    day = date(year, month + 1, min(anchor.day, calendar.monthrange(year, month + 1)[1]))
    return datetime.combine(day, anchor.time(), tzinfo=zone).astimezone(UTC)
