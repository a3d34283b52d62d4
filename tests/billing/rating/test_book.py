"""A price version knows its own prices and nothing else."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.book import PriceVersion, TokenClass
from metering.context_bands import CONTEXT_BANDS
from tests.billing.rating.made import START, version
from tests.examples import examples


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


TIERS = st.dictionaries(
    st.tuples(st.sampled_from(list(TokenClass)), st.sampled_from(CONTEXT_BANDS[1:])),
    st.integers(0, 99).map(str),
    max_size=8,
)
BAND = st.sampled_from(CONTEXT_BANDS)


@settings(max_examples=examples(25))
@given(TIERS, BAND, st.sampled_from(list(TokenClass)))
def test_a_price_is_that_of_the_greatest_threshold_not_above_the_request(
    tiers: dict[tuple[TokenClass, int], str], band: int, token_class: TokenClass
) -> None:
    book = version("v1", tokens=dict.fromkeys(TokenClass, "100"), tiers=tiers)
    reached = [over for name, over in tiers if name is token_class and over <= band]
    expected = Decimal(tiers[token_class, max(reached)] if reached else "100")
    assert book.price_per_mtok("sample", token_class, band) == expected
    assert book.price_per_mtok("other", token_class, band) is None


@settings(max_examples=examples(25))
@given(TIERS, BAND, BAND)
def test_a_tier_tells_all_prices_of_a_model_and_never_falls_for_a_longer_request(
    tiers: dict[tuple[TokenClass, int], str], one: int, other: int
) -> None:
    book = version("v1", tokens=dict.fromkeys(TokenClass, "100"), tiers=tiers)
    tier = book.tier_of("sample", one)
    assert tier in {0, *(over for _, over in tiers)}
    for token_class in TokenClass:
        assert book.price_per_mtok("sample", token_class, tier) == book.price_per_mtok("sample", token_class, one)
    assert book.tier_of("sample", min(one, other)) <= book.tier_of("sample", max(one, other)) <= max(one, other)
    assert book.tier_of("other", one) == 0


@pytest.mark.parametrize("over", [0, 150_000])
def test_a_threshold_that_tells_no_requests_apart_is_refused(over: int) -> None:
    with pytest.raises(AssertionError):
        version("v1", tokens={TokenClass.INPUT: "1"}, tiers={(TokenClass.INPUT, over): "2"})


def test_other_quantities_have_prices_by_the_unit() -> None:
    book = PriceVersion(
        "v1", START, {("sample", TokenClass.INPUT): Decimal(3)}, unit_prices={("sample", "images"): Decimal("0.04")}
    )
    assert book.price_of("sample", "images") == Decimal("0.04")
    assert book.price_of("sample", "input", 200_000) == Decimal(3)
    assert book.price_of("sample", "steps") is None
