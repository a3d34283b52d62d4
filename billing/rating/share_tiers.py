"""The share of each cell: at one percentage, or by tiers whose position runs through segments and periods."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from urllib.parse import unquote

from billing.rating.inputs import Carried, RatingWindow, TermInput, facts_of
from billing.rating.rated import line_key
from billing.rating.share_base import Cell
from billing.rating.share_lines import Written, write_amount
from billing.rating.share_time import Segment, tiers_of
from billing.rating.share_words import ShareBase, ShareTier, TierMode

RULE_FLAT = "share_of_base"
RULE_MARGINAL = "share_tier_marginal"
RULE_WHOLE = "share_tier_whole"
CARRY_TIER = "tier_base_amount"


@dataclass(frozen=True, slots=True)
class Band:
    """A part of a cell's base that goes at one share."""

    number: int
    base: Fraction
    share_percent: Decimal


class Positions:
    """How much base each row has had in its tier period; what the period before handed over is where it begins."""

    def __init__(self, term: TermInput, window: RatingWindow) -> None:
        """Begin at what was carried into the window."""
        self._term = term
        self._window = window
        self._at: dict[tuple[datetime | None, tuple[str, str]], Fraction] = {}

    def of(self, cell: Cell) -> Fraction:
        """Return the base before a cell."""
        key = self._key(cell.segment, cell.row_key)
        if key not in self._at:
            span = cell.segment.tier_span
            runs_on = span is None or span.from_at < self._window.from_at
            self._at[key] = Fraction(self._term.carried(_name(cell.row_key))) if runs_on else Fraction(0)
        return self._at[key]

    def advance(self, cell: Cell) -> None:
        """Add a cell's base."""
        self._at[self._key(cell.segment, cell.row_key)] = self.of(cell) + cell.base

    def hand_on(self, written: Written, last: Segment) -> None:
        """Carry every position whose tier period goes on after the window."""
        span = last.tier_span
        ends = self._term.to_at is not None and self._term.to_at <= self._window.period_to_at
        if ends or (span is not None and span.to_at <= self._window.period_to_at):
            return
        names = {key[1] for key in self._at if key[0] == (span.from_at if span else None)}
        runs_on = span is None or span.from_at < self._window.from_at
        before = carried_rows(self._term) if runs_on else {}
        for row_key in sorted({*names, *before}):
            key = (span.from_at if span else None, row_key)
            written.carry(_name(row_key), self._at.get(key, before.get(row_key, Fraction(0))))

    @staticmethod
    def _key(segment: Segment, row_key: tuple[str, str]) -> tuple[datetime | None, tuple[str, str]]:
        return (segment.tier_span.from_at if segment.tier_span else None, row_key)


def share_cells(
    written: Written, term: TermInput, window: RatingWindow, parts: Sequence[Segment], cells: Sequence[Cell]
) -> dict[int, Fraction]:
    """Return the share by segment number, and write rows of tiers where token rows are not owed by themselves."""
    positions = Positions(term, window)
    ends = _ends(term, window, cells)
    shares: dict[int, Fraction] = {}
    for cell in cells:
        tiers = tiers_of(cell.row)
        if cell.segment.wording.tier_mode is TierMode.WHOLE and len(tiers) > 1:
            bands = [_whole(tiers, ends[_about(cell)], cell.base)]
        else:
            bands = marginal(tiers, positions.of(cell), cell.base)
        positions.advance(cell)
        owed = sum((band.base * Fraction(band.share_percent) / 100 for band in bands), Fraction(0))
        shares[cell.segment.number] = shares.get(cell.segment.number, Fraction(0)) + owed
        if len(tiers) > 1 or cell.segment.wording.base is ShareBase.CERTIFIED_REVENUE:
            _write_bands(written, cell, bands)
    if window.is_whole and parts:
        positions.hand_on(written, parts[-1])
    return shares


def marginal(tiers: Sequence[ShareTier], position: Fraction, base: Fraction) -> list[Band]:
    """Cut a base that begins at a position into the parts that lie in each tier."""
    assert base >= 0
    bands = []
    for number, tier in enumerate(tiers):
        start = max(position, Fraction(tier.from_base_amount))
        end = position + base
        if tier.to_base_amount is not None:
            end = min(end, Fraction(tier.to_base_amount))
        if start < end:
            bands.append(Band(number, end - start, tier.share_percent))
    assert sum((band.base for band in bands), Fraction(0)) == base
    return bands


def carried_rows(term: TermInput) -> dict[tuple[str, str], Fraction]:
    """Return the positions that the period before handed over, by row."""
    rows = {}
    for fact in facts_of(term.facts, Carried):
        name, *about = fact.name.split("|")
        if name == CARRY_TIER:
            model, token_class = (unquote(part) for part in about)
            rows[model, token_class] = Fraction(fact.value)
    return rows


def _whole(tiers: Sequence[ShareTier], total: Fraction, base: Fraction) -> Band:
    reached = max(number for number, tier in enumerate(tiers) if Fraction(tier.from_base_amount) <= total)
    return Band(reached, base, tiers[reached].share_percent)


def _about(cell: Cell) -> tuple[datetime | None, tuple[str, str]]:
    return (cell.segment.tier_span.from_at if cell.segment.tier_span else None, cell.row_key)


def _ends(term: TermInput, window: RatingWindow, cells: Sequence[Cell]) -> dict[object, Fraction]:
    """Return where each row's position stands at the end of the window, by tier period and row."""
    positions = Positions(term, window)
    for cell in cells:
        positions.advance(cell)
    return {_about(cell): positions.of(cell) for cell in cells}


def _write_bands(written: Written, cell: Cell, bands: Sequence[Band]) -> None:
    whole = cell.segment.wording.tier_mode is TierMode.WHOLE
    rule = RULE_FLAT if len(tiers_of(cell.row)) == 1 else RULE_WHOLE if whole else RULE_MARGINAL
    model, token_class = cell.row_key
    for band in bands:
        write_amount(
            written,
            cell.segment,
            rule=rule,
            about=(model, token_class, str(band.number), cell.segment.from_at.isoformat()),
            amount=band.base,
            share_percent=band.share_percent,
            model=model,
            token_class=token_class,
        )


def _name(row_key: tuple[str, str]) -> str:
    return line_key(CARRY_TIER, *row_key)
