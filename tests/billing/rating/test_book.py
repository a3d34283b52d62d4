"""A price version knows its own prices and nothing else."""

from datetime import datetime
from decimal import Decimal

import pytest

from billing.rating.book import PriceVersion, TokenClass
from tests.billing.rating.made import START, version


def test_a_price_that_is_not_there_is_unknown_and_not_zero() -> None:
    book = version("v1", tokens={TokenClass.INPUT: "0.60", TokenClass.CACHE_WRITE: "0"}, gpu="2.35")
    assert book.price_per_mtok("sample", TokenClass.INPUT) == Decimal("0.60")
    assert book.price_per_mtok("sample", TokenClass.CACHE_WRITE) == 0
    assert book.price_per_mtok("sample", TokenClass.OUTPUT) is None
    assert book.price_per_mtok("other", TokenClass.INPUT) is None
    assert book.price_per_gpu_hour("H100") == Decimal("2.35")
    assert book.price_per_gpu_hour("A100") is None


@pytest.mark.parametrize("effective_at", [datetime(2026, 3, 10)])  # noqa: DTZ001 - naive on purpose
def test_a_version_without_a_zone_is_refused(effective_at: datetime) -> None:
    with pytest.raises(AssertionError):
        PriceVersion("v1", effective_at)


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(AssertionError):
        PriceVersion("v1", START, gpu_prices={"H100": Decimal(-1)})
