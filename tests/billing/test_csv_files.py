from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.http import StreamingHttpResponse

from billing.csv_files import csv_answer, csv_lines


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_rows_come_back_as_they_went_in() -> None:
    lines = "".join(csv_lines(("name", "tokens"), [('a "quoted", name\nof two lines', 7), ("", None)]))
    assert read(lines) == [["name", "tokens"], ['a "quoted", name\nof two lines', "7"], ["", ""]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_kept_as_text(start: str) -> None:
    assert read("".join(csv_lines(("model",), [(f"{start}1+1",)])))[1][0].startswith(f"'{start}")


def test_numbers_stay_numbers_without_an_exponent() -> None:
    rows = [(Decimal("-0.000000000000000001"), Decimal("1E+3"), -5)]
    assert read("".join(csv_lines(("a", "b", "c"), rows)))[1] == ["-0.000000000000000001", "1000", "-5"]


def test_a_file_is_streamed_and_named() -> None:
    answer = csv_answer("usage.csv", ("a",), ((number,) for number in range(3)))
    assert isinstance(answer, StreamingHttpResponse)
    assert answer["Content-Disposition"] == 'attachment; filename="usage.csv"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(answer) == b"a\r\n0\r\n1\r\n2\r\n"
