"""The most that a share owes per span: what is above it is taken off as soon as it is reached."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.share_lines import Written, write_over
from billing.rating.share_time import Segment, Span
from billing.rating.share_words import ShareCap
from clusters.occupancy import unix_second

RULE_CAP = "share_cap"
CARRY_ALLOWED = "cap_allowed_amount"
CARRY_OWED = "cap_owed_amount"


def take_above_cap(
    written: Written, term: TermInput, window: RatingWindow, parts: Sequence[Segment], owed: Mapping[int, Fraction]
) -> None:
    """Write what is owed above the cap of each span as taken off; never more than the window itself owes.

    A span's cap is prorated by the seconds in which the term covers it. For time that is still to come the cap of the
    last wording counts.
    """
    spans: dict[tuple[Span, str], list[tuple[Segment, ShareCap]]] = {}
    for part in parts:
        cap = part.wording.cap
        if cap is not None:
            spans.setdefault((part.span(cap.span), cap.span.value), []).append((part, cap))
    for (span, _), same in spans.items():
        runs_on = span.from_at < window.from_at
        before = Fraction(term.carried(CARRY_OWED)) if runs_on else Fraction(0)
        elapsed = Fraction(term.carried(CARRY_ALLOWED)) if runs_on else Fraction(0)
        for part, cap in same:
            elapsed += Fraction(cap.amount_per_span) * Fraction(part.seconds, span.seconds)
        last, cap = same[-1]
        allowed = elapsed
        if last is parts[-1]:
            allowed += Fraction(cap.amount_per_span) * Fraction(_seconds_to_come(term, last, span), span.seconds)
        now = sum((owed.get(part.number, Fraction(0)) for part, _ in same), Fraction(0))
        above = min(max(Fraction(0), now), max(Fraction(0), before + now - allowed))
        reached = _reached({part.number: owed.get(part.number, Fraction(0)) for part, _ in same}, above)
        about = span.from_at.isoformat()
        write_over(written, [part for part, _ in same], reached, rule=RULE_CAP, about=about, amount=-above)
        ends = term.to_at is not None and term.to_at <= window.to_at
        if window.is_whole and last is parts[-1] and span.to_at > window.to_at and not ends:
            written.carry(CARRY_OWED, before + now - above)
            written.carry(CARRY_ALLOWED, elapsed)


def _reached(owed: Mapping[int, Fraction], above: Fraction) -> dict[int, Fraction]:
    """Return of what each segment owed how much was above the cap: of the latest first."""
    found: dict[int, Fraction] = {}
    for number in sorted(owed, reverse=True):
        found[number] = min(above, max(Fraction(0), owed[number]))
        above -= found[number]
    return found


def _seconds_to_come(term: TermInput, last: Segment, span: Span) -> int:
    end = span.to_at if term.to_at is None else min(span.to_at, term.to_at)
    return max(0, unix_second(end) - unix_second(last.to_at))
