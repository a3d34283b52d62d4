"""The revenue base of a share: what the shared tokens are worth, less percentages, or what the tenant has certified.

It is kept in cells: a row of the share table in a segment. Certified revenue is one amount for the period, and is
spread over the cells as their metered worth is, or by time where nothing was metered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.money import exact_sum
from billing.rating.inputs import Carried, RatingWindow, TermInput, facts_of
from billing.rating.share_facts import CertifiedRevenue
from billing.rating.share_lines import EXCLUDED, Written, percent_on_tokens, write_amount
from billing.rating.share_pieces import Piece
from billing.rating.share_time import Segment
from billing.rating.share_words import ExclusionRule, LateEstimate, ShareBase, ShareOf
from clusters.occupancy import unix_second

RULE_CERTIFIED = "share_certified_difference"
RULE_ESTIMATED = "share_estimated_difference"
CARRY_STATED = "stated_base_amount"
CARRY_STATED_SHARE = "stated_share_percent"
CARRY_SECONDS = "stated_seconds"
HISTORY_STATEMENTS = 3
"""How many earlier statements the estimate of a late one is the mean of, by time."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The base of one row of the share table in one segment: `metered` by the tokens, `base` as it is shared."""

    segment: Segment
    row: ShareOf
    metered: Fraction
    base: Fraction

    @property
    def row_key(self) -> tuple[str, str]:
        """Which row it is of: model and class, "" for all of them."""
        return (self.row.model, self.row.token_class or "")


@dataclass(frozen=True, slots=True)
class StatementCheck:
    """A certified amount beside list x metered tokens, less exclusions; `percent` of the larger of the two."""

    certified: Fraction
    metered: Fraction
    tolerance_percent: Decimal

    @property
    def difference(self) -> Fraction:
        """What was certified less than was metered; negative where it is more."""
        return self.metered - self.certified

    @property
    def percent(self) -> Fraction:
        """The size of the difference in percent, 0 where there was nothing."""
        larger = max(self.certified, self.metered)
        return 100 * abs(self.difference) / larger if larger else Fraction(0)

    @property
    def is_within(self) -> bool:
        """Whether the difference is within the contract's audit tolerance."""
        return self.percent <= self.tolerance_percent


def metered_cells(written: Written, parts: Sequence[Segment], pieces: Iterable[Piece]) -> list[Cell]:
    """Return the cells of the shared tokens; write the rows of taxes and fees that they contain."""
    worth: dict[tuple[int, str, str], list[Decimal]] = {}
    cell_of: dict[tuple[int, str, str], tuple[int, str, str]] = {}
    shares: dict[tuple[int, str, str], ShareOf] = {}
    percents: dict[tuple[int, str, str], Decimal] = {}
    for piece in pieces:
        if piece.rule and not piece.added:
            continue
        about = (piece.segment, piece.model, piece.token_class)
        if about not in cell_of:
            segment = parts[piece.segment]
            row = segment.table.row_of(piece.model, piece.token_class)
            key = cell_of[about] = (segment.number, row.model, row.token_class or "")
            shares[key] = row
            percents[key] = percent_on_tokens(segment, piece.model, piece.token_class)
        worth.setdefault(cell_of[about], []).append(piece.amount)
    cells = []
    for key in sorted(worth):
        segment = parts[key[0]]
        whole = Fraction(exact_sum(worth[key]))
        left = whole - _percentages(written, segment, shares[key], whole, percents[key])
        cells.append(Cell(segment, shares[key], left, left))
    return cells


def certify(
    written: Written, term: TermInput, window: RatingWindow, parts: Sequence[Segment], cells: Sequence[Cell]
) -> list[Cell]:
    """Put what the tenant certified in place of what was metered, where the contract says so; else change nothing.

    Until a statement is there the metered worth stands for it, and at the period's end the agreed estimate.
    """
    stated = [part for part in parts if part.wording.base is ShareBase.CERTIFIED_REVENUE]
    if not stated:
        return list(cells)
    fact = statement_of(term, window)
    if fact is not None:
        return _spread(written, stated, cells, Fraction(fact.net_revenue_amount), RULE_CERTIFIED)
    late = stated[-1].wording.statements
    amount = _history(term, window, stated) if late and late.late_estimate is LateEstimate.HISTORY else None
    if amount is None or not window.is_whole:
        return list(cells)
    return _spread(written, stated, cells, amount, RULE_ESTIMATED)


