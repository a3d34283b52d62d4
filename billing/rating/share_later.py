"""What a share owes for earlier periods, and what is held back of this one.

Statements that come or change after their period closed are trued up at the average share of that period. An audit's
difference is owed, and its cost where the difference is above the agreed tolerance. A reserve is held for some days
after a period's end and released in the period that its last day lies in, also where both end together; the last
period of a term holds nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from billing.rating.inputs import RatingWindow, TermInput, facts_of
from billing.rating.rated import line_key
from billing.rating.share_base import (
    CARRY_SECONDS,
    CARRY_STATED,
    CARRY_STATED_SHARE,
    Cell,
    by_instant,
    seconds_of,
    stated_before,
    statement_of,
)
from billing.rating.share_facts import AuditFinding, CertifiedRevenue
from billing.rating.share_lines import Written, shared_out, write_amount
from billing.rating.share_time import Segment, undivided
from billing.rating.share_words import ShareBase

RULE_TRUE_UP = "share_true_up"
RULE_AUDIT = "share_audit_difference"
RULE_AUDIT_COST = "share_audit_cost"
RULE_HELD = "share_reserve_held"
RULE_RELEASED = "share_reserve_released"
CARRY_RESERVE = "reserve_amount"
STATED_PERIODS_MAX = 12
"""For how many periods a statement can still come or be corrected."""


def true_up(
    written: Written,
    term: TermInput,
    window: RatingWindow,
    parts: Sequence[Segment],
    *,
    cells: Sequence[Cell],
    share: Fraction,
) -> None:
    """Write the difference that statements of earlier periods make, and hand on the bases that may still change.

    `share` is what the certified cells came to: it over their base is the average share at which they are trued up.
    """
    before, percents = by_instant(term, CARRY_STATED), by_instant(term, CARRY_STATED_SHARE)
    bases, seconds = stated_before(term, window)
    stated = {fact.from_at: fact for fact in facts_of(term.facts, CertifiedRevenue)}
    for at in sorted(set(percents) & set(stated)):
        fact = stated[at]
        difference = Fraction(fact.net_revenue_amount) - before.get(at, Fraction(0))
        write_amount(
            written,
            parts[0],
            rule=RULE_TRUE_UP,
            about=(at.isoformat(),),
            amount=difference * percents[at] / 100,
            from_at=fact.from_at,
            to_at=fact.to_at,
        )
    if not window.is_whole:
        return
    mine = [cell for cell in cells if cell.segment.wording.base is ShareBase.CERTIFIED_REVENUE]
    if mine or any(part.wording.base is ShareBase.CERTIFIED_REVENUE for part in parts):
        base = sum((cell.base for cell in mine), Fraction(0))
        bases[window.from_at], percents[window.from_at] = base, 100 * share / base if base else _first_percent(parts)
        own = statement_of(term, window)
        if own is not None:
            seconds[window.from_at] = seconds_of(own)
    # A period whose share came to nothing is one of them: what was stated for it still counts for estimates.
    for at in sorted({*bases, *percents, *seconds})[-STATED_PERIODS_MAX:]:
        written.carry(line_key(CARRY_STATED, at.isoformat()), bases.get(at, Fraction(0)))
        written.carry(line_key(CARRY_STATED_SHARE, at.isoformat()), percents.get(at, Fraction(0)))
        written.carry(line_key(CARRY_SECONDS, at.isoformat()), seconds.get(at, Fraction(0)))


def settle_audits(written: Written, term: TermInput, window: RatingWindow, parts: Sequence[Segment]) -> None:
    """Write what audits found in this window: the difference, and the cost where too much was left out."""
    for fact in facts_of(term.facts, AuditFinding):
        if not window.from_at <= fact.found_at < window.to_at:
            continue
        found, reported = Fraction(fact.found_share_amount), Fraction(fact.reported_share_amount)
        part = next((part for part in parts if part.from_at <= fact.found_at < part.to_at), parts[-1])
        about = (fact.audit,)
        write_amount(
            written,
            part,
            rule=RULE_AUDIT,
            about=about,
            amount=found - reported,
            from_at=fact.from_at,
            to_at=fact.to_at,
        )
        if 100 * (found - reported) > Fraction(part.wording.audit_tolerance_percent) * found:
            write_amount(
                written,
                part,
                rule=RULE_AUDIT_COST,
                about=about,
                amount=Fraction(fact.cost_amount),
                from_at=fact.from_at,
                to_at=fact.to_at,
            )


def hold_reserve(written: Written, term: TermInput, window: RatingWindow, parts: Sequence[Segment]) -> None:
    """Hold a part of what is owed by all rows so far, and release what was held long enough."""
    reserve = parts[-1].wording.reserve
    runs = undivided(parts)
    by_part = [] if reserve is None else _owed_by_part(written, runs)
    owed = written.owed if reserve is not None and window.is_whole else Fraction(0)
    ends = term.to_at is not None and term.to_at <= window.period_to_at
    kept: dict[datetime, Fraction] = {}
    for at, amount in sorted(by_instant(term, CARRY_RESERVE).items()):
        if at <= window.to_at or (ends and window.is_whole):
            part = next((run[-1] for run in runs if at < run[-1].to_at), parts[-1])
            write_amount(written, part, rule=RULE_RELEASED, about=(at.isoformat(),), amount=amount)
        else:
            kept[at] = amount
    if reserve is not None and not ends and owed > 0:
        held = owed * Fraction(reserve.percent) / 100
        release_at = window.period_to_at + timedelta(days=reserve.held_days)
        held = -_hold(written, runs, by_part, release_at, held)
        # Held for a shorter time since an amendment, two periods' reserves may be released at one instant.
        kept[release_at] = kept.get(release_at, Fraction(0)) + held
    if window.is_whole:
        for at, amount in sorted(kept.items()):
            written.carry(line_key(CARRY_RESERVE, at.isoformat()), amount)


def _owed_by_part(written: Written, runs: Sequence[Sequence[Segment]]) -> list[Fraction]:
    """Return what is owed by the rows so far of each run of segments: of the first what began before it, too."""
    ends = [run[-1].to_at for run in runs[:-1]]
    found = [Fraction(0)] * len(runs)
    for line in written.lines:
        found[bisect_right(ends, line.from_at)] += line.exact
    return [max(Fraction(0), amount) for amount in found]


def _hold(
    written: Written,
    runs: Sequence[Sequence[Segment]],
    owed: Sequence[Fraction],
    release_at: datetime,
    amount: Fraction,
) -> Fraction:
    """Hold an amount back, of each run its part; a single run has the row that there always was."""
    rows = []
    for run, part in zip(runs, shared_out(-amount, owed), strict=True):
        about = (release_at.isoformat(), *([run[0].from_at.isoformat()] if run is not runs[-1] else []))
        rows.append(write_amount(written, run[-1], rule=RULE_HELD, about=about, amount=part))
    return sum(rows, Fraction(0))


def _first_percent(parts: Sequence[Segment]) -> Fraction:
    """Return the share that a first unit of base would have had, for a period that had none."""
    everything = parts[-1].table.everything
    percent = everything.tiers[0].share_percent if everything.tiers else everything.share_percent
    return Fraction(percent or Decimal(0))
