"""Where models of payment cross: what holds for all of them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.economics.breakeven import Offer, Ray, cheapest, crossings, hybrid, level, rising
from tests.examples import examples

amounts = st.integers(0, 1000).map(Fraction)
positive = st.integers(1, 1000).map(Fraction)
factors = st.fractions(Fraction(1, 20), 20, max_denominator=20)
volumes = st.fractions(0, 50, max_denominator=40)
rays = st.lists(st.builds(Ray, amounts, amounts), min_size=1, max_size=3).map(tuple)


@settings(max_examples=examples(25))
@given(positive, positive)
def test_a_lease_and_a_price_cross_at_the_lease_over_the_price(rent: Fraction, price: Fraction) -> None:
    [found] = crossings([level("lease", rent), rising("price", price)])
    assert (found.below, found.above, found.volume, found.amount) == ("price", "lease", rent / price, rent)


@settings(max_examples=examples(25))
@given(positive, positive, volumes)
def test_a_hybrid_is_never_less_than_its_rent_nor_its_share(rent: Fraction, share: Fraction, volume: Fraction) -> None:
    offer = hybrid("hybrid", rent, share)
    assert offer.at(volume) == max(rent, share * volume)
    assert offer.at(rent / share) == rent


@settings(max_examples=examples(25))
@given(rays, volumes, volumes)
def test_more_usage_never_costs_less(made: tuple[Ray, ...], one: Fraction, other: Fraction) -> None:
    offer = Offer("offer", made)
    assert offer.at(min(one, other)) <= offer.at(max(one, other))


@settings(max_examples=examples(25))
@given(rays, volumes, volumes)
def test_half_way_costs_at_most_half_of_both(made: tuple[Ray, ...], one: Fraction, other: Fraction) -> None:
    offer = Offer("offer", made)
    assert offer.at((one + other) / 2) <= (offer.at(one) + offer.at(other)) / 2


@settings(max_examples=examples(25))
@given(st.lists(rays, max_size=4), st.randoms(use_true_random=False))
def test_the_order_in_which_offers_are_named_moves_no_crossing(several: list[tuple[Ray, ...]], chance: object) -> None:
    offers = [Offer(f"offer-{index}", made) for index, made in enumerate(several)]
    assert crossings(list(reversed(offers))) == crossings(offers)


@settings(max_examples=examples(25))
@given(rays, rays, factors)
def test_another_currency_moves_amounts_and_no_volume(
    left: tuple[Ray, ...], right: tuple[Ray, ...], rate: Fraction
) -> None:
    def in_other(made: tuple[Ray, ...]) -> tuple[Ray, ...]:
        return tuple(Ray(ray.base * rate, ray.slope * rate) for ray in made)

    before = crossings([Offer("left", left), Offer("right", right)])
    after = crossings([Offer("left", in_other(left)), Offer("right", in_other(right))])
    assert [(one.below, one.above, one.volume) for one in after] == [
        (one.below, one.above, one.volume) for one in before
    ]
    assert [one.amount for one in after] == [one.amount * rate for one in before]


@settings(max_examples=examples(25))
@given(rays, rays, factors)
def test_comparing_with_more_usage_moves_volumes_and_no_amount(
    left: tuple[Ray, ...], right: tuple[Ray, ...], times: Fraction
) -> None:
    def of_more(made: tuple[Ray, ...]) -> tuple[Ray, ...]:
        return tuple(Ray(ray.base, ray.slope * times) for ray in made)

    before = crossings([Offer("left", left), Offer("right", right)])
    after = crossings([Offer("left", of_more(left)), Offer("right", of_more(right))])
    assert [(one.volume * times, one.amount) for one in after] == [(one.volume, one.amount) for one in before]


@settings(max_examples=examples(25))
@given(rays, rays)
def test_two_offers_change_places_in_turn(left: tuple[Ray, ...], right: tuple[Ray, ...]) -> None:
    found = crossings([Offer("left", left), Offer("right", right)])
    assert [one.volume for one in found] == sorted({one.volume for one in found})
    for before, after in pairwise(found):
        assert (before.below, before.above) == (after.above, after.below)


@settings(max_examples=examples(25))
@given(st.lists(rays, min_size=1, max_size=4), volumes)
def test_nothing_costs_less_than_the_cheapest(several: list[tuple[Ray, ...]], volume: Fraction) -> None:
    offers = [Offer(f"offer-{index}", made) for index, made in enumerate(several)]
    chosen = next(offer for offer in offers if offer.name == cheapest(offers, volume))
    assert all(chosen.at(volume) <= offer.at(volume) for offer in offers)


@settings(max_examples=examples(25))
@given(rays)
def test_an_offer_never_crosses_itself(made: tuple[Ray, ...]) -> None:
    assert crossings([Offer("one", made), Offer("same", made)]) == []


def test_of_equals_the_first_named_is_the_cheapest() -> None:
    offers = [level("first", Fraction(5)), level("second", Fraction(5))]
    assert cheapest(offers, Fraction(1)) == "first"
    assert cheapest(offers[::-1], Fraction(1)) == "second"


@pytest.mark.parametrize("made", [(), (Ray(Fraction(1), Fraction(-1)),)])
def test_an_offer_has_a_ray_and_none_that_falls(made: tuple[Ray, ...]) -> None:
    with pytest.raises(AssertionError):
        Offer("offer", made)
