"""Voids: nothing owed and nothing booked of an invoice any more, and only where nothing hangs on it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.corrections.voiding import NotVoidable, void_invoice, voidable
from billing.dues import dues_of
from billing.models import Invoice, InvoiceLine, InvoiceState, Settlement, SettlementState
from billing.payment_reversals import reverse_payment
from billing.write_offs import ReasonMissing, write_off
from tenants.models import AuditEntry
from tests.billing.corrections.called import Callers
from tests.billing.corrections.corrected import BY, NOW, books, credit, pay, wrong_in_the_books
from tests.billing.corrections.kept import by_hand
from tests.billing.issued import Line, make_draft, make_issued, make_parties

pytestmark = pytest.mark.django_db


def void(invoice: Invoice, reason: str = "Issued to the wrong company") -> Invoice:
    return void_invoice(invoice_id=invoice.pk, reason=reason, by=BY, now=NOW)


def test_a_void_invoice_keeps_its_number_and_owes_nothing() -> None:
    invoice = make_issued([Line("100.00"), Line("-20.00")])
    by_hand(invoice, SettlementState.FAILED)
    for _ in range(2):
        voided = void(invoice)
    assert (voided.state, voided.number) == (InvoiceState.VOID, invoice.number)
    assert dues_of(voided).left == Decimal(0)
    assert books(invoice.tenant) == books(invoice.issuer) == {}
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.WAIT
    assert AuditEntry.objects.filter(action="invoice.voided").count() == 1
    assert not wrong_in_the_books()


def test_what_was_paid_credited_or_written_off_is_not_voided() -> None:
    paid, back, credited, written = (make_issued([Line("100.00")]) for _ in range(4))
    pay(paid, "1")
    payment = pay(back, "1")
    reverse_payment(payment_id=payment.pk, reference="back", reason="Not theirs", by=BY, now=NOW)
    credit(credited, amount="1")
    write_off(invoice_id=written.pk, reason="Insolvent", by=BY, now=NOW)
    for invoice in (paid, back, credited, written):
        invoice.refresh_from_db()
        assert not voidable(invoice)
        with pytest.raises(NotVoidable):
            void(invoice)
    assert not wrong_in_the_books()


def test_a_draft_and_an_invoice_that_took_a_deposit_are_not_voided() -> None:
    provider, tenant = make_parties()
    draft = make_draft([Line("100.00")], provider=provider, tenant=tenant)
    with pytest.raises(NotVoidable, match="draft"):
        void(draft)
    InvoiceLine.objects.filter(invoice=draft).update(rule="lease_deposit_taken")
    Invoice.objects.filter(pk=draft.pk).update(
        state=InvoiceState.ISSUED, number="D-9", subtotal=100, total=100, issued_at=NOW, due_at=NOW
    )
    with pytest.raises(NotVoidable, match="deposit"):
        void(draft)


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_a_reason_is_asked_for(reason: str) -> None:
    with pytest.raises(ReasonMissing):
        void(make_issued(), reason)


def test_only_the_issuer_voids_by_the_api() -> None:
    calls = Callers()
    for who in ("tenant", "charlie"):
        assert calls.post(who, calls.of_invoice("void"), {"reason": "x"}).status_code == 404
    voided = calls.post("provider", calls.of_invoice("void"), {"reason": "Wrong company"})
    assert (voided.status_code, voided.json()["state"]) == (200, "void")
    assert calls.post("provider", calls.of_invoice("write-off"), {"reason": "x"}).status_code == 409
