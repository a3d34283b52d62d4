"""Files of statements to save; how CSV is written is `tenants.listing.csv_files`'s."""

from django.http import HttpResponse

from billing.models import RevenueStatement
from tenants.listing.csv_files import FORMULA_STARTS as FORMULA_STARTS
from tenants.listing.csv_files import CsvRenderer as CsvRenderer
from tenants.listing.csv_files import csv_answer as csv_answer
from tenants.listing.csv_files import csv_lines as csv_lines


def document_answer(statement: RevenueStatement) -> HttpResponse:
    """Return the file of a statement to save."""
    name = f"revenue-{statement.term.ref}-{statement.period.from_at:%Y-%m-%d}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": f'"{statement.sha256}"',
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(bytes(statement.document), content_type="text/csv; charset=utf-8", headers=headers)
