"""CSV files: RFC 4180 with a head, every value in one writing, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.http import StreamingHttpResponse
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

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


class PlaceSerializer(serializers.Serializer[object]):
    """An object within a row."""

    cluster = serializers.CharField()
    node = serializers.CharField()


class RowSerializer(serializers.Serializer[object]):
    """A row with an object and a list inside it."""

    id = serializers.CharField()
    place = PlaceSerializer()
    tags = serializers.ListField(child=serializers.CharField())
    parts = PlaceSerializer(many=True)


def written(*values: object) -> list[str]:
    """One row's cells as a reader of the file gets them."""
    head = [str(number) for number in range(len(values))]
    read = list(csv.reader(io.StringIO("".join(csv_lines(head, [values])), newline="")))
    assert read[0] == head
    return read[1]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", ""),
        ("plain", "plain"),
        ("a, b", "a, b"),
        ('say "hi"', 'say "hi"'),
        ("two\r\nlines", "two\r\nlines"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-7, "-7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.0100"), "-0.0100"),
        (Decimal("1E-10"), "0.0000000001"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=8))), "2026-02-28T17:00:00Z"),
        (datetime(2026, 3, 1, 0, 0, 0, 5, tzinfo=UTC), "2026-03-01T00:00:00.000005Z"),
        ([], "[]"),
        (["a", 1], '["a", 1]'),
        (("b",), '["b"]'),
        ({"名": Decimal("1.50")}, '{"名": "1.50"}'),
    ],
)
def test_each_kind_of_value_has_one_writing(value: object, cell: str) -> None:
    assert written("first", value) == ["first", cell]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@sum", "\tx", "\rx", "=", "-", "+1+1", "-1.2.3", "-½"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert written(text) == [f"'{text}"]


@pytest.mark.parametrize("text", ["-1", "-0.50", "+3", "-1000000.00", "1=1", "a@b.example", "2-1"])
def test_amounts_and_what_only_looks_alike_stay_as_they_are(text: str) -> None:
    assert written(text) == [text]


def test_the_head_is_sent_before_a_row_is_asked_for_and_rows_some_at_a_time() -> None:
    made: list[int] = []

    def rows() -> Iterator[tuple[int, str]]:
        for number in range(2 * ROWS_AT_ONCE + 1):
            made.append(number)
            yield number, "two\nlines"

    pieces = csv_lines(("number", "text"), rows())
    assert (next(pieces), made) == ("number,text\r\n", [])
    assert next(pieces).startswith("0,") and len(made) == ROWS_AT_ONCE  # noqa: PT018  one look at two things
    rest = list(pieces)
    assert len(rest) == 2
    assert rest[-1].startswith(f"{2 * ROWS_AT_ONCE},")


@given(st.lists(TEXTS, min_size=2, max_size=5))
def test_what_is_read_is_what_was_written_but_for_the_mark_of_text(values: list[str]) -> None:
    for cell, value in zip(written(*values), values, strict=True):
        assert cell in (value, f"'{value}")
        is_amount = value[1:].replace(".", "", 1).isdecimal()
        if cell.startswith(FORMULA_STARTS):
            assert is_amount, "nothing but a number may begin like a formula"


@given(st.lists(st.tuples(TEXTS, st.integers()), max_size=8))
def test_there_is_one_line_for_each_row(rows: list[tuple[str, int]]) -> None:
    text = "".join(csv_lines(["a", "b"], rows))
    assert len(list(csv.reader(io.StringIO(text, newline="")))) == len(rows) + 1
    assert text.endswith("\r\n")


def test_columns_are_the_members_in_their_order_and_those_of_an_object_by_its_name() -> None:
    assert columns_of(RowSerializer) == ["id", "place.cluster", "place.node", "tags", "parts"]


def test_cells_stand_below_their_columns_and_what_is_not_there_is_empty() -> None:
    columns = columns_of(RowSerializer)
    row = {"tags": ["x"], "id": "1", "place": {"node": "n"}, "parts": [{"cluster": "c"}], "more": "not a column"}
    assert cells_of(row, columns) == ["1", None, "n", ["x"], [{"cluster": "c"}]]
    assert cells_of({"place": None}, columns) == [None] * 5
    assert cells_of({"place": "no object"}, columns) == [None] * 5
    assert [json.loads(cell) for cell in written(*cells_of(row, columns))[3:]] == [["x"], [{"cluster": "c"}]]


def test_a_file_is_sent_as_it_is_made() -> None:
    made: list[int] = []

    def rows() -> object:
        for number in range(ROWS_AT_ONCE + 1):
            made.append(number)
            yield [number]

    answer = csv_answer("sample.csv", ["n"], rows())  # type: ignore[arg-type]  # a generator of rows
    assert isinstance(answer, StreamingHttpResponse)
    assert made == [], "nothing is read before it is sent"
    lines = iter(answer)
    assert (next(lines), made) == (b"n\r\n", [])
    assert next(lines).startswith(b"0\r\n1\r\n")
    assert len(made) == ROWS_AT_ONCE
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sample.csv"'


def test_what_goes_wrong_is_said_in_json_although_csv_was_asked_for() -> None:
    assert (CsvRenderer.media_type, CsvRenderer.format) == ("text/csv", "csv")
    assert CsvRenderer().render({"code": "invalid"}) == b'{"code":"invalid"}'
