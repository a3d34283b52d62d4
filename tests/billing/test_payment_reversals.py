"""Payments taken back: booked the other way round, the invoice owed again, never more than came."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from billing.books import check_books
from billing.dues import dues_of
from billing.ledger import balance
from billing.models import (
    AccountKind,
    Invoice,
    InvoiceState,
    LedgerPosting,
    Payment,
    PaymentReversal,
    Settlement,
    SettlementState,
)
from billing.payment_reversals import ReversalDiffers, WrongReversal, left_of, reverse_payment
from billing.payments import PaymentMethod, record_payment
from tenants.models import AuditEntry
from tests.billing.issued import ISSUED_AT, make_issued
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 4, 11, 7, tzinfo=UTC)
LATER = datetime(2026, 4, 20, 7, tzinfo=UTC)


def paid(
    amount: str = "123.45", invoice: Invoice | None = None, method: PaymentMethod = PaymentMethod.BANK_TRANSFER
) -> Payment:
    invoice = invoice or make_issued()
    return record_payment(
        invoice_id=invoice.pk,
        method=method,
        reference=f"sample {Payment.objects.count()}",
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=NOW,
        now=NOW,
    )


def take_back(payment: Payment, amount: str | None = None, *, reference: str = "mistake 1") -> PaymentReversal:
    return reverse_payment(
        payment_id=payment.pk,
        reference=reference,
        reason="It was another tenant's money.",
        by="petra@example.com",
        now=LATER,
        amount=None if amount is None else Decimal(amount),
    )


def owed_checks() -> list[str]:
    names = ("every posting balances", "receivables are invoices less payments")
    return [check.name for check in check_books() if check.name in names and not check.holds]


payment = kept(paid)
invoice = kept(make_issued)


@pytest.mark.django_db
def test_a_payment_taken_back_leaves_the_books_as_before_it_and_the_invoice_owed(invoice: Invoice) -> None:
    Settlement.objects.create(
        invoice=invoice, state=SettlementState.BY_HAND, next_try_at=ISSUED_AT, updated_at=ISSUED_AT
    )
    payment = paid(invoice=invoice)
    assert Settlement.objects.get().state == SettlementState.PAID

    reversal = take_back(payment)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at, invoice.updated_at) == (InvoiceState.ISSUED, None, LATER)
    assert Settlement.objects.get().state == SettlementState.BY_HAND
    assert dues_of(invoice).left == Decimal("123.45")
    assert left_of(payment) == 0
    for owner, kind, expected in (
        (invoice.tenant_id, AccountKind.TENANT_RECEIVABLE, "123.45"),
        (invoice.issuer_id, AccountKind.BANK_CLEARING, "0"),
    ):
        assert balance(organization_id=owner, kind=kind, currency="USD") == Decimal(expected)
    posting = LedgerPosting.objects.get(key=f"payment_reversal:{reversal.pk}")
    assert (posting.cause, posting.cause_id, posting.at) == ("payment_reversal", reversal.pk, LATER)
    entry = AuditEntry.objects.get(action="payment.reversed")
    assert entry.after is not None
    assert (entry.actor, entry.after["amount"]) == ("petra@example.com", "123.45")
    assert owed_checks() == []


@pytest.mark.django_db
def test_the_same_reversal_told_twice_is_one(payment: Payment) -> None:
    assert take_back(payment).pk == take_back(payment).pk
    assert PaymentReversal.objects.count() == 1
    with pytest.raises(ReversalDiffers):
        take_back(paid(), reference="mistake 1")
    with pytest.raises(ReversalDiffers):
        take_back(payment, "1.00")


@pytest.mark.django_db
def test_a_part_taken_back_leaves_the_rest_paid(payment: Payment) -> None:
    take_back(payment, "23.45")
    invoice = Invoice.objects.get()
    assert invoice.state == InvoiceState.ISSUED
    assert dues_of(invoice).left == Decimal("23.45")
    paid("23.45", invoice)
    assert Invoice.objects.get().state == InvoiceState.PAID
    assert dues_of(invoice).left == 0
    assert owed_checks() == []


@pytest.mark.django_db
def test_an_invoice_that_was_paid_twice_stays_paid_when_one_of_them_goes_back(invoice: Invoice) -> None:
    paid(invoice=invoice)
    double = paid(invoice=invoice, method=PaymentMethod.STRIPE)
    take_back(double)
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID
    assert balance(organization_id=invoice.issuer_id, kind=AccountKind.STRIPE_CLEARING, currency="USD") == Decimal(0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount", "reason", "reference"),
    [("123.46", "a", "r"), ("0", "a", "r"), ("-1", "a", "r"), ("0.001", "a", "r"), ("NaN", "a", "r"),
     ("1", " ", "r"), ("1", "x" * 201, "r"), ("1", "a", ""), ("1", "a", "r" * 201)],
)  # fmt: skip
def test_what_cannot_be_taken_back_is_refused(amount: str, reason: str, reference: str, payment: Payment) -> None:
    with pytest.raises(WrongReversal):
        reverse_payment(
            payment_id=payment.pk, reference=reference, reason=reason, by="petra", now=LATER, amount=Decimal(amount)
        )
    assert not PaymentReversal.objects.exists()


@pytest.mark.django_db
def test_nothing_is_left_to_take_back_twice(payment: Payment) -> None:
    take_back(payment)
    with pytest.raises(WrongReversal):
        take_back(payment, reference="mistake 2")
    with pytest.raises(WrongReversal, match=r"0\.00 USD of the payment are left"):
        take_back(payment, "0.01", reference="mistake 3")


@pytest.mark.django_db
def test_the_database_refuses_changes_and_more_than_came(payment: Payment) -> None:
    reversal = take_back(payment, "100.00")

    def forge(amount: str) -> Callable[[], object]:
        return lambda: PaymentReversal.objects.create(
            payment=payment, reference=f"forged {amount}", amount=Decimal(amount), reason="a", by="b", reversed_at=LATER
        )

    changes: list[Callable[[], object]] = [
        lambda: PaymentReversal.objects.filter(pk=reversal.pk).update(amount=1),
        lambda: PaymentReversal.objects.filter(pk=reversal.pk).delete(),
        forge("23.46"),
        forge("-1"),
    ]
    for change in changes:
        with pytest.raises((InternalError, IntegrityError)), transaction.atomic():
            change()


@pytest.mark.django_db
def test_the_database_lets_a_paid_invoice_be_owed_again_only_where_money_went_back() -> None:
    sound = paid().invoice
    with pytest.raises((InternalError, IntegrityError), match="cannot go from paid to issued"), transaction.atomic():
        Invoice.objects.filter(pk=sound.pk).update(state=InvoiceState.ISSUED)
    twice = make_issued()
    paid(invoice=twice)
    take_back(paid(invoice=twice, method=PaymentMethod.STRIPE))
    with pytest.raises((InternalError, IntegrityError), match="cannot go from paid to issued"), transaction.atomic():
        Invoice.objects.filter(pk=twice.pk).update(state=InvoiceState.ISSUED)


@pytest.mark.django_db(transaction=True)
def test_two_reversals_at_once_take_back_what_came_and_no_more() -> None:
    payment = paid()

    def attempt(name: str) -> str:
        try:
            take_back(payment, "100.00", reference=name)
        except WrongReversal:
            return "refused"
        finally:
            connection.close()
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ("one", "two"))) == ["refused", "taken"]
    assert left_of(payment) == Decimal("23.45")
