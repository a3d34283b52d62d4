"""The checks of corrections find what went around the guards: a check that catches nothing is not a check."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection

from billing.corrections.checks import CHECKS
from billing.corrections.debits import add_debit
from billing.models import CreditNote, LedgerEntry
from billing.write_offs import write_off
from tests.billing.corrections.corrected import BY, NOW, credit, pay, wrong_in_the_books
from tests.billing.corrections.kept import keep, refund
from tests.billing.issued import Line, make_issued
from tests.kept import kept

pytestmark = pytest.mark.django_db


def around_the_guards(sql: str, *parameters: str) -> None:
    """Do what only the owner of the tables could; the test's transaction is rolled back."""
    table = next(word for word in sql.split() if word.startswith("billing_"))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql, parameters or None)
        assert cursor.rowcount == 1
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@kept
def note() -> CreditNote:
    """A credit note of 30.00, of which 10.00 are on the balance."""
    invoice = make_issued([Line("100.00")])
    pay(invoice, "80.00")
    made = credit(invoice, amount="30")
    assert not wrong_in_the_books("credit note numbers have no gap")
    return made


@pytest.mark.parametrize(
    ("found_by", "sql"),
    [
        ("credit notes are within their invoices", "UPDATE billing_creditnoteline SET amount = 31"),
        ("credit notes are within their invoices", "UPDATE billing_creditnoteline SET amount = -30"),
        ("credit notes are within their invoices", "UPDATE billing_creditnote SET subtotal = 31, total = 31"),
        ("credit notes are within their invoices", "DELETE FROM billing_creditnoteline"),
        ("credit notes are booked", "UPDATE billing_creditnote SET applied = 19.99"),
        ("credit note numbers have no gap", "UPDATE billing_creditnotesequence SET next_number = 3"),
        ("credit note numbers have no gap", "UPDATE billing_creditnote SET number = number || '0'"),
        ("balances of tenants are their movements", "UPDATE billing_balancemovement SET amount = 9.99"),
        ("balances of tenants are their movements", "DELETE FROM billing_balancemovement"),
        ("receivables are invoices less payments", "UPDATE billing_creditnote SET applied = 21"),
    ],
)
def test_a_planted_difference_is_found(note: CreditNote, found_by: str, sql: str) -> None:
    around_the_guards(sql)
    wrong = wrong_in_the_books()
    assert found_by in wrong, wrong


def test_a_credit_note_posted_twice_is_found(note: CreditNote) -> None:
    entry = LedgerEntry.objects.get(posting__key=f"credit_note:{note.pk}", account__kind="tenant_receivable")
    around_the_guards("UPDATE billing_ledgerentry SET amount = amount * 2 WHERE id = %s", str(entry.pk))
    assert {"credit notes are booked", "every posting balances"} <= wrong_in_the_books().keys()


def test_a_balance_below_zero_is_found(note: CreditNote) -> None:
    around_the_guards("UPDATE billing_balancemovement SET amount = -1")
    (differing, below) = wrong_in_the_books()["balances of tenants are their movements"]
    assert "-1.0000 USD moved on the balance, 10.0000 booked" in differing
    assert below.endswith("stands at -1.0000")


def test_a_write_off_that_is_not_booked_is_found() -> None:
    written = write_off(invoice_id=make_issued([Line("10.00")]).pk, reason="Insolvent", by=BY, now=NOW)
    assert not wrong_in_the_books()
    around_the_guards("UPDATE billing_writeoff SET amount = 9 WHERE id = %s", str(written.pk))
    wrong = wrong_in_the_books()
    assert "write-offs are booked" in wrong
    assert "receivables are invoices less payments" in wrong


def test_a_refund_that_is_not_in_transit_is_found() -> None:
    going = refund(keep("5.00"), "2.00")
    assert not wrong_in_the_books()
    around_the_guards("UPDATE billing_refund SET state = 'done' WHERE id = %s", str(going.pk))
    assert list(wrong_in_the_books()) == ["refunds in transit are those on their way"]


def test_each_check_looks_at_something(note: CreditNote) -> None:
    write_off(invoice_id=make_issued([Line("10.00")]).pk, reason="Insolvent", by=BY, now=NOW)
    refund(keep("5.00"), "2.00")
    add_debit(invoice_id=note.invoice_id, amount=Decimal(2), reason="Two hours were left out", by=BY, now=NOW)
    # Credit that was bought takes Stripe: test_unused_credit looks at it.
    unlooked = ["credit that left between closes says where it went"]
    assert [name for name, check in CHECKS.items() if not check()[0]] == unlooked
    assert note.total == Decimal(30)
