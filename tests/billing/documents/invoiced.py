"""Sample documents as electronic invoices, one of each tax category."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from billing.documents.einvoice import Einvoice, Lacks, einvoice_of
from billing.documents.inputs import DocumentInput, DocumentKind, Tax, Totals
from tests.billing.documents.made import ISSUED, discount_line, invoice, lease_line, share_line

REASONS = {
    "AE": "Reverse charge: the buyer owes the tax.",
    "K": "Supply within the EU, free of tax.",
    "G": "Export, free of tax.",
    "O": "Not subject to tax.",
    "E": "Exempt.",
    "Z": "",
}


def untaxed(category: str) -> DocumentInput:
    """9,800.00 EUR on which no tax is due, for the reason of a category."""
    whole = Decimal("9800.00")
    lines = (
        lease_line(category=category, percent="0"),
        share_line(category=category, percent="0"),
        discount_line(category=category, percent="0"),
    )
    tax = Tax(category=category, percent=Decimal(0), base=whole, amount=Decimal("0.00"), reason=REASONS[category])
    return invoice(
        lines=lines,
        taxes=(tax,),
        totals=Totals(subtotal=whole, tax=Decimal("0.00"), total=whole, due=whole),
    )


def credit_note() -> DocumentInput:
    """The whole of INV-0001, credited."""
    return invoice(kind=DocumentKind.CREDIT_NOTE, number="CN-0001", due_at=None, about="INV-0001", about_at=ISSUED)


def two_rates() -> DocumentInput:
    """Two rates on one invoice, part of it paid before."""
    lines = (
        lease_line(1, amount="9813.60"),
        replace(discount_line(2, amount="-13.60"), tax_percent=Decimal(19)),
        replace(discount_line(3, amount="100.00", percent="7"), quantity=Decimal(1)),
    )
    taxes = (
        Tax(category="S", percent=Decimal(19), base=Decimal("9800.00"), amount=Decimal("1862.00")),
        Tax(category="S", percent=Decimal(7), base=Decimal("100.00"), amount=Decimal("7.00")),
    )
    totals = Totals(
        subtotal=Decimal("9900.00"),
        tax=Decimal("1869.00"),
        total=Decimal("11769.00"),
        prepaid=Decimal("1769.00"),
        due=Decimal("10000.00"),
    )
    return invoice(lines=lines, taxes=taxes, totals=totals)


def known(document: DocumentInput) -> Einvoice:
    """The electronic invoice of a document that lacks nothing."""
    found = einvoice_of(document)
    assert not isinstance(found, Lacks), found
    return found


SAMPLES = {
    "standard": invoice(),
    "credit note": credit_note(),
    "two rates": two_rates(),
    **{category: untaxed(category) for category in REASONS},
}
