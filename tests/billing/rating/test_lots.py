"""Lots keep one order, divide exactly, and count from where the period before left off."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.lots import Lot, Positions, covered, dearest_first, groups, names_of, order, part_of, split
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import Stretch
from tests.billing.rating.priced import FROM, TO, table, wording
from tests.examples import examples

TABLED = wording(tiers=[table((10, "100"), (None, "50"))])


def lot(
    count: int = 10,
    *,
    price: str | None = "4",
    model: str = "small",
    quantity: str = "output",
    moment: int = 0,
    factor: str = "1",
    words: TokenPriceWording = TABLED,
) -> Lot:
    return Lot(
        stretch=Stretch(1, FROM, TO, words),
        moment=(moment, 0, 0),
        version_id="v1",
        model=model,
        quantity=quantity,
        context_over=0,
        factor=Fraction(factor),
        factor_names="",
        price_amount=None if price is None else Decimal(price),
        mix={"A": count},
        from_at=FROM,
        to_at=TO,
    )


def test_the_moment_comes_first_and_then_the_dearest() -> None:
    cheap, dear, later = lot(price="1"), lot(price="3"), lot(price="9", moment=1)
    assert order([later, cheap, dear]) == [dear, cheap, later]
    assert dearest_first([cheap, dear, later]) == [later, dear, cheap]


@settings(max_examples=examples(25))
@given(st.permutations(range(6)), st.integers(0, 99))
def test_the_order_does_not_depend_on_how_lots_come(places: list[int], seed: int) -> None:
    random = Random(seed)
    lots = [lot(n + 1, price=str(random.randint(1, 2)), model=f"m{n}", moment=random.randint(0, 1)) for n in range(6)]
    assert order([lots[place] for place in places]) == order(lots)
    assert dearest_first([lots[place] for place in places]) == dearest_first(lots)


def test_what_units_are_worth_follows_from_their_price_package_or_table() -> None:
    packed = wording(packages=[{"name": "p", "quantities": ["output"], "units": 4, "amount_per_package": "2"}])
    prices = [{"up_to": 5, "price": "7"}, {"up_to": None, "price": "3"}]
    tiered = wording(tiers=[{**table((None, "1")), "price_unit": "per_mtok", "tiers": prices}])
    assert lot(price="4", factor="1/2").worth == 2
    assert lot(price=None, words=packed).worth == Fraction(2, 4) * 10**6
    assert lot(price=None, words=tiered, factor="3").worth == 21


def test_covered_lots_are_those_of_the_named_part() -> None:
    inside, outside = covered([lot(), lot(quantity="input")], "main", "tiers")
    assert [each.quantity for each in inside] == ["output"]
    assert [each.quantity for each in outside] == ["input"]
    assert part_of(lot(), "other", "tiers") is None


def test_names_are_those_of_all_wordings_once() -> None:
    other = wording(tiers=[table((None, "50")), table((None, "5"), name="second", quantities=["input"])])
    assert names_of([Stretch(1, FROM, TO, TABLED), Stretch(2, FROM, TO, other)], "tiers") == ["main", "second"]


@settings(max_examples=examples(25))
@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 100))
def test_a_split_loses_nothing(actual: int, estimated: int, count: int) -> None:
    whole = replace(lot(), mix={"A": actual, "E": estimated})
    count = min(count, whole.count)
    first, rest = split(whole, count)
    assert first.count == count
    assert (rest.count if rest else 0) == whole.count - count


def test_a_count_goes_on_from_the_period_before_unless_a_year_began() -> None:
    positions = Positions({"a": 7, "untouched": 3})
    assert positions.of("a", year=0, carried=True) == 7
    positions.now["a"] = 9
    assert positions.of("a", year=0, carried=True) == 9
    assert positions.of("a", year=1, carried=True) == 0
    assert positions.year_of("a") == 1
    assert positions.of("b", year=0, carried=False) == 0
    assert positions.at_end() == {"a": 0, "b": 0, "untouched": 3}
    assert Positions({"a": 7}).of("a", year=0, carried=False) == 0
    assert Positions({"a": 7}).of("a", year=1, carried=True) == 0


def test_a_table_counts_each_model_by_itself_or_all_together() -> None:
    lots = [lot(model="small"), lot(model="large")]
    assert [about for about, _ in groups(lots, "main")] == [("large", "output"), ("small", "output")]
    together = wording(tiers=[table((None, "50"), together=True)])
    [(about, found)] = groups([replace(each, stretch=Stretch(1, FROM, TO, together)) for each in lots], "main")
    assert about == ("", "")
    assert len(found) == 2
