"""Where models of payment cross."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.breakeven import Offer, Ray, cheapest, crossings, hybrid, level, rising
from tests.examples import examples

ONE = Fraction(1)


def test_a_lease_and_a_token_price_cross_where_they_cost_the_same() -> None:
    [found] = crossings([level("lease", Fraction(9)), rising("price", Fraction(6))])
    assert (found.below, found.above) == ("price", "lease")
    assert (found.volume, found.amount) == (Fraction(3, 2), Fraction(9))


def test_a_hybrid_meets_its_share_at_the_natural_breakpoint_without_crossing_it() -> None:
    offers = [rising("share", Fraction(50)), hybrid("hybrid", Fraction(25), Fraction(50))]
    assert crossings(offers) == []
    assert offers[1].at(Fraction(1, 2)) == 25
    assert offers[1].at(ONE) == 50


def test_a_hybrid_can_cross_a_lease_and_a_price() -> None:
    offers = [level("lease", Fraction(30)), rising("price", Fraction(60)), hybrid("hybrid", Fraction(20), Fraction(40))]
    assert [(one.below, one.above, one.volume) for one in crossings(offers)] == [
        ("price", "hybrid", Fraction(1, 3)),
        ("price", "lease", Fraction(1, 2)),
        ("hybrid", "lease", Fraction(3, 4)),
    ]
    assert [cheapest(offers, Fraction(volume, 10)) for volume in (1, 4, 9)] == ["price", "hybrid", "lease"]


def test_equal_and_parallel_offers_never_cross() -> None:
    assert crossings([level("a", ONE), level("b", ONE)]) == []
    assert crossings([rising("a", ONE), rising("b", Fraction(2))]) == []
    assert cheapest([], ONE) == ""


amounts = st.integers(0, 1000).map(Fraction)
offers_of = st.builds(
    Offer, name=st.just(""), rays=st.lists(st.builds(Ray, amounts, amounts), min_size=1, max_size=3).map(tuple)
)


@settings(max_examples=examples(25))
@given(offers_of, offers_of)
def test_between_crossings_the_order_never_changes(left: Offer, right: Offer) -> None:
    left, right = Offer("left", left.rays), Offer("right", right.rays)
    found = crossings([left, right])
    for one in found:
        assert left.at(one.volume) == right.at(one.volume) == one.amount
    edges = [Fraction(0), *(one.volume for one in found), max([one.volume for one in found], default=ONE) + 1000]
    for start, end in pairwise(edges):
        signs = set()
        for part in range(1, 8):
            volume = start + (end - start) * part / 8
            difference = left.at(volume) - right.at(volume)
            signs.add((difference > 0) - (difference < 0))
        assert not {-1, 1} <= signs
