"""The taxes of an issued invoice, by rate and by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from billing.models import InvoiceLineTax, InvoiceTax


@dataclass(frozen=True, slots=True)
class RateRow:
    """The tax of one rate: `tax` of `taxable`. `position` is what lines name it by."""

    position: int
    category: str
    percent: Decimal
    country: str
    source: str
    reason_code: str
    reason: str
    taxable: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class LineTax:
    """A line's rate and its part of that rate's tax."""

    rate: int
    category: str
    percent: Decimal
    tax: Decimal


def invoice_rates(invoice_id: UUID) -> tuple[RateRow, ...]:
    """Return the rates of an invoice in their order; none where it was issued before taxes were worked out."""
    return tuple(
        RateRow(
            row.position,
            row.category,
            row.percent,
            row.country,
            row.source,
            row.reason_code,
            row.reason,
            row.taxable,
            row.tax,
        )
        for row in InvoiceTax.objects.filter(invoice=invoice_id).order_by("position")
    )


def line_taxes(invoice_id: UUID) -> Mapping[int, LineTax]:
    """Return the taxes of an invoice's lines by their position."""
    rows = InvoiceLineTax.objects.filter(line__invoice=invoice_id).values_list(
        "line__position", "rate__position", "rate__category", "rate__percent", "tax"
    )
    return {position: LineTax(rate, category, percent, tax) for position, rate, category, percent, tax in rows}
