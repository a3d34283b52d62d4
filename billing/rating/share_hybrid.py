"""A hybrid: base rent beside a share that is owed above a breakpoint, or that the rent is credited against."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from billing.rating.share_base import Cell
from billing.rating.share_lines import Written, shared_out, write_amount, write_rent
from billing.rating.share_time import Segment, undivided
from billing.rating.share_words import Breakpoint, ShareHybrid

RULE_RENT = "share_base_rent"
RULE_NATURAL = "share_below_natural_breakpoint"
RULE_AGREED = "share_below_agreed_breakpoint"
RULE_CREDITED = "share_rent_credited"


def add_rent(
    written: Written, parts: Sequence[Segment], cells: Sequence[Cell], shares: Mapping[int, Fraction]
) -> dict[int, Fraction]:
    """Write rent and what it takes off the share; return what is owed by segment number.

    Segments whose hybrid works alike are tested together, so that an amendment of something else changes nothing.
    """
    owed = {part.number: shares.get(part.number, Fraction(0)) for part in parts}
    alike: dict[tuple[str, bool], list[tuple[Segment, ShareHybrid]]] = {}
    for part in parts:
        hybrid = part.wording.hybrid
        if hybrid is not None:
            alike.setdefault((hybrid.breakpoint.value, hybrid.rent_credited), []).append((part, hybrid))
    for same in alike.values():
        rents = {
            part.number: write_rent(
                written, part, hybrid.rent_amount_per_span, part.span(hybrid.span).seconds, RULE_RENT
            )
            for part, hybrid in same
        }
        share = sum((owed[part.number] for part, _ in same), Fraction(0))
        numbers = set(rents)
        base = sum((cell.base for cell in cells if cell.segment.number in numbers), Fraction(0))
        kept = share - _taken_off(written, same, owed, base, sum(rents.values(), Fraction(0)))
        for number, rent in rents.items():
            owed[number] = rent + (owed[number] * kept / share if share else Fraction(0))
    return owed


def _taken_off(
    written: Written,
    same: Sequence[tuple[Segment, ShareHybrid]],
    shares: Mapping[int, Fraction],
    base: Fraction,
    rent: Fraction,
) -> Fraction:
    hybrid, share = same[0][1], sum((shares[part.number] for part, _ in same), Fraction(0))
    below = Fraction(0)
    if hybrid.breakpoint is Breakpoint.NATURAL:
        below = min(share, rent)
    if hybrid.breakpoint is Breakpoint.AGREED and base:
        below = share * min(base, _breakpoint(same)) / base
    credited = min(share - below, rent) if hybrid.rent_credited else Fraction(0)
    rule = RULE_NATURAL if hybrid.breakpoint is Breakpoint.NATURAL else RULE_AGREED
    for name, amount in ((rule, below), (RULE_CREDITED, credited)):
        _write(written, [part for part, _ in same], shares, name, -amount)
    return below + credited


def _write(
    written: Written, same: Sequence[Segment], shares: Mapping[int, Fraction], rule: str, amount: Fraction
) -> None:
    """Write what is taken off the shares of segments in proportion to them."""
    runs = undivided(same)
    weights = [sum((shares[part.number] for part in run), Fraction(0)) for run in runs]
    for run, part in zip(runs, shared_out(amount, weights), strict=True):
        first, last = run[0], run[-1]
        write_amount(written, first, rule=rule, about=(first.from_at.isoformat(),), amount=part, to_at=last.to_at)


def _breakpoint(same: Sequence[tuple[Segment, ShareHybrid]]) -> Fraction:
    """Return the agreed breakpoint, prorated by the seconds of each segment in its span."""
    total = Fraction(0)
    for part, hybrid in same:
        assert hybrid.breakpoint_base_amount_per_span is not None
        amount = Fraction(hybrid.breakpoint_base_amount_per_span)
        total += amount * Fraction(part.seconds, part.span(hybrid.span).seconds)
    return total
