"""The rows of an invoice's taxes: one for each rate, and each line's part of it."""

from collections.abc import Sequence

from billing.evidence_taxes import Taxes
from billing.models import Invoice, InvoiceLine, InvoiceLineTax, InvoiceTax


def tax_rows(
    invoice: Invoice, taxes: Taxes, lines: Sequence[tuple[InvoiceLine, int]]
) -> tuple[list[InvoiceTax], list[InvoiceLineTax]]:
    """Return the rows of a draft's taxes; `lines` are its lines with their places in the bill that was taxed."""
    rates = [
        InvoiceTax(
            invoice=invoice,
            position=position,
            category=row.treatment.category,
            percent=row.treatment.percent,
            country=row.treatment.country,
            source=row.treatment.source,
            reason_code=row.treatment.reason_code,
            reason=row.treatment.reason,
            taxable=row.taxable,
            tax=row.tax,
        )
        for position, row in enumerate(taxes.bill.rows, 1)
    ]
    return rates, [
        InvoiceLineTax(line=line, rate=rates[taxes.bill.places[place]], tax=taxes.bill.line_taxes[place])
        for line, place in lines
    ]
