from __future__ import annotations

from decimal import Decimal

import pytest

from billing.corrections.amounts import Wanted
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.documents.inputs import DocumentInput, DocumentKind
from billing.documents.making import due_documents, make_documents
from billing.documents.printing import print_document
from billing.documents.reading_credit import read_credit_note
from billing.models import CreditNote, CreditReason, DocumentFile, Invoice
from tests.billing.documents.taxed import taxed_invoice
from tests.billing.issued import ISSUED_AT, Line, make_issued

pytestmark = pytest.mark.django_db
URL = "https://bills.example"


def credited(invoice: Invoice, scope: Scope) -> CreditNote:
    return issue_credit_note(
        invoice_id=invoice.pk,
        scope=scope,
        reason=CreditReason.SERVICE,
        note="One day was lost.",
        by="petra@example.com",
        now=ISSUED_AT,
    )


def read(note: CreditNote) -> DocumentInput:
    return read_credit_note(note.pk, public_url=URL)


def test_the_whole_of_an_invoice_goes_back_with_its_taxes() -> None:
    invoice = taxed_invoice()
    note = credited(invoice, Scope())
    document = read(note)
    assert (document.kind, document.number, document.about) == (DocumentKind.CREDIT_NOTE, note.number, invoice.number)
    assert (document.totals.subtotal, document.totals.tax, document.totals.total) == (
        Decimal("150.00"),
        Decimal("19.00"),
        Decimal("169.00"),
    )
    assert document.notes == ("The service was not as agreed: One day was lost.",)
    assert [line.tax_category for line in document.lines] == ["S", "E"]
    assert sum(tax.base for tax in document.taxes) == Decimal("150.00")
    assert sum(tax.amount for tax in document.taxes) == Decimal("19.00")


def test_the_reason_has_the_mark_of_the_papers_language() -> None:
    note = credited(taxed_invoice(language="zh-hans"), Scope())
    assert read(note).notes == ("服务与约定不符\uff1aOne day was lost.",)


def test_a_line_by_an_amount_is_that_amount_and_one_by_quantity_has_its_price() -> None:
    invoice = make_issued((Line("100.00"),))
    by_amount = read(credited(invoice, Scope(amount=Decimal("10.00")))).lines[0]
    assert (by_amount.unit, by_amount.quantity, by_amount.amount) == ("amount", Decimal(1), Decimal("10.00"))
    wanted = Wanted(position=1, quantity=Decimal(200_000))
    by_quantity = read(credited(invoice, Scope(lines=(wanted,)))).lines[0]
    assert by_quantity.amount == Decimal("20.00")


def test_its_papers_are_begun_with_it_and_made_by_the_same_sweep() -> None:
    invoice = taxed_invoice(exempt=False)
    note = credited(invoice, Scope(amount=Decimal("33.33")))
    assert note.pk in due_documents(now=ISSUED_AT, limit=10)
    assert make_documents(subject_id=note.pk, public_url=URL, now=ISSUED_AT)
    files = dict(DocumentFile.objects.filter(step_id=note.pk).values_list("format", "name"))
    assert files["pdf"] == f"credit-note-{note.number}.pdf"
    assert print_document(read(note)).lacks == ()
