"""A tenant's certified revenue statement as a file: rows of `item,amount,currency` that sum to the net revenue.

Deductions (refunds, taxes, fees) are rows with negative amounts, so that the sum can be followed. Pure.
"""

import csv
import io
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from billing.money import exact_sum, minor_digits
from billing.rating.wording import WrongWording
from tenants.sentences import Listed, sentence

COLUMNS: Final = ("item", "amount", "currency")
BYTES_MAX: Final = 1_048_576
ROWS_MAX: Final = 10_000
ITEM_CHARS_MAX: Final = 200
EXAMPLE: Final = "item,amount,currency / sample-model,1250.00,USD / refunds,-50.00,USD"
_AMOUNT: Final = re.compile(r"-?\d{1,15}(?:\.(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatedRow:
    """One row: what, and how much; deductions are negative."""

    item: str
    amount: Decimal


def read_statement(document: bytes, currency: str) -> tuple[StatedRow, ...]:
    """Return the rows of a statement in a currency; raises `WrongWording` with the line and column that is wrong."""
    if len(document) > BYTES_MAX:
        raise WrongWording(
            "document",
            sentence("It has %(count)s bytes, more than %(most)s.", count=len(document), most=BYTES_MAX),
            EXAMPLE,
        )
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongWording("document", sentence("Byte %(start)s is not UTF-8.", start=error.start), EXAMPLE) from error
    try:
        lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line]
    except csv.Error as error:
        raise WrongWording("document", sentence("It is not CSV: %(error)s.", error=error), EXAMPLE) from error
    head = tuple(name.strip().lower() for name in lines[0]) if lines else ()
    if sorted(head) != sorted(COLUMNS):
        raise WrongWording(
            "document line 1", sentence("The columns are %(columns)s.", columns=Listed(COLUMNS)), EXAMPLE
        )
    if not 0 < len(lines) - 1 <= ROWS_MAX:
        raise WrongWording(
            "document",
            sentence("It has %(count)s rows; 1 to %(most)s are expected.", count=len(lines) - 1, most=ROWS_MAX),
            EXAMPLE,
        )
    rows = tuple(_row(number, head, line, currency) for number, line in enumerate(lines[1:], 2))
    if net_revenue(rows) < 0:
        raise WrongWording(
            "document",
            sentence("The rows sum to %(net_revenue)s; net revenue is not negative.", net_revenue=net_revenue(rows)),
            EXAMPLE,
        )
    return rows


def net_revenue(rows: tuple[StatedRow, ...]) -> Decimal:
    """Return what the rows sum to."""
    return exact_sum(row.amount for row in rows)


def _row(number: int, head: tuple[str, ...], line: list[str], currency: str) -> StatedRow:
    if len(line) != len(head):
        raise WrongWording(
            f"document line {number}",
            sentence("It has %(count)s columns, not %(count_2)s.", count=len(line), count_2=len(head)),
            EXAMPLE,
        )
    cell = {name: value.strip() for name, value in zip(head, line, strict=True)}
    if not 0 < len(cell["item"]) <= ITEM_CHARS_MAX:
        raise WrongWording(
            f"document line {number}, item",
            sentence("1 to %(most)s characters say what it is.", most=ITEM_CHARS_MAX),
            "refunds",
        )
    if cell["currency"] != currency:
        reason = sentence(
            "The contract is in %(currency)s, not in %(cell)s.", currency=currency, cell=repr(cell["currency"][:20])
        )
        raise WrongWording(f"document line {number}, currency", reason, currency)
    found = _AMOUNT.fullmatch(cell["amount"])
    if found is None or len(found[1] or "") > minor_digits(currency):
        reason = sentence("%(cell)s is no amount in %(currency)s.", cell=repr(cell["amount"][:40]), currency=currency)
        raise WrongWording(f"document line {number}, amount", reason, "1250.00")
    return StatedRow(cell["item"], Decimal(cell["amount"]))
