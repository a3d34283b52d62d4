"""CSV files, streamed row by row, that spreadsheets read as they were meant."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.http import StreamingHttpResponse
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms of the first, which spreadsheets in East Asian languages compute too."""

ROWS_AT_ONCE: Final = 200
"""Written and sent together: each piece of an answer costs the server as much as some hundred rows."""


class CsvRenderer(JSONRenderer):
    """Lets a list be asked for as `text/csv`; what goes wrong is still said in JSON."""

    media_type = "text/csv"
    format = "csv"


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield a CSV file (RFC 4180): its head at once, before a row is asked for, then some rows at a time."""
    yield _written([head])
    waiting = iter(rows)
    while block := [[_cell(value) for value in row] for row in islice(waiting, ROWS_AT_ONCE)]:
        yield _written(block)


def _written(rows: Iterable[Sequence[object]]) -> str:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue()


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """Return a file to save under `name`; nothing of it is kept in memory."""
    return StreamingHttpResponse(
        csv_lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def columns_of(shape: type[serializers.BaseSerializer[Any]], before: str = "") -> list[str]:
    """Return the columns of rows of a shape: its fields in their order, those of an object inside it as `outer.inner`.

    A list inside a row is one column; it holds JSON.
    """
    named: list[str] = []
    for name, field in getattr(shape(), "fields", {}).items():
        if isinstance(field, serializers.Serializer):
            named += columns_of(type(field), f"{before}{name}.")
        else:
            named.append(f"{before}{name}")
    return named


def cells_of(row: Mapping[str, object], columns: Sequence[str]) -> list[object]:
    """Return the values of a row below columns that `columns_of` gave; what it lacks is empty."""
    return [_found(row, column.split(".")) for column in columns]


def _found(row: Mapping[str, object], path: Sequence[str]) -> object:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is written as text; numbers stay numbers."""
    if type(value) is int:
        return value
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) and not _is_number(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return value


def _is_number(text: str) -> bool:
    """A negative amount that is written as a string, as the API writes amounts."""
    return text[1:].replace(".", "", 1).isdecimal() and text.isascii() and text[0] in "+-"
