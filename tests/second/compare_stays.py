"""Three months of a lease, spot sessions and a ladder through both."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from billing.basis import PeriodBasis, rate
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput
from billing.rating.kinds import read_any_wording, read_fact
from billing.rating.lease_wording import NextPeriod
from billing.rating.on_demand import TakenBack
from billing.rating.wording import Stretch
from clusters.occupancy import Hold
from tests.second.stays import following, owed_by_month

if TYPE_CHECKING:
    from datetime import datetime

    from billing.rating.rated import Rated
    from tests.second.given import Document, GivenHold
    from tests.second.given_stays import GivenStay

ROUNDED: Final = Fraction(1, 10**14)
"""What amounts lose that are rounded as charges are: those in advance, and credits."""


def differences(stay: GivenStay) -> list[str]:
    """Return in which months which terms do not come to the same."""
    found = []
    before: Rated | None = None
    for number, second in enumerate(owed_by_month(stay)):
        before = rate(_basis(stay, number, before))
        totals: dict[str, Fraction] = defaultdict(Fraction)
        for line in before.lines:
            totals[line.term_ref] += line.exact
        for ref, amount in second.items():
            if abs(totals[ref] - amount) > ROUNDED:
                found.append(f"month {number}, {ref}: {float(totals[ref])} and {float(amount)}")
    return found


def _basis(stay: GivenStay, number: int, before: Rated | None) -> PeriodBasis:
    start, end = stay.edges[number : number + 2]
    window = RatingWindow("USD", stay.zone, start, end, end)
    lease_end = min(end, stay.ends or end)
    terms = []
    if max(start, stay.begins) < lease_end:
        carried: list[Fact] = [
            Carried(name=each.name, value=each.value)
            for each in (before.carries if before else ())
            if each.term_ref == "L-1"
        ]
        held = _holds(stay.holds, end)
        lease = _term("L-1", stay.lease, (max(start, stay.begins), lease_end), held, [*carried, _next(stay, number)])
        terms.append(replace(lease, from_at=stay.begins, to_at=stay.ends))
        outages = [read_fact(each) for each in stay.outages]
        terms.append(_term("A-1", stay.ladder, (start, end), held, outages))
    taken: list[Fact] = [_taken(stay, session) for session in stay.sessions if session.slice_ref in stay.taken]
    terms.append(_term("SP-1", stay.spot, (start, end), _holds(stay.sessions, end), taken))
    return PeriodBasis("C-1", 1, window, tuple(terms))


def _term(
    ref: str, document: Document, span: tuple[datetime, datetime], holds: tuple[Hold, ...], facts: list[Fact]
) -> TermInput:
    stretch = Stretch(1, *span, read_any_wording(document))
    return TermInput(ref, "", span[0], None, (stretch,), holds, (), tuple(facts))


def _holds(given: list[GivenHold], known_at: datetime) -> tuple[Hold, ...]:
    """What was held as it is known at an instant, also what begins just then, for the next period in advance."""
    return tuple(
        Hold(
            each.slice_ref,
            each.share_permille,
            each.from_at,
            each.to_at if each.to_at <= known_at else None,
            each.card_ref,
            each.accelerator_model,
        )
        for each in given
        if each.from_at <= known_at
    )


def _next(stay: GivenStay, number: int) -> NextPeriod:
    start, end = following(stay, number)
    return NextPeriod(from_at=start, to_at=end, whole_seconds=int((end - start).total_seconds()))


def _taken(stay: GivenStay, session: GivenHold) -> TakenBack:
    notice_s = stay.taken[session.slice_ref]
    noticed_at = None if notice_s is None else session.to_at - timedelta(seconds=notice_s)
    return TakenBack(slice_ref=session.slice_ref, taken_at=session.to_at, noticed_at=noticed_at)
