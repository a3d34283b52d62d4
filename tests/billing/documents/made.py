"""Sample documents for tests: invented parties, figures that add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from billing.documents.inputs import (
    BankAccount,
    DocumentInput,
    DocumentKind,
    Language,
    Line,
    Part,
    Party,
    Payment,
    Tax,
    Totals,
)

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
ISSUED = datetime(2026, 4, 3, 9, 0, 1, tzinfo=UTC)
DUE = datetime(2026, 4, 17, 9, tzinfo=UTC)
SELLER = Party(
    name="Sample Compute GmbH",
    address=("Musterweg 1",),
    city="Musterstadt",
    postcode="10999",
    country="DE",
    vat_id="DE136695976",
    legal_id="HRB 0000",
    email="billing@compute.example",
)
BUYER = Party(
    name="Sample Tokens SAS",
    address=("1 rue de l’Exemple", "Bâtiment B"),
    city="Exempleville",
    postcode="75000",
    country="FR",
    vat_id="FR40303265045",
    email="bills@tokens.example",
)
ACCOUNT = BankAccount(holder="Sample Compute GmbH", iban="DE02120300000000202051", bic="BYLADEM1001")


def lease_line(position: int = 1, *, amount: str = "9813.60", category: str = "S", percent: str = "19") -> Line:
    """Eight cards for 522 hours at 2.35."""
    return Line(
        position=position,
        heading="GPU leases",
        name="L-0001 · H100 cluster",
        rule="lease_fixed_rate",
        quantity=Decimal(8 * 522 * 3600),
        unit="gpu_seconds",
        unit_price=Decimal("2.35"),
        price_unit="per_gpu_hour",
        amount=Decimal(amount),
        from_at=datetime(2026, 3, 10, 6, tzinfo=UTC),
        to_at=APRIL,
        tax_category=category,
        tax_percent=Decimal(percent),
    )


def share_line(
    position: int = 2, *, model: str = "llama-3-70b", amount: str = "5.01", category: str = "S", percent: str = "19"
) -> Line:
    """A share of 30 % of the list price of two classes."""
    return Line(
        position=position,
        heading=model,
        name="S-0001 · 30 % of list price",
        rule="token_share_list_price",
        quantity=Decimal(26_450_535),
        unit="tokens",
        unit_price=None,
        price_unit="per_mtok",
        share_percent=Decimal(30),
        amount=Decimal(amount),
        from_at=MARCH,
        to_at=APRIL,
        parts=(
            Part(
                name="Input",
                quantity=Decimal(22_361_870),
                unit="tokens",
                unit_price=Decimal("0.60"),
                price_unit="per_mtok",
                amount=Decimal("4.0251366"),
            ),
            Part(
                name="Output",
                quantity=Decimal(4_088_665),
                unit="tokens",
                unit_price=Decimal("0.80"),
                price_unit="per_mtok",
                amount=Decimal("0.9812796"),
            ),
        ),
        tax_category=category,
        tax_percent=Decimal(percent),
    )


def discount_line(position: int = 3, *, amount: str = "-18.61", category: str = "S", percent: str = "19") -> Line:
    """Something taken off."""
    return Line(
        position=position,
        heading="Other",
        name="D-0001 · discount",
        rule="discount_amount",
        quantity=Decimal(-1),
        unit="amount",
        unit_price=Decimal(amount).copy_abs(),
        price_unit="amount",
        amount=Decimal(amount),
        from_at=MARCH,
        to_at=APRIL,
        tax_category=category,
        tax_percent=Decimal(percent),
    )


def invoice(**changes: object) -> DocumentInput:
    """9,800.00 EUR and 19 % tax: 11,662.00."""
    document = DocumentInput(
        kind=DocumentKind.INVOICE,
        language=Language.EN,
        number="INV-0001",
        issued_at=ISSUED,
        due_at=DUE,
        from_at=MARCH,
        to_at=APRIL,
        time_zone="Europe/Berlin",
        currency="EUR",
        contract="C-0001",
        seller=SELLER,
        buyer=BUYER,
        lines=(lease_line(), share_line(), discount_line()),
        taxes=(Tax(category="S", percent=Decimal(19), base=Decimal("9800.00"), amount=Decimal("1862.00")),),
        totals=Totals(
            subtotal=Decimal("9800.00"), tax=Decimal("1862.00"), total=Decimal("11662.00"), due=Decimal("11662.00")
        ),
        payment=Payment(
            account=ACCOUNT, reference="RF18539007547034", url="https://bills.example/t/invoices/INV-0001/"
        ),
        notes=("Thank you for your trust.",),
        evidence_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    )
    return replace(document, **changes)  # type: ignore[arg-type]  # names of its own fields


def long_invoice(lines: int = 120) -> DocumentInput:
    """Many lines over many pages, each with its classes; without tax."""
    rows = tuple(
        share_line(place, model=f"model-{place // 10:02d}", category="", percent="0") for place in range(1, lines + 1)
    )
    total = Decimal("5.01") * lines
    return invoice(
        lines=rows,
        taxes=(),
        totals=Totals(subtotal=total, tax=Decimal("0.00"), total=total, due=total),
    )
