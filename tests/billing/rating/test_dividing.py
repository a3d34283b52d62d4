"""Dividing a term at instants changes nothing of what it charges, and lets a percentage off begin and end exactly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.basis import PeriodBasis
from billing.basis import rate as rate_basis
from billing.rating.discount import DiscountWording
from billing.rating.dividing import divided, dividing_instants, percent_instants
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.lease_wording import LeaseWording
from billing.rating.on_demand import OnDemandWording
from billing.rating.storage import StorageWording, Stored
from billing.rating.token_price import rate_token_price
from billing.rating.wording import Stretch, Wording, read_wording
from clusters.occupancy import Hold
from tests.billing.rating.priced import BOOK, FROM, MIDDLE, TO, USED, WINDOW_HOURS, term, used, wording, wordings
from tests.examples import examples

if TYPE_CHECKING:
    from billing.rating.inputs import Used
    from billing.rating.rated import Rated
    from billing.rating.token_price_wording import TokenPriceWording

WINDOW = RatingWindow("USD", "UTC", FROM, TO, TO, (BOOK,))
INSTANTS = st.sets(st.integers(1, WINDOW_HOURS - 1).map(lambda hours: FROM + timedelta(hours=hours)), max_size=3)
FIRST_HOURS = timedelta(hours=36)


def discount(*percents: str | None, cut_at: datetime = MIDDLE, ref: str = "DC-1", **more: Any) -> TermInput:
    """A discount of a percentage, or of one after the other; where None is said nothing is in force."""
    edges = [FROM, cut_at, TO] if len(percents) > 1 else [FROM, TO]
    stretches = tuple(
        Stretch(number, start, end, read_wording(DiscountWording, {"kind": "discount", "percent": percent, **more}))
        for number, (start, end, percent) in enumerate(zip(edges[:-1], edges[1:], percents, strict=True), 1)
        if percent is not None
    )
    return TermInput(ref, "", FROM, None, stretches)


def one(said: Wording, *, ref: str = "L-1", **rated_from: Any) -> TermInput:
    return TermInput(ref, "", FROM, None, (Stretch(1, FROM, TO, said),), **rated_from)


def basis(*terms: TermInput) -> PeriodBasis:
    return PeriodBasis("C-1", 1, WINDOW, terms)


def taken(*terms: TermInput) -> list[Fraction]:
    """What is taken off, in the order of the discount's wordings."""
    lines = [line for line in rate_basis(basis(*terms)).lines if line.rule == "discount_percent"]
    return [line.exact for line in sorted(lines, key=lambda line: line.contract_version)]


def counted(rated: Rated) -> Counter[tuple[object, ...]]:
    """How many units went at which price, by all that lines are about but their part."""
    found: Counter[tuple[object, ...]] = Counter()
    for line in rated.lines:
        found[line.rule, line.model, line.token_class, line.price, line.marks, line.price_version_id] += int(
            line.quantity
        )
    return found


@settings(max_examples=examples(25))
@given(st.lists(USED, max_size=12), wordings(("graduated", "volume")), INSTANTS)
def test_a_term_that_is_divided_comes_to_the_same_units_at_the_same_prices(
    usage: list[Used], said: TokenPriceWording, instants: set[datetime]
) -> None:
    whole = term(usage, said)
    parts = divided(whole, instants)
    assert [part.is_part for part in parts.stretches] == [False, *[True] * len(instants)]
    once, apart = rate_token_price(whole, WINDOW), rate_token_price(parts, WINDOW)
    assert counted(once) == counted(apart)
    assert once.exact_total == apart.exact_total
    assert once.carries == apart.carries
    assert len({line.line_key for line in apart.lines}) == len(apart.lines)


def test_each_part_is_discounted_by_the_percentage_of_its_time() -> None:
    usage = [used("output", 30), used("output", 50, at=MIDDLE), used("output", 20, at=MIDDLE - timedelta(hours=1))]
    price = Fraction(4, 10**6)
    assert taken(term(usage, wording()), discount("10", "20")) == [-price * 5, -price * 10]
    assert taken(term(usage, wording()), discount("10", None)) == [-price * 5]
    assert taken(term(usage, wording()), discount(None, "20")) == [-price * 10]
    assert taken(term(usage, wording()), discount("20")) == [-price * 20]


@pytest.mark.parametrize(
    ("said", "rated_from", "whole"),
    [
        (LeaseWording(accelerator_model="card", price_per_gpu_hour=Decimal(2)), "holds", 2 * WINDOW_HOURS),
        (LeaseWording(accelerator_model="card", flat_amount_per_period=Decimal(1000)), "holds", 1000),
        (OnDemandWording(accelerator_model="card", price_per_gpu_hour=Decimal(3)), "holds", 3 * WINDOW_HOURS),
        (StorageWording(price_per_gb_month=Decimal("0.5")), "facts", 500),
    ],
)
def test_what_is_held_is_divided_to_the_second(said: Wording, rated_from: str, whole: int) -> None:
    """A day and a half at 10 %, the rest of March at 30 %."""
    cut_at = FROM + FIRST_HOURS
    inputs: dict[str, Any] = {
        "holds": (Hold("s1", 1000, FROM, None, "c1", "card"),),
        "facts": (Stored(volume="v", gigabytes=1000, from_at=FROM),),
    }
    held = one(said, **{rated_from: inputs[rated_from]})
    first = Fraction(whole * 36, WINDOW_HOURS)
    found = taken(held, discount("10", "30", cut_at=cut_at))
    assert found == [pytest.approx(-first / 10), pytest.approx(-(whole - first) * 3 / 10)]
    assert float(sum(line.exact for line in rate_basis(basis(held)).lines)) == pytest.approx(whole)


def test_only_percentages_about_a_term_divide_it_and_only_inside_the_period() -> None:
    others = discount("10", "20", terms=["P-2"])
    amount = replace(
        others,
        stretches=tuple(
            replace(each, wording=DiscountWording(amount_per_period=Decimal(1))) for each in others.stretches
        ),
    )
    assert dividing_instants([discount("10", "20")], "P-1", WINDOW) == [MIDDLE]
    assert dividing_instants([others], "P-1", WINDOW) == []
    assert dividing_instants([others], "P-2", WINDOW) == [MIDDLE]
    assert dividing_instants([amount], "P-2", WINDOW) == []
    assert percent_instants(others.stretches) == {FROM, MIDDLE, TO}
    assert percent_instants(amount.stretches) == set()
    untouched = term([used("output", 1)], wording())
    assert divided(untouched, []) is untouched
    assert divided(untouched, [FROM, TO]).stretches == untouched.stretches


def test_what_was_rated_by_the_beginning_of_lines_is_rated_so_again() -> None:
    usage = [used("output", 30), used("output", 50, at=MIDDLE)]
    as_it_was = replace(basis(term(usage, wording()), discount("10", "20")), discounts_divide=())
    [line] = [line for line in rate_basis(as_it_was).lines if line.rule == "discount_percent"]
    assert line.exact == -Fraction(4, 10**6) * 8
