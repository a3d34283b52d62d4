"""A price version as one flat list, and what changes from one list to the next."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.price_lists import (
    COUNTED,
    FACTOR,
    Direction,
    PriceChange,
    PriceKey,
    changes,
    prices_of,
    uniform_change,
    version_of,
)
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from tests.billing.rating.made import START
from tests.examples import examples

EVERY_KIND = PriceVersion(
    version_id="v1",
    effective_at=START,
    token_prices={("sample", TokenClass.INPUT): Decimal("0.28"), ("sample", TokenClass.OUTPUT): Decimal("1.10")},
    gpu_prices={"H100": Decimal("1.94")},
    tier_prices={("sample", TokenClass.INPUT, 200_000): Decimal("0.56")},
    unit_prices={("sample", row.name): Decimal("0.01") for row in QUANTITIES.values() if row.price_unit in COUNTED},
    storage_prices={"nvme": Decimal("0.07")},
    factors={("", "batch"): Decimal("0.5"), ("sample", "batch"): Decimal("0.4")},
    announced_at=START,
)


def key(quantity: str = "output", model: str = "sample") -> PriceKey:
    return PriceKey(PriceUnit.PER_MTOK, model, quantity)


def test_a_version_of_every_kind_of_price_is_flat_and_comes_back() -> None:
    prices = prices_of(EVERY_KIND)
    assert len(prices) == 2 + 1 + 1 + 5 + 1 + 2
    assert prices[PriceKey(PriceUnit.PER_SECOND, "sample", "audio_seconds")] == Decimal("0.01")
    assert prices[PriceKey(FACTOR, "", "batch")] == Decimal("0.5")
    assert version_of("v1", START, prices, announced_at=START) == EVERY_KIND


def test_each_kind_of_price_is_found_by_what_it_is_of() -> None:
    assert EVERY_KIND.price_per_gb_month("nvme") == Decimal("0.07")
    assert EVERY_KIND.price_per_gb_month("tape") is None
    factors = [EVERY_KIND.factor(model, mark) for model, mark in (("sample", "batch"), ("other", "batch"), ("", "x"))]
    assert factors == [Decimal("0.4"), Decimal("0.5"), None]


@pytest.mark.parametrize(
    ("before", "after", "direction", "relative"),
    [
        ("1", "1.34", Direction.RISE, "0.34"),
        ("2", "1", Direction.FALL, "-0.5"),
        (None, "1", Direction.NEW, None),
        ("1", None, Direction.GONE, None),
        ("0", "1", Direction.RISE, None),
    ],
)
def test_what_becomes_of_a_price(
    before: str | None, after: str | None, direction: Direction, relative: str | None
) -> None:
    was, now = (None if price is None else Decimal(price) for price in (before, after))
    change = PriceChange(key(), was, now)
    assert change.direction == direction
    assert change.relative == (None if relative is None else Decimal(relative))


def test_a_change_that_all_prices_share_is_told_from_one_that_they_do_not() -> None:
    before = {key("input"): Decimal("0.28"), key("output"): Decimal("1.10")}
    risen = {each: price * Decimal("1.34") for each, price in before.items()}
    assert uniform_change(changes(before, risen)) == Decimal("0.34")
    assert uniform_change(changes(before, {**risen, key("input"): Decimal(1)})) is None
    assert uniform_change(changes(before, before)) is None


PRICES = st.dictionaries(st.builds(key, st.sampled_from(TokenClass)), st.decimals(0, 9, places=2), max_size=5)


@settings(max_examples=examples(25))
@given(PRICES, PRICES)
def test_changes_lead_from_one_list_to_the_other(
    before: dict[PriceKey, Decimal], after: dict[PriceKey, Decimal]
) -> None:
    found = changes(before, after)
    made = {**before, **{change.key: change.after for change in found}}
    assert {each: price for each, price in made.items() if price is not None} == after
    assert (found == ()) == (before == after)
