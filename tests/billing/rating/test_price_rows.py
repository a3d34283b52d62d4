"""Prices as documents have them: read with field, reason and example, written so that reading gives them back."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.price_lists import FACTOR, PriceKey
from billing.rating.price_rows import FIELD_OF_UNIT, check_list, read_rows, rows_of
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from billing.rating.wording import WrongWording, plain
from tests.examples import examples

INPUT = PriceKey(PriceUnit.PER_MTOK, "m", "input")
LONG = PriceKey(PriceUnit.PER_MTOK, "m", "input", 200_000)


def test_every_unit_that_can_be_published_has_a_field_that_names_it() -> None:
    assert {row.price_unit for row in QUANTITIES.values()} | {
        PriceUnit.PER_GPU_HOUR,
        PriceUnit.PER_GB_MONTH,
        FACTOR,
    } == set(FIELD_OF_UNIT)
    assert FIELD_OF_UNIT[PriceUnit.PER_GPU_HOUR] == "price_per_gpu_hour"


def test_rows_say_what_they_are_the_price_of() -> None:
    prices = {
        LONG: Decimal("0.560"),
        INPUT: Decimal("0.28"),
        PriceKey(PriceUnit.PER_GPU_HOUR, "H100"): Decimal("2.00"),
        PriceKey(FACTOR, "", "batch"): Decimal("0.5"),
    }
    rows = rows_of(prices)
    assert rows == [
        {"mark": "batch", "factor": "0.5"},
        {"model": "H100", "price_per_gpu_hour": "2"},
        {"model": "m", "quantity": "input", "price_per_mtok": "0.28"},
        {"model": "m", "quantity": "input", "context_over": 200_000, "price_per_mtok": "0.56"},
    ]
    assert read_rows(rows, where="prices") == prices


@pytest.mark.parametrize(
    ("rows", "field", "said"),
    [
        ("no list", "prices", "Expected `array`"),
        ([{"model": "m", "quantity": "input", "price": "1"}], "prices[0]", "unknown field `price`"),
        ([{"model": "m", "quantity": "input"}], "prices[0]", "exactly one price"),
        ([{"model": "m", "quantity": "input", "price_per_mtok": "x"}], "prices[0].price_per_mtok", "Invalid decimal"),
        ([{"model": "m", "quantity": "input", "price_per_mtok": "NaN"}], "prices[0].price_per_mtok", "at least 0"),
        ([{"model": "m", "quantity": "input", "price_per_mtok": "1e12"}], "prices[0].price_per_mtok", "12 digits"),
        (
            [{"model": "m", "quantity": "input", "price_per_mtok": "0.0000000000001"}],
            "prices[0].price_per_mtok",
            "12 decimals",
        ),
        ([{"model": "m" * 201, "price_per_gb_month": "1"}], "prices[0].price_per_gb_month", "200 characters"),
        ([{"model": "m" * 101, "price_per_gpu_hour": "1"}], "prices[0].price_per_gpu_hour", "100 characters"),
        ([{"model": "a\nb", "price_per_gpu_hour": "1"}], "prices[0].price_per_gpu_hour", "printable"),
        ([{"mark": "Batch!", "factor": "1"}], "prices[0].factor", "no mark"),
        ([{"mark": "batch", "price_per_gpu_hour": "1"}], "prices[0].mark", "belongs to a factor"),
        ([{"model": "m", "price_per_gpu_hour": "1"}] * 2, "prices[1]", "given twice"),
        (
            [{"model": "m", "quantity": "images", "context_over": 200_000, "price_per_image": "1"}],
            "prices[0].price_per_image",
            "none for this unit",
        ),
    ],
)
def test_a_wrong_row_is_refused_with_field_reason_and_example(rows: object, field: str, said: str) -> None:
    with pytest.raises(WrongWording, match=said) as caught:
        read_rows(rows, where="prices")
    assert caught.value.field == field
    assert caught.value.example


def test_a_list_by_itself_needs_a_price_below_every_tier() -> None:
    check_list({INPUT: Decimal(1), LONG: Decimal(2)}, where="prices")
    with pytest.raises(WrongWording, match="none for shorter requests"):
        check_list({LONG: Decimal(2)}, where="prices")


@settings(max_examples=examples(25))
@given(st.decimals(0, 10**11, places=12))
def test_a_price_is_written_plainly_and_exactly(price: Decimal) -> None:
    text = plain(price)
    assert Decimal(text) == price
    assert "E" not in text
    assert not (text.endswith("0") and "." in text)
