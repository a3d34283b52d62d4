"""Price files of others, read exactly: what cannot be taken is said where and why, and never becomes zero."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.price_files import (
    GPU_HEAD,
    WrongFile,
    card_words,
    model_name,
    read_gpu_hours,
    read_litellm,
)
from tests.billing.litellm_sample import price_file
from tests.examples import examples

AS_OF = date(2026, 11, 9)
ROOT = Path(__file__).parents[2]
HEAD = ",".join(GPU_HEAD)


def test_prices_are_per_million_tokens_exactly_with_their_tier_and_mark() -> None:
    found = read_litellm(price_file(), as_of=AS_OF)
    assert (found.read, found.skipped) == (3, ())
    large = {
        (one.quantity, one.context_over, one.mark): one.price for one in found.prices if one.name == "sample-large"
    }
    assert large == {
        ("input", 0, ""): Decimal("0.28"),
        ("input", 200_000, ""): Decimal("0.56"),
        ("input", 0, "batch"): Decimal("0.14"),
        ("cached_input", 0, ""): Decimal("0.028"),
        ("cached_input", 200_000, "priority"): Decimal("0.11"),
        ("cache_write", 0, ""): Decimal("0.35"),
        ("output", 0, ""): Decimal("1.1"),
    }
    assert {one.model for one in found.prices} == {"sample-large", "sample-image"}
    assert {one.seller for one in found.prices} == {"sample-lab", "cheap-cloud"}
    [image] = [one for one in found.prices if one.unit == "per_image"]
    assert (image.price, image.currency, image.stated_on) == (Decimal("0.04"), "USD", AS_OF)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Infinity", "not finite"),
        ("-Infinity", "not finite"),
        ("NaN", "not finite"),
        ("null", "NoneType"),
        ('"1e-06"', "found str"),
        ("true", "found bool"),
        ("[1e-06]", "found list"),
        ("-1e-06", "is no price"),
        ("1.2345e-30", "too fine"),
        ("1e400", "too large"),
        ("0.0000001234567890123456789012345", "too fine"),
    ],
)
def test_a_price_that_is_none_is_reported_and_never_zero(value: str, reason: str) -> None:
    text = f'{{"m": {{"litellm_provider": "p", "input_cost_per_token": {value}, "output_cost_per_token": 1e-06}}}}'
    found = read_litellm(text.encode(), as_of=AS_OF)
    assert [(one.quantity, one.price) for one in found.prices] == [("output", Decimal(1))]
    [skipped] = found.skipped
    assert skipped.where == "m: input_cost_per_token"
    assert reason in skipped.reason


@pytest.mark.parametrize(
    ("entry", "where", "reason"),
    [
        ("1", "m", "no object"),
        ('{"input_cost_per_token": 1e-06}', "m", "litellm_provider"),
        ('{"litellm_provider": 7}', "m", "litellm_provider"),
        ('{"litellm_provider": "p", "mode": "rerank"}', "m", "no price"),
        ('{"litellm_provider": "p", "input_cost_per_token_above_many": 1}', "m", "no price"),
    ],
)
def test_an_entry_without_a_price_is_reported(entry: str, where: str, reason: str) -> None:
    found = read_litellm(f'{{"m": {entry}}}'.encode(), as_of=AS_OF)
    assert found.prices == ()
    [skipped] = found.skipped
    assert skipped.where == where
    assert reason in skipped.reason


def test_a_name_that_cannot_be_kept_is_reported() -> None:
    found = read_litellm(
        price_file({"a\nb": {"litellm_provider": "p"}, "x" * 300: {"litellm_provider": "p"}}), as_of=AS_OF
    )
    assert [one.reason for one in found.skipped] == ["it is no name of a model"] * 2


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"{", b"\xff\xfe", b'{"sample_spec": {}}', b"[" * 100_000])
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(WrongFile):
        read_litellm(content, as_of=AS_OF)


@settings(max_examples=examples(25))
@given(st.decimals(0, 1, places=12))
def test_any_price_of_a_token_is_kept_times_a_million(price: Decimal) -> None:
    text = f'{{"m": {{"litellm_provider": "p", "input_cost_per_token": {price:f}}}}}'
    [found] = read_litellm(text.encode(), as_of=AS_OF).prices
    assert found.price == price * 1_000_000


def test_the_table_of_gpu_hours_in_the_docs_is_read_whole() -> None:
    found = read_gpu_hours((ROOT / "docs" / "data" / "gpu-hour-prices.csv").read_bytes())
    assert found.skipped == ()
    assert len(found.prices) == found.read > 20
    first = found.prices[0]
    assert (first.name, first.price, first.stated_on) == ("H100", Decimal("3.99"), date(2026, 11, 9))
    assert all(price.link for price in found.prices)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,H100,2.5,USD,on_demand,2026-11-09", "expected 7 columns, found 6"),
        (",H100,2.5,USD,on_demand,2026-11-09,page", "expected names"),
        ("a,H100,2.5,usd,on_demand,2026-11-09,page", "three capital letters"),
        ("a,H100,2.5,USD,On demand,2026-11-09,page", "expected on_demand"),
        ("a,H100,2.5,USD,on_demand,yesterday,page", "expected a date"),
        ("a,H100,cheap,USD,on_demand,2026-11-09,page", "expected a number"),
        ("a,H100,0,USD,on_demand,2026-11-09,page", "0 is no price"),
        ("a,H100,inf,USD,on_demand,2026-11-09,page", "inf is no price"),
        ("a,H100,-1,USD,on_demand,2026-11-09,page", "-1 is no price"),
        ("a,H100,2.5,USD,on_demand,2026-11-09,", "expected where it stands"),
        ("b,H100,2.6,USD,on_demand,2026-11-09,page", "stand above already"),
    ],
)
def test_a_wrong_row_is_reported_with_its_line(row: str, reason: str) -> None:
    good = "b,H100,2.5,USD,on_demand,2026-11-09,page"
    found = read_gpu_hours(f"{HEAD}\n{good}\n\n{row}\n".encode())
    assert [one.price for one in found.prices] == [Decimal("2.5")]
    [skipped] = found.skipped
    assert skipped.where == "line 4"
    assert reason in skipped.reason


@pytest.mark.parametrize("content", [b"", b"seller,price\na,1\n", b"\xff\xfe\x00", b'a,"b\n'])
def test_a_table_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(WrongFile):
        read_gpu_hours(content)


@pytest.mark.parametrize(("one", "other"), [("NVIDIA A100-SXM4-80GB", "A100 80GB"), ("NVIDIA H100 80GB HBM3", "H100")])
def test_a_card_is_known_by_the_words_of_its_name(one: str, other: str) -> None:
    assert card_words(other) <= card_words(one)
    assert not card_words("GB200") <= card_words("NVIDIA B200")


def test_a_model_is_known_without_who_serves_it() -> None:
    assert model_name("cheap-cloud/sample/Sample-Large") == model_name("sample-large") == "sample-large"
