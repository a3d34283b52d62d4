"""Stripe can hold more than an invoice owes: such an invoice is credited and recovered like any other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection

from billing.dues import dues_of
from billing.models import BalanceAccount, CreditNote, CreditNoteLine, CreditReason, Invoice, InvoiceState, WriteOff
from billing.payments import PaymentMethod
from billing.write_offs import write_off
from tests.billing.corrections.corrected import BY, NOW, credit, pay, wrong_in_the_books
from tests.billing.corrections.kept import stands
from tests.billing.issued import Line, make_issued
from tests.kept import kept

pytestmark = pytest.mark.django_db


def make_overpaid(amount: str = "110") -> Invoice:
    invoice = make_issued([Line("100.00")])
    pay(invoice, amount, PaymentMethod.STRIPE)
    return Invoice.objects.get(pk=invoice.pk)


invoice = kept(make_overpaid)


def test_what_is_credited_of_an_overpaid_invoice_goes_to_the_balance(invoice: Invoice) -> None:
    note = credit(invoice, amount="30")
    assert (note.total, note.applied) == (Decimal(30), Decimal(0))
    assert stands(BalanceAccount.objects.get()) == Decimal(30)
    assert dues_of(invoice).left == Decimal(-10)
    assert wrong_in_the_books() == {}


def test_a_credit_note_that_takes_more_off_than_is_left_is_refused_by_the_database(invoice: Invoice) -> None:
    made = CreditNote.objects.create(
        number="CN-9999",
        invoice=invoice,
        issuer_id=invoice.issuer_id,
        tenant_id=invoice.tenant_id,
        currency="USD",
        reason=CreditReason.GOODWILL,
        note="by hand",
        subtotal=1,
        tax=0,
        total=1,
        applied=1,
        operator_fee=0,
        issued_by=BY,
        issued_at=NOW,
    )
    line = invoice.lines.get()
    CreditNoteLine.objects.create(credit_note=made, line=line, position=1, amount=1, tax=0)
    with pytest.raises(IntegrityError, match="more than is left"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_more_than_was_written_off_can_be_paid_by_card() -> None:
    invoice = make_issued([Line("100.00")])
    write_off(invoice_id=invoice.pk, reason="insolvent", by=BY, now=NOW)
    pay(invoice, "110", PaymentMethod.STRIPE)
    assert wrong_in_the_books() == {}
    invoice.refresh_from_db()
    assert (invoice.state, dues_of(invoice).left) == (InvoiceState.PAID, Decimal(-10))
    assert sum(WriteOff.objects.values_list("amount", flat=True)) == 0


def test_writing_off_more_than_is_left_is_refused_by_the_database(invoice: Invoice) -> None:
    WriteOff.objects.create(invoice=invoice, amount=1, reason="x", by=BY, at=NOW)
    with pytest.raises(IntegrityError, match="more than is left"), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
