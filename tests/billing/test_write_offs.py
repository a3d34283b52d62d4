"""Write-offs: what is left is the issuer's loss, and money that comes after all takes it back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing.dues import dues_of
from billing.ledger import balance
from billing.models import AccountKind, Invoice, InvoiceState, WriteOff
from billing.payments import Overpaid
from billing.write_offs import NotWrittenOff, ReasonMissing, recover, write_off
from tenants.models import AuditEntry
from tests.billing.corrections.corrected import pay, wrong_in_the_books
from tests.billing.issued import Line, make_issued
from tests.kept import kept

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def written(invoice: Invoice, reason: str = "Insolvent") -> WriteOff:
    return write_off(invoice_id=invoice.pk, reason=reason, by="petra", now=NOW)


def lost(invoice: Invoice) -> Decimal:
    return balance(organization_id=invoice.issuer_id, kind=AccountKind.WRITE_OFF, currency="USD")


@kept
def invoice() -> Invoice:
    return make_issued([Line("100.00")])


def test_what_is_left_is_written_off_and_the_invoice_is_uncollectible(invoice: Invoice) -> None:
    pay(invoice, "30")
    assert written(invoice).amount == Decimal(70)
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.UNCOLLECTIBLE
    assert (dues_of(invoice).left, dues_of(invoice).payable, lost(invoice)) == (Decimal(0), Decimal(70), Decimal(70))
    assert AuditEntry.objects.get(action="invoice.written_off").after == {"amount": "70.00", "reason": "Insolvent"}
    assert not wrong_in_the_books()


def test_money_that_comes_after_all_takes_the_loss_back_until_it_is_paid(invoice: Invoice) -> None:
    written(invoice)
    pay(invoice, "60")
    assert (lost(invoice), dues_of(invoice).left) == (Decimal(40), Decimal(0))
    with pytest.raises(Overpaid, match=r"40\.00 USD left"):
        pay(invoice, "40.01")
    pay(invoice, "40")
    invoice.refresh_from_db()
    assert (invoice.state, lost(invoice)) == (InvoiceState.PAID, Decimal(0))
    assert not wrong_in_the_books()


def test_nothing_left_or_no_reason_is_refused(invoice: Invoice) -> None:
    paid = invoice
    pay(paid, "100")
    with pytest.raises(NotWrittenOff, match="is paid"):
        written(paid)
    twice = make_issued([Line("100.00")])
    written(twice)
    with pytest.raises(NotWrittenOff, match="uncollectible"):
        written(twice)
    for reason in ("", " ", "x" * 501):
        with pytest.raises(ReasonMissing):
            written(make_issued(), reason)


def test_nothing_is_recovered_where_nothing_was_written_off(invoice: Invoice) -> None:
    recover(invoice=invoice, amount=Decimal(10), reason="payment", now=NOW)
    assert not WriteOff.objects.exists()


@pytest.mark.parametrize("amount", ["100.01", "-0.01"])
def test_the_database_refuses_a_write_off_beyond_what_is_left(amount: str, invoice: Invoice) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="more than is left"), transaction.atomic():
        WriteOff.objects.create(invoice=invoice, amount=Decimal(amount), reason="around", by="x", at=NOW)


def test_a_write_off_is_a_fact() -> None:
    written(make_issued())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        WriteOff.objects.update(amount=1)
