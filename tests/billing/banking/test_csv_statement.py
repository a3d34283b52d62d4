"""Statements as CSV: what programs write, and what cannot be read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.banking.csv_statement import read_csv
from billing.banking.entries import AccountStatement, UnreadableStatement

HEAD = "booked_on,amount,currency,payer,reference,text,entry_reference"


def read(text: str) -> AccountStatement:
    return read_csv(text.encode(), account="1234")


def test_rows_are_movements() -> None:
    statement = read(f"{HEAD}\n2026-04-14,10.50,USD,Payer Ltd,RF40INV0001,thanks,A1\n\n2026-04-15,-3,usd,,,,A2\n")
    assert [one.reference for one in statement.entries] == ["A1", "A2"]
    first, second = statement.entries
    assert (first.amount, first.payer, first.structured, first.text, first.booked_on) == (
        Decimal("10.50"), "Payer Ltd", "RF40INV0001", "thanks", date(2026, 4, 14),
    )  # fmt: skip
    assert (float(second.amount), second.currency, second.place) == (-3, "USD", "line 4")


def test_semicolons_commas_and_a_mark_at_the_beginning() -> None:
    statement = read("\N{ZERO WIDTH NO-BREAK SPACE}Booked_On;Amount;Currency\r\n2026-04-14;1234,50;EUR\r\n")
    assert statement.entries[0].amount == Decimal("1234.50")


def test_rows_without_an_id_are_known_again() -> None:
    rows = "2026-04-14,1,USD,,,same,\n"
    first, second = (read(f"{HEAD}\n{rows * count}").entries for count in (2, 3))
    assert [one.reference for one in first] == [one.reference for one in second[:2]]
    assert len({one.reference for one in second}) == 3


def test_a_row_that_cannot_be_read_is_a_fault_beside_the_others() -> None:
    statement = read(
        f"{HEAD}\nsoon,1,USD\n2026-04-14,1.234.5,USD\n2026-04-14,1,DOLLAR\n2026-04-14,0,USD\n2026-04-14,1,USD\n2026-04-14"
    )
    assert len(statement.entries) == 1
    assert [fault.place for fault in statement.faults] == ["line 2", "line 3", "line 4", "line 5", "line 7"]
    assert "expected a day such as 2026-11-22" in statement.faults[0].detail


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n", b"booked_on,amount\n", b"booked_on,amount,currency,amount\n", b"\xff\xfe", b"a\0b",
     b'booked_on,amount,currency\n"2026', b"x" * (8 * 1024 * 1024 + 1)],
)  # fmt: skip
def test_what_is_no_such_file_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(UnreadableStatement):
        read_csv(content, account="1234")


def test_too_many_rows_are_refused_rather_than_cut() -> None:
    with pytest.raises(UnreadableStatement, match="Split it by days"):
        read("booked_on,amount,currency\n" + "2026-04-14,1,USD\n" * 20_001)
