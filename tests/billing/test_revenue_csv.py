"""A statement's file is read whole or refused with the line and column."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.wording import WrongWording
from billing.revenue_csv import BYTES_MAX, ROWS_MAX, StatedRow, net_revenue, read_statement
from tests.examples import examples

GOOD = b"item,amount,currency\nsample-model,1250.00,USD\nrefunds,-50,USD\n"


def test_rows_sum_to_the_net_revenue() -> None:
    rows = read_statement(GOOD, "USD")
    assert rows == (StatedRow("sample-model", Decimal(1250)), StatedRow("refunds", Decimal(-50)))
    assert net_revenue(rows) == 1200


def test_columns_stand_in_any_order_after_a_byte_order_mark() -> None:
    text = '\N{ZERO WIDTH NO-BREAK SPACE}Currency, Amount ,item\r\n\r\nUSD,5,"a, b"\r\n'
    assert read_statement(text.encode(), "USD") == (StatedRow("a, b", Decimal(5)),)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (b"", "document line 1"),
        (b"item,amount\nx,1\n", "document line 1"),
        (b"item,amount,currency\n", "document"),
        (b"\xff\xfe", "document"),
        (b'item,amount,currency\n"x,1,USD\n', "document"),
        (b"item,amount,currency\nx,1\n", "document line 2"),
        (b"item,amount,currency\nx,1,USD\n,1,USD\n", "document line 3, item"),
        (b"item,amount,currency\nx,1,EUR\n", "document line 2, currency"),
        (b"item,amount,currency\nx,1e3,USD\n", "document line 2, amount"),
        (b"item,amount,currency\nx,1.005,USD\n", "document line 2, amount"),
        (b"item,amount,currency\nx,,USD\n", "document line 2, amount"),
        (b"item,amount,currency\nx,-1,USD\n", "document"),
        (b"x" * (BYTES_MAX + 1), "document"),
        (b"item,amount,currency\n" + b"x,1,USD\n" * (ROWS_MAX + 1), "document"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(document: bytes, field: str) -> None:
    with pytest.raises(WrongWording) as refused:
        read_statement(document, "USD")
    assert refused.value.field == field
    assert refused.value.example


def test_decimals_are_those_of_the_currency() -> None:
    assert read_statement(b"item,amount,currency\nx,1.005,BHD\n", "BHD")[0].amount == Decimal("1.005")
    with pytest.raises(WrongWording):
        read_statement(b"item,amount,currency\nx,1.0,JPY\n", "JPY")


@settings(max_examples=examples(25))
@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(document: bytes) -> None:
    with suppress(WrongWording):
        assert net_revenue(read_statement(document, "USD")) >= 0
