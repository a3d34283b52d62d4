"""The lines of an invoice as rows of a CSV file."""

from collections.abc import Iterator

from billing.money import round_to_minor
from billing.queries.invoice_detail import InvoiceLines
from metering.context_bands import tier_id

PART_HEAD = (
    "line",
    "heading",
    "description",
    "model",
    "day",
    "token_class",
    "tier",
    "quantity",
    "unit",
    "unit_price",
    "unit_price_unit",
    "price_version",
    "share_percent",
    "base_amount",
    "exact_amount",
    "line_amount",
)


def part_rows(found: InvoiceLines) -> Iterator[tuple[object, ...]]:
    """One row per part; a line's rounded amount stands on its first part only, so that the column sums to the total."""
    for group in found.groups:
        for line in group.lines:
            for place, part in enumerate(line.sublines):
                yield (
                    line.position,
                    group.heading,
                    line.description,
                    line.model,
                    part.day,
                    part.token_class,
                    tier_id(part.context_over),
                    part.quantity,
                    line.unit,
                    part.unit_price,
                    line.unit_price_unit,
                    part.version,
                    line.share_percent,
                    part.base_amount,
                    part.exact_amount,
                    None if place else round_to_minor(line.amount, found.row.currency),
                )
