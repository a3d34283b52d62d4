"""Chargebacks: the payment is taken back and returned in the books as at Stripe, told in any order and any often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from billing.books import CHECKS
from billing.collecting.chargebacks import apply_dispute
from billing.ledger import balance
from billing.models import AccountKind, Chargeback, Invoice, InvoiceState, Payment, PaymentReversal, PaymentSource
from billing.payments import PaymentMethod, record_payment
from billing.stripe_seen import StripeDispute
from tenants.models import AuditEntry
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.test_books import forge
from tests.kept import kept

pytestmark = pytest.mark.django_db
LATER = ISSUED_AT + timedelta(days=9)


def paid_by_card(*, invoice: Invoice | None = None, charge: str = "ch_1") -> Invoice:
    invoice = invoice or make_issued()
    payment = record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.STRIPE,
        reference=f"inpay {invoice.pk}",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=ISSUED_AT,
        now=ISSUED_AT,
    )
    PaymentSource.objects.create(payment=payment, payment_intent_id="pi_1", charge_id=charge, noted_at=ISSUED_AT)
    return Invoice.objects.get(pk=invoice.pk)


def dispute(
    status: str = "needs_response", *, amount: int = 12_345, withdrawn: int = 12_345, charge: str = "ch_1"
) -> StripeDispute:
    return StripeDispute(
        id="dp_1",
        status=status,
        amount_minor=amount,
        withdrawn_minor=withdrawn,
        fee_minor=1_500 if withdrawn else 0,
        currency="USD",
        reason="fraudulent",
        charge_id=charge,
        payment_intent_id="pi_1",
        respond_by=LATER + timedelta(days=7),
        created=LATER,
    )


def books(invoice: Invoice) -> tuple[str, Decimal, Decimal]:
    """State, what the tenant owes, what Stripe holds."""
    owed = balance(organization_id=invoice.tenant_id, kind=AccountKind.TENANT_RECEIVABLE, currency="USD")
    held = balance(organization_id=invoice.issuer_id, kind=AccountKind.STRIPE_CLEARING, currency="USD")
    return Invoice.objects.get(pk=invoice.pk).state, owed, held


invoice = kept(paid_by_card)


def test_what_was_taken_is_owed_again_and_what_was_won_is_paid_again(invoice: Invoice) -> None:
    assert books(invoice) == (InvoiceState.PAID, Decimal(0), Decimal("123.45"))
    for _ in range(3):
        row = apply_dispute(seen=dispute(), now=LATER)
    assert (row.status, row.withdrawn, row.fee, row.amount) == (
        "needs_response",
        Decimal("123.45"),
        Decimal("15.00"),
        Decimal("123.45"),
    )
    assert books(invoice) == (InvoiceState.ISSUED, Decimal("123.45"), Decimal(0))
    for _ in range(3):
        apply_dispute(seen=dispute("won", withdrawn=0), now=LATER)
    assert books(invoice) == (InvoiceState.PAID, Decimal(0), Decimal("123.45"))
    assert (PaymentReversal.objects.count(), Payment.objects.count()) == (1, 2)


def test_a_lost_one_stays_owed(invoice: Invoice) -> None:
    apply_dispute(seen=dispute(), now=LATER)
    row = apply_dispute(seen=dispute("lost"), now=LATER)
    assert (row.status, books(invoice)) == ("lost", (InvoiceState.ISSUED, Decimal("123.45"), Decimal(0)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_events_in_any_order_end_as_stripe_is_now(order: tuple[int, ...], invoice: Invoice) -> None:
    """Each event fetches the dispute as it is; whichever comes first, the last look decides."""
    looks = [dispute(), dispute("under_review"), dispute("won", withdrawn=0)]
    for place in order:
        apply_dispute(seen=looks[place], now=LATER)
    apply_dispute(seen=looks[2], now=LATER)
    assert books(invoice) == (InvoiceState.PAID, Decimal(0), Decimal("123.45"))


def test_a_warning_takes_nothing(invoice: Invoice) -> None:
    apply_dispute(seen=dispute("warning_needs_response", withdrawn=0), now=LATER)
    assert books(invoice) == (InvoiceState.PAID, Decimal(0), Decimal("123.45"))
    assert not PaymentReversal.objects.exists()


def test_a_part_of_a_payment_is_taken(invoice: Invoice) -> None:
    apply_dispute(seen=dispute(amount=2_345, withdrawn=2_345), now=LATER)
    assert books(invoice) == (InvoiceState.ISSUED, Decimal("23.45"), Decimal("100.00"))


def test_one_charge_that_paid_two_invoices_is_taken_of_both(invoice: Invoice) -> None:
    first = invoice
    second = paid_by_card(invoice=make_issued(parties=(first.issuer, first.tenant)))
    apply_dispute(seen=dispute(amount=24_690, withdrawn=24_690), now=LATER)
    assert books(first) == (InvoiceState.ISSUED, Decimal("246.90"), Decimal(0))
    assert Invoice.objects.get(pk=second.pk).state == InvoiceState.ISSUED
    apply_dispute(seen=dispute("won", amount=24_690, withdrawn=0), now=LATER)
    assert books(first) == (InvoiceState.PAID, Decimal(0), Decimal("246.90"))


def test_a_charge_that_pays_nothing_of_ours_is_kept_and_shown() -> None:
    row = apply_dispute(seen=replace(dispute(charge="ch_other"), payment_intent_id=None), now=LATER)
    assert row.payment is None
    assert Chargeback.objects.count() == 1
    assert not PaymentReversal.objects.exists()


def test_every_change_is_in_the_issuers_audit_log_once(invoice: Invoice) -> None:
    for look in (dispute(), dispute(), dispute("lost")):
        apply_dispute(seen=look, now=LATER)
    found = AuditEntry.objects.filter(action="chargeback.changed", organization_id=invoice.issuer_id)
    assert [(entry.after or {})["status"] for entry in found.order_by("pk")] == ["needs_response", "lost"]


@pytest.mark.parametrize("statement", ["withdrawn = withdrawn - 1", "payment_id = NULL", "currency = 'EUR'"])
def test_a_chargeback_that_took_otherwise_than_it_says_is_found(statement: str, invoice: Invoice) -> None:
    apply_dispute(seen=dispute(), now=LATER)
    check = CHECKS["payments are booked as they came"]
    assert invoice
    assert [*check()[1]] == []
    forge(f"UPDATE billing_chargeback SET {statement}")
    assert [*check()[1]] != []
