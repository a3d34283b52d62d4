"""The price of a moment: the contract's own first, then the book's, and what needs none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.moment_prices import MomentPrices
from billing.rating.rated import UnpricedReason
from tests.billing.rating.priced import BOOK, wording

OWN = [
    {"model": "small", "quantity": "output", "price": "9", "price_unit": "per_mtok"},
    {"model": "small", "quantity": "output", "price": "18", "price_unit": "per_mtok", "context_over": 128_000},
]
TIERED = PriceVersion(
    "v2",
    datetime(2025, 1, 1, tzinfo=UTC),
    {("small", TokenClass.INPUT): Decimal(1)},
    tier_prices={("small", TokenClass.INPUT, 200_000): Decimal(2)},
)


@pytest.mark.parametrize(("band", "price"), [(0, 9), (32_000, 9), (128_000, 18), (512_000, 18)])
def test_the_contracts_own_price_goes_before_the_books(band: int, price: int) -> None:
    assert MomentPrices(wording(prices=OWN), BOOK).price("small", "output", band) == (Decimal(price), None)


def test_what_the_contract_does_not_name_is_priced_by_the_book() -> None:
    prices = MomentPrices(wording(prices=OWN), BOOK)
    assert prices.price("small", "input", 0) == (Decimal(1), "v1")
    assert prices.price("large", "output", 0) == (Decimal(40), "v1")
    assert prices.price("small", "steps", 0) == (None, "v1")
    assert MomentPrices(wording(prices=OWN), None).price("small", "input", 0) == (None, None)


def test_the_tier_is_the_greatest_threshold_at_which_any_price_changes() -> None:
    prices = MomentPrices(wording(prices=OWN), TIERED)
    assert [prices.tier_of("small", band) for band in (0, 32_000, 128_000, 200_000, 512_000)] == [
        0,
        0,
        128_000,
        200_000,
        200_000,
    ]
    assert MomentPrices(wording(), None).tier_of("small", 200_000) == 0


def test_a_part_leaves_its_whole_where_it_has_a_price_or_a_package() -> None:
    assert MomentPrices(wording(), BOOK).priced_parts("small", 0) == ("cached_input",)
    package = {"name": "p", "quantities": ["reasoning"], "units": 4, "amount_per_package": "2"}
    packed = MomentPrices(wording(packages=[package]), BOOK)
    assert packed.priced_parts("small", 0) == ("cached_input", "reasoning")
    assert packed.priced_apart("small", "reasoning")
    assert not packed.priced_apart("small", "output")


def test_why_there_is_no_price() -> None:
    assert MomentPrices(wording(), None).reason_without() is UnpricedReason.NO_VERSION
    assert MomentPrices(wording(), BOOK).reason_without() is UnpricedReason.NO_PRICE
