"""Payments: once by reference, booked, and the invoice paid when nothing is left; two at once on real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from billing.ledger import balance
from billing.models import (
    AccountKind,
    Invoice,
    InvoiceState,
    LedgerEntry,
    LedgerPosting,
    Payment,
    Settlement,
    SettlementState,
)
from billing.payments import NotPayable, Overpaid, PaymentDiffers, PaymentMethod, WrongPayment, record_payment
from tenants.models import AuditEntry
from tests.billing.issued import ISSUED_AT, Line, make_draft, make_issued, make_parties
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable

RECEIVED_AT = datetime(2026, 4, 10, 8, 30, tzinfo=UTC)
NOW = datetime(2026, 4, 11, 7, tzinfo=UTC)
_references = count(1)


def pay(
    invoice: Invoice,
    amount: str,
    *,
    method: PaymentMethod = PaymentMethod.BANK_TRANSFER,
    reference: str = "",
    currency: str = "USD",
) -> Payment:
    return record_payment(
        invoice_id=invoice.pk,
        method=method,
        reference=reference or f"transfer {next(_references)}",
        amount=Decimal(amount),
        currency=currency,
        received_at=RECEIVED_AT,
        now=NOW,
    )


def settlement_of(invoice: Invoice, state: SettlementState, stripe_invoice_id: str = "") -> Settlement:
    return Settlement.objects.create(
        invoice=invoice,
        state=state,
        stripe_invoice_id=stripe_invoice_id,
        next_try_at=ISSUED_AT,
        updated_at=ISSUED_AT,
    )


def receivable(invoice: Invoice) -> Decimal:
    return balance(organization_id=invoice.tenant_id, kind=AccountKind.TENANT_RECEIVABLE, currency=invoice.currency)


invoice = kept(make_issued)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "clearing"),
    [
        (PaymentMethod.BANK_TRANSFER, AccountKind.BANK_CLEARING),
        (PaymentMethod.STRIPE, AccountKind.STRIPE_CLEARING),
    ],
)
def test_a_full_payment_pays_the_invoice_and_balances_the_books(
    method: PaymentMethod, clearing: AccountKind, invoice: Invoice
) -> None:
    settlement_of(invoice, SettlementState.BY_HAND)

    payment = pay(invoice, "123.45", method=method)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at, invoice.updated_at) == (InvoiceState.PAID, RECEIVED_AT, NOW)
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.PAID
    assert receivable(invoice) == 0
    assert balance(organization_id=invoice.issuer_id, kind=clearing, currency="USD") == Decimal("123.45")
    posting = LedgerPosting.objects.get(key=f"payment:{payment.pk}")
    assert (posting.cause, posting.cause_id, posting.at) == ("payment", payment.pk, RECEIVED_AT)


@pytest.mark.django_db
def test_the_same_payment_told_twice_is_recorded_once(invoice: Invoice) -> None:
    first = pay(invoice, "123.45", reference="bank 77")
    second = pay(invoice, "123.45", reference="bank 77")

    assert first.pk == second.pk
    assert Payment.objects.count() == 1
    assert LedgerPosting.objects.filter(cause="payment").count() == 1


@pytest.mark.django_db
def test_a_reference_cannot_stand_for_other_money(invoice: Invoice) -> None:
    pay(invoice, "23.45", reference="bank 77")
    with pytest.raises(PaymentDiffers):
        pay(invoice, "100.00", reference="bank 77")
    with pytest.raises(PaymentDiffers):
        pay(make_issued(), "23.45", reference="bank 77")
    assert Payment.objects.get().amount == Decimal("23.45")


@pytest.mark.django_db
def test_part_payments_keep_the_invoice_issued_until_the_last_one(invoice: Invoice) -> None:
    settlement_of(invoice, SettlementState.BY_HAND)
    pay(invoice, "100.00")
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == (InvoiceState.ISSUED, None)
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.BY_HAND
    assert receivable(invoice) == Decimal("23.45")

    pay(invoice, "23.45")
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID
    assert receivable(invoice) == 0


@pytest.mark.django_db
def test_too_much_by_hand_is_refused_and_says_what_is_owed(invoice: Invoice) -> None:
    pay(invoice, "100.00")
    with pytest.raises(Overpaid) as refused:
        pay(invoice, "23.46")
    assert refused.value.extra == {"owed": "23.45"}
    assert "0.01 more" in refused.value.detail
    assert Payment.objects.count() == 1
    assert receivable(invoice) == Decimal("23.45")


@pytest.mark.django_db
def test_too_much_through_stripe_is_recorded_and_flagged(caplog: pytest.LogCaptureFixture, invoice: Invoice) -> None:
    pay(invoice, "123.45")
    pay(invoice, "123.45", method=PaymentMethod.STRIPE, reference="in_double")

    assert receivable(invoice) == Decimal("-123.45")
    entry = AuditEntry.objects.get(action="payment.overpaid")
    assert entry.organization_id == invoice.issuer_id
    assert entry.after == {"reference": "in_double", "surplus": "123.45", "currency": "USD"}
    assert any(record.levelname == "ERROR" and "in_double" in record.getMessage() for record in caplog.records)


@pytest.mark.django_db
def test_a_draft_takes_no_payment() -> None:
    provider, tenant = make_parties()
    draft = make_draft([Line("5.00")], provider=provider, tenant=tenant)
    for method in PaymentMethod:
        with pytest.raises(NotPayable):
            pay(draft, "5.00", method=method)
    assert not Payment.objects.exists()


@pytest.mark.django_db
def test_a_void_invoice_takes_none_by_hand_and_flags_what_stripe_holds(invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID)
    with pytest.raises(NotPayable):
        pay(invoice, "123.45")

    payment = pay(invoice, "123.45", method=PaymentMethod.STRIPE)

    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.VOID
    flagged = AuditEntry.objects.get(action="payment.overpaid")
    assert flagged.after == {"reference": payment.reference, "surplus": "123.45", "currency": "USD"}


@pytest.mark.django_db
def test_an_uncollectible_invoice_can_still_be_paid(invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.UNCOLLECTIBLE)
    pay(invoice, "123.45")
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PAID


@pytest.mark.django_db
@pytest.mark.parametrize("amount", ["0", "-1.00", "0.001", "NaN", "Infinity"])
def test_an_amount_must_be_positive_and_whole_in_minor_units(amount: str) -> None:
    with pytest.raises(WrongPayment):
        pay(make_issued(), amount)


@pytest.mark.django_db
@pytest.mark.parametrize("reference", ["", "x" * 201])
def test_a_reference_has_bounds(reference: str) -> None:
    with pytest.raises(WrongPayment, match="1 to 200"):
        record_payment(
            invoice_id=make_issued().pk,
            method=PaymentMethod.BANK_TRANSFER,
            reference=reference,
            amount=Decimal(1),
            currency="USD",
            received_at=RECEIVED_AT,
            now=NOW,
        )


@pytest.mark.django_db
def test_another_currency_is_refused() -> None:
    with pytest.raises(WrongPayment, match="in USD, the payment in EUR"):
        pay(make_issued(), "123.45", currency="EUR")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SettlementState.BELOW_MINIMUM, SettlementState.PAID),
        (SettlementState.BY_HAND, SettlementState.PAID),
        (SettlementState.FAILED, SettlementState.WAIT),
        (SettlementState.WAIT, SettlementState.WAIT),
        (SettlementState.COLLECT, SettlementState.COLLECT),
    ],
)
def test_paying_by_hand_wakes_the_sweep_where_stripe_may_know_the_invoice(
    state: SettlementState, expected: SettlementState, invoice: Invoice
) -> None:
    settlement_of(invoice, state, stripe_invoice_id="in_open")
    pay(invoice, "123.45")
    settlement = Settlement.objects.get(pk=invoice.pk)
    assert (settlement.state, settlement.next_try_at) == (expected, NOW)


@pytest.mark.django_db(transaction=True)
def test_two_payments_at_once_are_weighed_one_after_the_other() -> None:
    invoice = make_issued()

    def pay_in_thread(reference: str) -> str:
        try:
            pay(invoice, "123.45", reference=reference)
        except (Overpaid, NotPayable) as refused:
            return refused.code
        finally:
            connection.close()
        return "paid"

    outcomes = at_once(pay_in_thread, ["bank 1", "bank 2", "bank 3", "bank 4"])

    assert sorted(outcomes) == ["invoice_not_payable"] * 3 + ["paid"]
    assert Payment.objects.count() == 1
    assert receivable(invoice) == 0


@pytest.mark.django_db(transaction=True)
def test_one_payment_told_by_many_at_once_is_one() -> None:
    invoice = make_issued()

    def tell(_: str) -> str:
        try:
            return str(pay(invoice, "123.45", method=PaymentMethod.STRIPE, reference="in_same").pk)
        finally:
            connection.close()

    told = at_once(tell, ["a", "b", "c", "d"])

    assert len(set(told)) == 1
    assert Payment.objects.count() == 1
    assert LedgerEntry.objects.filter(posting__cause="payment").count() == 2


def at_once(work: Callable[[str], str], arguments: list[str]) -> list[str]:
    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(work, arguments))
