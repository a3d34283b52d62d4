"""The minimum guarantee of a share: what is owed at least per span, and what becomes of what the share falls short.

The amount is entitled by the second and only for time in which the provider delivered. It is tested where a span ends,
at the end of the billing period in which that is; a span that goes on hands on what it has come to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from billing.rating.availability import MeasuredAvailability
from billing.rating.inputs import RatingWindow, TermInput, facts_of
from billing.rating.share_lines import Written, write_amount, write_over
from billing.rating.share_time import Segment, Span
from billing.rating.share_words import Shortfall

RULE_SHORTFALL = "share_guarantee_shortfall"
RULE_RECOUPED = "share_guarantee_recouped"
CARRY_ENTITLED = "guarantee_entitled_amount"
CARRY_OWED = "guarantee_owed_amount"
CARRY_RECOUPABLE = "recoupable_amount"
CARRY_SHORTFALL = "shortfall_amount"


@dataclass(slots=True)
class GuaranteeTest:
    """One span's test: what was guaranteed, what the share came to, and what followed. Amounts are exact."""

    span: Span
    shortfall: Shortfall
    segments: list[Segment] = field(default_factory=list)
    entitled: Fraction = Fraction(0)
    owed: Fraction = Fraction(0)
    is_over: bool = False
    missing: Fraction = Fraction(0)
    recouped: Fraction = Fraction(0)

    @property
    def about(self) -> str:
        """What the rows of the test are about."""
        return self.span.from_at.isoformat()


def apply_guarantee(
    written: Written, term: TermInput, window: RatingWindow, parts: Sequence[Segment], owed: Mapping[int, Fraction]
) -> tuple[dict[int, Fraction], list[GuaranteeTest]]:
    """Test the guarantee of every span that is over; return what it adds by segment number, and the tests.

    What falls short is owed, recoupable or carried as the wording says; at the term's end what is carried is owed.
    """
    added: dict[int, Fraction] = {}
    balance, short = Fraction(term.carried(CARRY_RECOUPABLE)), Fraction(term.carried(CARRY_SHORTFALL))
    ends = term.to_at is not None and term.to_at <= window.to_at
    tests = _spans(term, window, parts, owed)
    for test in tests:
        last = test.segments[-1]
        test.is_over = window.is_whole and (test.span.to_at <= window.to_at or ends or last is not parts[-1])
        if not test.is_over:
            continue
        difference = test.entitled + short - test.owed
        short, test.missing = Fraction(0), max(Fraction(0), difference)
        if test.shortfall is Shortfall.CARRIED and not ends:
            short = test.missing
        else:
            entitled = {part.number: _entitled(term, part, test.span) for part in test.segments}
            added[last.number] = _write(written, test, entitled, RULE_SHORTFALL, test.missing)
            if test.shortfall is Shortfall.OWED_RECOUPABLE:
                balance += test.missing
        test.recouped = min(balance, max(Fraction(0), -difference))
        balance -= test.recouped
        recouped = _write(written, test, owed, RULE_RECOUPED, -test.recouped)
        added[last.number] = added.get(last.number, Fraction(0)) + recouped
    if window.is_whole and ends and short:
        # The guarantee that it was carried to is no more agreed; the shortfall still is.
        added[parts[-1].number] = added.get(parts[-1].number, Fraction(0)) + write_amount(
            written, parts[-1], rule=RULE_SHORTFALL, about=(CARRY_SHORTFALL,), amount=short
        )
    if window.is_whole and not ends:
        open_test = next((test for test in tests if not test.is_over), None)
        written.carry(CARRY_ENTITLED, open_test.entitled if open_test else Decimal(0))
        written.carry(CARRY_OWED, open_test.owed if open_test else Decimal(0))
        written.carry(CARRY_RECOUPABLE, balance)
        written.carry(CARRY_SHORTFALL, short)
    return added, tests


def availability(term: TermInput) -> Fraction:
    """Return the part of what was held in the window that could be used, by the meter; all of it where nothing was."""
    facts = facts_of(term.facts, MeasuredAvailability)
    held, lost = sum(fact.held_gpu_ms for fact in facts), sum(fact.lost_gpu_ms for fact in facts)
    return MeasuredAvailability(held_gpu_ms=held, lost_gpu_ms=lost).fraction


def _spans(
    term: TermInput, window: RatingWindow, parts: Sequence[Segment], owed: Mapping[int, Fraction]
) -> list[GuaranteeTest]:
    tests: list[GuaranteeTest] = []
    for part in parts:
        guarantee = part.wording.guarantee
        if guarantee is None:
            continue
        span = part.span(guarantee.span)
        if not tests or tests[-1].span != span:
            tests.append(GuaranteeTest(span, guarantee.shortfall))
        test = tests[-1]
        test.shortfall = guarantee.shortfall
        test.segments.append(part)
        test.entitled += _entitled(term, part, span)
        test.owed += owed.get(part.number, Fraction(0))
    entitled, before = Fraction(term.carried(CARRY_ENTITLED)), Fraction(term.carried(CARRY_OWED))
    if tests and tests[0].span.from_at < window.from_at:
        tests[0].entitled += entitled
        tests[0].owed += before
    elif entitled:
        # The guarantee was amended away inside its span: what it came to until then is tested as it stands.
        ended = Span(window.from_at, window.from_at)
        tests.insert(0, GuaranteeTest(ended, Shortfall.OWED, [parts[0]], entitled, before))
    return tests


def _entitled(term: TermInput, part: Segment, span: Span) -> Fraction:
    guarantee = part.wording.guarantee
    if guarantee is None:
        # It was amended away: only what it came to before is tested.
        return Fraction(0)
    factor = availability(term) if guarantee.prorated_by_availability else Fraction(1)
    return Fraction(guarantee.amount_per_span) * Fraction(part.seconds, span.seconds) * factor


def _write(
    written: Written, test: GuaranteeTest, weights: Mapping[int, Fraction], rule: str, amount: Fraction
) -> Fraction:
    return write_over(written, test.segments, weights, rule=rule, about=test.about, amount=amount)
