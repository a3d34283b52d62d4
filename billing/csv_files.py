"""CSV files, streamed row by row, that spreadsheets read as they were meant."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.renderers import JSONRenderer

from billing.models import RevenueStatement

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class CsvRenderer(JSONRenderer):
    """Lets a list be asked for as `text/csv`; what goes wrong is still said in JSON."""

    media_type = "text/csv"
    format = "csv"


class _Echo:
    """A file that hands every line straight back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a CSV file (RFC 4180) with its head."""
    writer = csv.writer(_Echo())
    yield writer.writerow(head)
    for row in rows:
        yield writer.writerow([_cell(value) for value in row])


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """Return a file to save under `name`; nothing of it is kept in memory."""
    return StreamingHttpResponse(
        csv_lines(head, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def document_answer(statement: RevenueStatement) -> HttpResponse:
    """Return the file of a statement to save."""
    name = f"revenue-{statement.term.ref}-{statement.period.from_at:%Y-%m-%d}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": f'"{statement.sha256}"',
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(bytes(statement.document), content_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is written as text; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else value
