"""Credits for measured availability: a policy of billing, never a change of usage.

Availability is what the held slices could be used of the time they were held, by the meter's own record: 1 less the
GPU-seconds lost to outages of the provider's causes, over the GPU-seconds held. The ladder's step is the lowest bound
that it is below; the credit is that percentage of what the terms in scope came to in the period, as a row of its own.
It is known at a period's end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import msgspec

from billing.rating.held_time import About, amount_line, at_fault
from billing.rating.inputs import Fact, RatingWindow, TermInput
from billing.rating.rated import Rated, RatedLine, TermKind
from billing.rating.wording import Wording, WrongWording
from billing.rating.wording_fields import check_percent
from clusters.occupancy import Hold, clip, unix_second
from tenants.sentences import sentence

RULE_CREDIT = "availability_credit"
TIME_KINDS = (TermKind.LEASE, TermKind.ON_DEMAND, TermKind.SPOT)
NOT_CREDITED = (
    "lease_deposit_taken",
    "lease_deposit_returned",
    "lease_in_advance",
    "lease_paid_in_advance",
    "debit_correction",
    "debit_late_fee",
)
"""Rows that move money between periods or hold it, and debits: they are no price of what the period measured."""
WHOLE = Fraction(1)


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Below `below_percent` of availability a credit of `credit_percent`."""

    below_percent: Decimal
    credit_percent: Decimal


class AvailabilityWording(Wording, frozen=True, kw_only=True, tag="availability"):
    """A ladder of credits. `refs` are the terms it is for (none named: all that bill time).

    `causes` are the causes of outages that count as the provider's.
    """

    ladder: tuple[Step, ...]
    causes: tuple[str, ...] = ("node_silent", "card_lost", "card_faulty")
    refs: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `WrongWording` unless the ladder falls and its credits rise."""
        example = sentence("below 99.9 a credit of 10, below 99 of 25, below 95 of 100")
        if not self.ladder:
            raise WrongWording("ladder", sentence("has no step."), example)
        if not self.causes:
            raise WrongWording("causes", sentence("names no cause, so that nothing counts."), "node_silent, card_lost")
        for place, step in enumerate(self.ladder):
            check_percent(f"ladder[{place}].below_percent", step.below_percent, "99.9")
            check_percent(f"ladder[{place}].credit_percent", step.credit_percent, "10")
        for place, (upper, lower) in enumerate(zip(self.ladder, self.ladder[1:], strict=False), 1):
            if lower.below_percent >= upper.below_percent:
                raise WrongWording(
                    f"ladder[{place}].below_percent", sentence("must be less than the step before."), example
                )
            if lower.credit_percent < upper.credit_percent:
                raise WrongWording(
                    f"ladder[{place}].credit_percent", sentence("must not be less than the step before."), example
                )


class MeasuredAvailability(Fact, frozen=True, kw_only=True, tag="measured_availability"):
    """What was held of some slices over a window, and what of it was lost, in GPU-milliseconds.

    A guarantee is prorated by it: `guarantee * (held - lost) / held`.
    """

    held_gpu_ms: int
    lost_gpu_ms: int

    @property
    def fraction(self) -> Fraction:
        """The part that could be used; all of it where nothing was held."""
        return Fraction(self.held_gpu_ms - self.lost_gpu_ms, self.held_gpu_ms) if self.held_gpu_ms else WHOLE


@dataclass(frozen=True, slots=True)
class _Scope:
    refs: tuple[str, ...]

    def has(self, line: RatedLine) -> bool:
        if line.term_kind not in TIME_KINDS or line.rule in NOT_CREDITED:
            return False
        return not self.refs or line.term_ref in self.refs


def measure(term: TermInput, causes: Sequence[str], window: RatingWindow) -> MeasuredAvailability:
    """Return the availability of a term's holds in a window by its outages."""
    until = unix_second(window.to_at)
    lost = at_fault(term, term.holds, causes, until)
    return MeasuredAvailability(held_gpu_ms=_gpu_ms(term.holds, window), lost_gpu_ms=_gpu_ms(lost, window))


def credit_percent(ladder: Sequence[Step], available: Fraction) -> Decimal:
    """Return the percentage that the ladder gives for an availability, 0 above its first step."""
    steps = [step.credit_percent for step in ladder if available * 100 < Fraction(step.below_percent)]
    return steps[-1] if steps else Decimal(0)


def adjust_availability(term: TermInput, window: RatingWindow, lines: Sequence[RatedLine]) -> Rated:
    """Credit the terms in scope for the period's measured availability: a row per term, at the period's end only.

    Holds and outages of the term are those of all terms in scope. An amended ladder credits what lies in its own
    stretch, by the availability of the whole period.
    """
    if not window.is_whole:
        return Rated()
    credited: list[RatedLine] = []
    for place, stretch in enumerate(term.stretches):
        wording: AvailabilityWording = stretch.wording
        percent = credit_percent(wording.ladder, measure(term, wording.causes, window).fraction)
        scope = _Scope(wording.refs)
        starts = stretch.from_at if place else window.from_at
        later = term.stretches[place + 1].from_at if place + 1 < len(term.stretches) else window.period_to_at
        inside = [line for line in lines if scope.has(line) and starts <= line.from_at < later]
        about = About(TermKind.AVAILABILITY, term.ref, stretch.contract_version)
        for ref in sorted({line.term_ref for line in inside}):
            owed = sum((line.exact for line in inside if line.term_ref == ref), Fraction(0))
            credit = owed * Fraction(percent) / 100
            if credit > 0:
                span = (max(starts, window.from_at), min(later, window.to_at))
                line = amount_line(about, RULE_CREDIT, credit, span, sign=-1, key=ref)
                credited.append(msgspec.structs.replace(line, about_ref=ref))
    return Rated(tuple(credited))


def _gpu_ms(holds: Sequence[Hold], window: RatingWindow) -> int:
    total = 0
    for hold in holds:
        span = clip(hold, window.from_at, window.to_at)
        if span is not None:
            total += (span[1] - span[0]) * hold.share_permille
    return total
