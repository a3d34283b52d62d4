from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.documents.inputs import Part
from billing.documents.printing import print_document
from billing.documents.reading import read_invoice
from billing.models import Collection, InvoiceSubline
from tests.billing.documents.taxed import taxed_invoice
from tests.billing.issued import ISSUED_AT, Line, make_draft, make_issued, make_parties
from tests.factories import Cast
from tests.filled import MODEL, fill

pytestmark = pytest.mark.django_db
URL = "https://bills.example/"


def test_a_closed_period_is_read_as_it_was_issued(cast: Cast) -> None:
    """A share of two classes over twenty days, and two cards held: what the API says, the paper says."""
    invoice = fill(cast).invoice
    document = read_invoice(invoice.pk, public_url=URL)
    assert (document.number, document.currency, document.time_zone) == (invoice.number, "USD", "UTC")
    assert document.totals.total == document.totals.due == sum(line.amount for line in document.lines) == invoice.total
    share, *leased = document.lines
    assert (share.heading, share.quantity) == (MODEL, Decimal(48_000_000))
    assert share.parts == (
        Part(
            name="Input",
            quantity=Decimal(40_000_000),
            unit="tokens",
            unit_price=Decimal("0.28"),
            price_unit="per_mtok",
            amount=sum(
                (row.exact_amount for row in InvoiceSubline.objects.filter(line__invoice=invoice, token_class="input")),
                Decimal(0),
            ),
        ),
        *share.parts[1:],
    )
    assert [part.name for part in share.parts] == ["Input", "Output"]
    assert sum(part.amount for part in share.parts) == invoice.lines.get(position=1).exact_amount
    assert leased
    assert all(line.heading == "GPU leases" and line.unit == "gpu_seconds" and not line.parts for line in leased)
    assert document.evidence_sha256 == invoice.evidence.sha256
    assert document.payment.url == f"https://bills.example/t/invoices/{invoice.number}/"
    assert (document.seller.name, document.buyer.name) == (cast.provider.name, cast.tenant.name)


def test_a_class_whose_price_changed_has_none_and_tiers_stand_apart() -> None:
    invoice = make_issued((Line("0.00"),))
    line = make_draft((Line("3.00"),), provider=invoice.issuer, tenant=invoice.tenant).lines.get()
    rows = (("output", 0, "1"), ("output", 0, "2"), ("input", 0, "1"), ("input", 200_000, "2"))
    InvoiceSubline.objects.bulk_create(
        InvoiceSubline(
            line=line,
            position=position,
            day=date(2026, 3, position),
            token_class=token_class,
            context_over=context_over,
            quantity=Decimal(10),
            unit_price=Decimal(price),
            base_amount=Decimal("0.75"),
            exact_amount=Decimal("0.75"),
        )
        for position, (token_class, context_over, price) in enumerate(rows, 1)
    )
    type(invoice).objects.filter(pk=line.invoice_id).update(
        number="X-1", state="issued", subtotal=3, total=3, issued_at=ISSUED_AT, due_at=ISSUED_AT
    )
    [read] = read_invoice(line.invoice_id, public_url=URL).lines
    assert [(part.name, part.unit_price, part.quantity) for part in read.parts] == [
        ("Input", Decimal(1), Decimal(10)),
        ("Output", None, Decimal(20)),
        ("Input, over 200,000 input tokens", Decimal(2), Decimal(10)),
    ]


def test_taxes_stand_on_it_by_rate_and_line_and_make_the_electronic_invoice() -> None:
    document = read_invoice(taxed_invoice().pk, public_url=URL)
    assert [(tax.category, tax.percent, tax.base, tax.amount, tax.reason) for tax in document.taxes] == [
        ("S", Decimal(19), Decimal("100.00"), Decimal("19.00"), ""),
        ("E", Decimal(0), Decimal("50.00"), Decimal("0.00"), "Exempt by law."),
    ]
    assert [(line.tax_category, line.tax_percent) for line in document.lines] == [
        ("S", Decimal(19)),
        ("E", Decimal(0)),
    ]
    papers = print_document(document)
    assert [made.format for made in papers.files] == ["pdf", "cii", "ubl"]
    assert papers.lacks == ()


def test_a_card_on_file_is_known_to_be_charged() -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY, parties=make_parties())
    assert read_invoice(invoice.pk, public_url=URL).payment.by_card