def statement_of(term: TermInput, window: RatingWindow) -> CertifiedRevenue | None:
    """Return the certified statement of a window's own time, the last one of several."""
    facts = [fact for fact in facts_of(term.facts, CertifiedRevenue) if window.from_at <= fact.from_at < window.to_at]
    return facts[-1] if facts else None


def check_statement(cells: Iterable[Cell], certified: Decimal, tolerance_percent: Decimal) -> StatementCheck:
    """Return a certified amount beside what the cells' tokens are worth."""
    metered = sum((cell.metered for cell in cells), Fraction(0))
    return StatementCheck(Fraction(certified), metered, tolerance_percent)


def _percentages(written: Written, segment: Segment, row: ShareOf, worth: Fraction, percent: Decimal) -> Fraction:
    """Write what taxes and fees take of an amount, taxes first, and return it."""
    taken = Fraction(0)
    found = {exclusion.rule: exclusion.percent for exclusion in segment.wording.exclusions}
    for rule in (ExclusionRule.TAXES, ExclusionRule.GATEWAY_FEES):
        rate = found.get(rule)
        if rate is None:
            continue
        of = 100 + Fraction(rate) if rule is ExclusionRule.TAXES else Fraction(100)
        amount = (worth - taken) * Fraction(rate) / of
        about = (row.model, row.token_class or "", segment.from_at.isoformat())
        write_amount(
            written,
            segment,
            rule=EXCLUDED + rule.value,
            about=about,
            amount=-amount,
            share_percent=percent,
            model=row.model,
            token_class=row.token_class or "",
        )
        taken += amount
    return taken


def _spread(
    written: Written, stated: Sequence[Segment], cells: Sequence[Cell], amount: Fraction, rule: str
) -> list[Cell]:
    numbers = {part.number for part in stated}
    rest = [cell for cell in cells if cell.segment.number not in numbers]
    mine = [cell for cell in cells if cell.segment.number in numbers]
    metered = sum((cell.metered for cell in mine), Fraction(0))
    if metered:
        mine = [replace(cell, base=amount * cell.metered / metered) for cell in mine]
    else:
        seconds = sum(part.seconds for part in stated)
        mine = [
            Cell(part, part.table.everything, Fraction(0), amount * Fraction(part.seconds, seconds)) for part in stated
        ]
    write_amount(
        written,
        stated[0],
        rule=rule,
        about=(stated[0].from_at.isoformat(),),
        amount=amount - metered,
        share_percent=Decimal(0),
        to_at=stated[-1].to_at,
    )
    return sorted([*rest, *mine], key=lambda cell: (cell.segment.number, cell.row_key))


def _history(term: TermInput, window: RatingWindow, stated: Sequence[Segment]) -> Fraction | None:
    """Return the mean of the last statements by time, for the seconds stated now; None without any."""
    bases, seconds = stated_before(term, window)
    last = sorted(seconds)[-HISTORY_STATEMENTS:]
    if not last:
        return None
    total = sum((bases.get(at, Fraction(0)) for at in last), Fraction(0))
    return total * sum(part.seconds for part in stated) / sum(seconds[at] for at in last)


def stated_before(term: TermInput, window: RatingWindow) -> tuple[dict[datetime, Fraction], dict[datetime, Fraction]]:
    """Return the bases of earlier periods and the seconds of those that were stated, by where a period begins.

    Statements that came or were corrected since their period closed are in.
    """
    bases, seconds = by_instant(term, CARRY_STATED), by_instant(term, CARRY_SECONDS)
    kept = {*bases, *seconds, *by_instant(term, CARRY_STATED_SHARE)}
    for fact in facts_of(term.facts, CertifiedRevenue):
        if fact.from_at in kept and fact.from_at < window.from_at:
            bases[fact.from_at], seconds[fact.from_at] = Fraction(fact.net_revenue_amount), seconds_of(fact)
    return bases, seconds


def seconds_of(fact: CertifiedRevenue) -> Fraction:
    """Return how many seconds a statement is of."""
    return Fraction(unix_second(fact.to_at) - unix_second(fact.from_at))


def by_instant(term: TermInput, name: str) -> dict[datetime, Fraction]:
    """Return what was carried by a name and an instant."""
    return {
        datetime.fromisoformat(fact.name.removeprefix(f"{name}|")): Fraction(fact.value)
        for fact in facts_of(term.facts, Carried)
        if fact.name.startswith(f"{name}|")
    }
