"""What Stripe has of an invoice, applied to our books: forward, or flagged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import (
    Invoice,
    InvoiceState,
    Payment,
    Settlement,
    SettlementState,
)
from billing.stripe_answers import StripeInvoice, StripePayment
from billing.stripe_results import Applied, apply_stripe_invoice, flag
from tenants.models import AuditEntry
from tests.billing.collected import (
    assert_books,
    begin,
    collect,
    gateway_of,
    pay_by_hand,
)
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)


def test_voided_at_stripe_is_flagged_and_not_applied(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    gateway.void(waiting.stripe_invoice_id, "by hand in the dashboard")

    stopped = collect(invoice, gateway, now=LATER)

    assert stopped.state == SettlementState.FAILED
    assert "void" in stopped.last_error
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.ISSUED
    assert AuditEntry.objects.filter(action="settlement.failed").count() == 1
    assert_books(invoice, cleared=Decimal(0))


def test_paid_at_stripe_without_money_is_flagged(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    gateway.mark_paid_out_of_band(waiting.stripe_invoice_id, "by hand in the dashboard")
    stopped = collect(invoice, gateway, now=LATER)
    assert stopped.state == SettlementState.FAILED
    assert "as paid" in stopped.last_error
    assert not Payment.objects.exists()


def test_paid_twice_by_bank_and_by_card_is_booked_and_flagged(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    double.pay(waiting.stripe_invoice_id)
    pay_by_hand(invoice, "123.45")

    assert collect(invoice, gateway, now=LATER).state == SettlementState.PAID
    assert Payment.objects.count() == 2
    assert AuditEntry.objects.get(action="payment.overpaid").actor == "stripe"


def seen(invoice: Invoice, *, status: str = "open", payments: tuple[StripePayment, ...] = ()) -> StripeInvoice:
    """What Stripe would say of an invoice with these payments."""
    total_minor, paid_minor = int(invoice.total * 100), sum(each.amount_paid_minor for each in payments)
    return StripeInvoice(
        id="in_1",
        status=status,
        number=invoice.number,
        customer_id="cus_1",
        currency=invoice.currency,
        subtotal_minor=total_minor,
        tax_minor=0,
        total_minor=total_minor,
        amount_due_minor=total_minor,
        amount_paid_minor=paid_minor,
        amount_remaining_minor=total_minor - paid_minor,
        line_count=2,
        hosted_url=None,
        metadata={},
        payments=payments,
    )


def payment(payment_id: str, amount_minor: int, *, status: str = "paid", intent: str | None = "pi_1") -> StripePayment:
    return StripePayment(
        id=payment_id,
        status=status,
        amount_paid_minor=amount_minor,
        payment_intent_id=intent,
        charge_ids=(),
        paid_at=LATER,
    )


def test_several_payments_at_stripe_are_several_of_ours() -> None:
    invoice = make_issued()
    begin(invoice)
    first, second = payment("inpay_1", 10_000), payment("inpay_2", 2_345)
    part = apply_stripe_invoice(invoice_id=invoice.pk, seen=seen(invoice, payments=(first,)), now=LATER)
    assert part == Applied.UNCHANGED
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.CUSTOMER
    whole = seen(invoice, status="paid", payments=(second, first))
    for _ in range(2):
        assert apply_stripe_invoice(invoice_id=invoice.pk, seen=whole, now=LATER) == Applied.PAID
    assert sorted(Payment.objects.values_list("reference", "amount")) == [
        ("inpay_1", Decimal("100.00")),
        ("inpay_2", Decimal("23.45")),
    ]
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.PAID
    assert_books(invoice, cleared=invoice.total)


@pytest.mark.parametrize(
    "other",
    [
        payment("inpay_open", 0, status="open"),
        payment("inpay_canceled", 12_345, status="canceled"),
        payment("inpay_elsewhere", 12_345, intent=None),
        payment("inpay_nothing", 0),
    ],
    ids=lambda other: other.id,
)
def test_only_money_that_stripe_holds_is_a_payment(other: StripePayment) -> None:
    invoice = make_issued()
    begin(invoice)
    applied = apply_stripe_invoice(invoice_id=invoice.pk, seen=seen(invoice, payments=(other,)), now=LATER)
    assert applied == Applied.UNCHANGED
    assert not Payment.objects.exists()


def test_a_payment_that_cannot_be_ours_is_flagged() -> None:
    invoice = make_issued()
    begin(invoice)
    wrong = replace(seen(invoice, status="paid", payments=(payment("inpay_1", 12_345),)), currency="EUR")
    for _ in range(2):
        assert apply_stripe_invoice(invoice_id=invoice.pk, seen=wrong, now=LATER) == Applied.FLAGGED
    assert "the payment in EUR" in Settlement.objects.get(pk=invoice.pk).last_error
    assert AuditEntry.objects.filter(action="settlement.failed").count() == 1
    assert not Payment.objects.exists()


def test_an_invoice_without_a_settlement_is_flagged_too() -> None:
    invoice = make_issued()
    applied = apply_stripe_invoice(invoice_id=invoice.pk, seen=seen(invoice, status="void"), now=LATER)
    assert applied == Applied.FLAGGED
    assert AuditEntry.objects.get(action="settlement.failed").organization_id == invoice.issuer_id


@pytest.mark.parametrize("status", ["void", "uncollectible"])
def test_what_both_gave_up_is_no_difference(status: str) -> None:
    invoice = make_issued()
    begin(invoice)
    Invoice.objects.filter(pk=invoice.pk).update(state=status)
    applied = apply_stripe_invoice(invoice_id=invoice.pk, seen=seen(invoice, status=status), now=LATER)
    assert applied == Applied.UNCHANGED


def test_a_reason_longer_than_its_column_is_cut() -> None:
    invoice = make_issued()
    begin(invoice)
    for _ in range(2):
        flag(invoice_id=invoice.pk, reason="x" * 600, now=LATER)
    assert Settlement.objects.get(pk=invoice.pk).last_error == "x" * 500
    assert AuditEntry.objects.filter(action="settlement.failed").count() == 1
