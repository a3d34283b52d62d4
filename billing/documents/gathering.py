"""How much of a long document is printed: what a paper takes to set, and what memory, is bounded.

What is printed always sums to the document's own totals. Everything else stands where the paper says: in the CSV, the
electronic invoice and the evidence file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from billing.documents.inputs import Line
from billing.rating.rated import Unit

ROWS_MAX = 500
"""Rows that are printed at most: some twelve pages, a third of a second, 150 MB."""


class Detail(StrEnum):
    """How much is printed: everything, lines without their parts, or sums by heading."""

    PARTS = "parts"
    LINES = "lines"
    HEADINGS = "headings"


@dataclass(frozen=True, slots=True)
class Sum:
    """What lines under a heading come to; `quantity` is None where they are not counted in one unit, `heading` empty
    for those of the smallest headings together."""

    heading: str
    lines: int
    headings: int
    quantity: Decimal | None
    unit: str
    tax_percent: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Printed:
    """What is printed of a document's lines: these, or else sums of them."""

    detail: Detail
    lines: tuple[Line, ...] = ()
    sums: tuple[Sum, ...] = ()


def printed(lines: Sequence[Line], *, rows_max: int = ROWS_MAX) -> Printed:
    """Return as much as there is room for, in the document's order.

    Headings for which there is no room are those with the smallest amounts; they are summed into one.
    """
    headings = _by_heading(lines)
    rows = _rows(lines)
    if rows + sum(len(line.parts) for line in lines) <= rows_max:
        return Printed(Detail.PARTS, tuple(lines))
    if rows <= rows_max:
        return Printed(Detail.LINES, tuple(replace(line, parts=()) for line in lines))
    if len(headings) <= rows_max:
        return Printed(Detail.HEADINGS, sums=tuple(_sum(heading, its, 1) for heading, its in headings.items()))
    largest = sorted(headings, key=lambda heading: -abs(_amount(headings[heading])))[: rows_max - 1]
    shown = set(largest)
    others = [line for heading, its in headings.items() if heading not in shown for line in its]
    kept = [_sum(heading, its, 1) for heading, its in headings.items() if heading in shown]
    return Printed(Detail.HEADINGS, sums=(*kept, _sum("", others, len(headings) - len(kept))))


def _rows(lines: Sequence[Line]) -> int:
    """Lines, and a heading wherever another begins."""
    before = [None, *(line.heading for line in lines)]
    return len(lines) + sum(line.heading != last for line, last in zip(lines, before, strict=False))


def _by_heading(lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.heading, []).append(line)
    return found


def _amount(lines: Sequence[Line]) -> Decimal:
    return sum((line.amount for line in lines), start=Decimal(0))


def _sum(heading: str, lines: Sequence[Line], headings: int) -> Sum:
    units = {line.unit for line in lines}
    rates = {line.said_percent for line in lines}
    counted = len(units) == 1 and units != {Unit.AMOUNT}
    return Sum(
        heading=heading,
        lines=len(lines),
        headings=headings,
        quantity=sum((line.quantity for line in lines), start=Decimal(0)) if counted else None,
        unit=lines[0].unit if counted else Unit.AMOUNT,
        tax_percent=lines[0].said_percent if len(rates) == 1 else None,
        amount=_amount(lines),
    )
