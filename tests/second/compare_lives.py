"""One share through both, period after period: the engine with its carries, the other by walking through its life."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from billing.rating.availability import MeasuredAvailability
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used
from billing.rating.kinds import read_any_wording
from billing.rating.share_facts import CertifiedRevenue, RefundedCounts, WitnessCounts
from billing.rating.share_rating import rate_share
from billing.rating.wording import Stretch
from tests.second.given_lives import HOUR
from tests.second.lives import owed_by_period

if TYPE_CHECKING:
    from tests.second.given_lives import GivenLife, GivenTokens

ROUNDED: Final = Fraction(1, 10**14)
"""What carries and amounts lose that are rounded as charges are, over a dozen periods."""


def differences(life: GivenLife) -> list[str]:
    """Return in which periods the two do not agree."""
    found = []
    carried: tuple[Fact, ...] = ()
    for number, second in enumerate(owed_by_period(life)):
        window, term = _input(life, number, carried)
        rated = rate_share(term, window)
        carried = tuple(Carried(name=carry.name, value=carry.value) for carry in rated.carries)
        if abs(rated.exact_total - second) > ROUNDED:
            found.append(f"period {number}: {float(rated.exact_total)} and {float(second)}")
    return found


def _input(life: GivenLife, number: int, carried: tuple[Fact, ...]) -> tuple[RatingWindow, TermInput]:
    start, end = life.periods[number]
    prices = {("sample", TokenClass.OUTPUT): Decimal(1)}
    window = RatingWindow("USD", "UTC", start, end, end, (PriceVersion("v1", life.begins, prices),))
    starts = [at for at, _ in life.wordings]
    stretches = tuple(
        Stretch(place, max(start, at), min(end, until), read_any_wording(document))
        for place, ((at, document), until) in enumerate(zip(life.wordings, [*starts[1:], end], strict=True), 1)
        if max(start, at) < min(end, until)
    )
    uses = [use for use in life.uses if start <= use.at < end]
    usage = tuple(Used(u.deployment, "sample", "output", "A", u.at, u.at + HOUR, u.tokens) for u in uses)
    facts = [*carried, *(fact for use in uses for fact in _facts(use)), *_statements(life, number)]
    held, lost = life.available[number]
    facts.append(MeasuredAvailability(held_gpu_ms=held, lost_gpu_ms=lost))
    return window, TermInput("S-1", "", life.begins, life.ends, stretches, usage=usage, facts=tuple(facts))


def _facts(use: GivenTokens) -> list[Fact]:
    facts: list[Fact] = []
    if use.engine != use.tokens:
        facts.append(
            WitnessCounts(
                deployment=use.deployment,
                model="sample",
                token_class="output",
                from_at=use.at,
                to_at=use.at + HOUR,
                engine=use.engine,
                gateway=use.tokens,
            )
        )
    if use.refunded:
        facts.append(
            RefundedCounts(
                deployment=use.deployment,
                model="sample",
                token_class="output",
                from_at=use.at,
                to_at=use.at + HOUR,
                tokens=use.refunded,
            )
        )
    return facts


def _statements(life: GivenLife, number: int) -> list[Fact]:
    known = life.statements[number] if life.statements else {}
    return [
        CertifiedRevenue(
            statement=f"{about} in {number}",
            from_at=life.periods[about][0],
            to_at=life.periods[about][1],
            net_revenue_amount=Decimal(amount),
        )
        for about, amount in known.items()
    ]
