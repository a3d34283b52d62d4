"""The collection of an invoice from issue to payment, against the Stripe double over HTTP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import (
    Collection,
    CollectionNotice,
    Invoice,
    InvoiceState,
    Payment,
    Settlement,
    SettlementState,
    StripeIntent,
)
from billing.payments import PaymentMethod
from billing.settlement import (
    LEASE_S,
    NotRetryable,
    retry_settlement,
    settle,
)
from billing.settlement_steps import POLL_S, STEPS, DraftThrownAway, Work
from tenants.models import AuditEntry
from tests.billing.collected import (
    add_card,
    assert_paid_once,
    begin,
    collect,
    gateway_of,
    invoices_at,
    only_invoice_at,
    pay_by_hand,
)
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)


def test_an_invoice_that_is_sent_waits_and_a_poll_finds_it_paid(double: StripeDouble) -> None:
    invoice = make_issued()
    gateway = gateway_of(double)
    begin(invoice)
    waiting = collect(invoice, gateway)

    at_stripe = only_invoice_at(double, invoice)
    assert waiting.state == SettlementState.WAIT
    assert (waiting.stripe_invoice_id, waiting.hosted_url) == (at_stripe["id"], at_stripe["hosted_invoice_url"])
    assert waiting.next_try_at >= ISSUED_AT + timedelta(seconds=POLL_S)
    assert (at_stripe["status"], at_stripe["number"], at_stripe["auto_advance"]) == ("open", invoice.number, False)
    assert (at_stripe["collection_method"], at_stripe["_days_until_due"]) == ("send_invoice", 14)
    assert (at_stripe["total"], len(at_stripe["_lines"])) == (12_345, 2)

    double.pay(at_stripe["id"])
    collect(invoice, gateway, now=LATER)
    assert_paid_once(double, invoice)


def test_a_card_on_file_is_charged(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice)
    begin(invoice)
    collect(invoice, gateway_of(double))
    assert_paid_once(double, invoice)


def test_a_declined_card_waits_with_its_reason_until_a_person_tries_again(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice, "pm_card_chargeCustomerFail")
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    assert waiting.state == SettlementState.WAIT
    assert "declined" in waiting.last_error
    assert CollectionNotice.objects.get().decline_code == "generic_decline"
    # A poll that finds nothing new keeps the reason and charges nothing.
    again = collect(invoice, gateway, now=LATER)
    assert "declined" in again.last_error
    assert gateway.calls.count("pay") == 1

    add_card(double, invoice, "pm_card_visa")
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    collect(invoice, gateway, now=LATER)
    assert_paid_once(double, invoice)
    assert AuditEntry.objects.get(action="settlement.retried").actor == "petra@example.com"
    attempts = StripeIntent.objects.filter(key__contains=":pay:").order_by("key")
    assert [(each.key[-1], each.state) for each in attempts] == [("1", "failed"), ("2", "done")]


def test_a_card_that_was_declined_can_still_be_replaced_on_the_hosted_page(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    assert "default_payment_method" in waiting.last_error
    double.pay(waiting.stripe_invoice_id)
    collect(invoice, gateway_of(double), now=LATER)
    assert_paid_once(double, invoice)


def test_a_bank_transfer_closes_the_open_invoice_at_stripe(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    collect(invoice, gateway)
    pay_by_hand(invoice, "123.45")

    assert collect(invoice, gateway, now=LATER).state == SettlementState.PAID
    at_stripe = only_invoice_at(double, invoice)
    assert (at_stripe["status"], at_stripe["amount_paid_off_stripe"]) == ("paid", 12_345)
    assert Payment.objects.get().method == PaymentMethod.BANK_TRANSFER
    assert not AuditEntry.objects.filter(action="payment.overpaid").exists()


@pytest.mark.parametrize("steps", range(6))
def test_a_bank_transfer_while_it_is_pushed_leaves_nothing_to_pay_at_stripe(double: StripeDouble, steps: int) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(steps):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    pay_by_hand(invoice, "123.45")

    assert collect(invoice, gateway, now=LATER).state == SettlementState.PAID
    assert {each["status"] for each in invoices_at(double, invoice)} <= {"paid"}
    assert "pay" not in gateway.calls


@pytest.mark.parametrize("steps", range(7))
def test_of_an_invoice_partly_paid_by_bank_stripe_collects_the_rest(double: StripeDouble, steps: int) -> None:
    """Before it is pushed the part stands on a line; after that the invoice at Stripe is credited."""
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice)
    begin(invoice)
    gateway = gateway_of(double)
    pushed_steps = min(steps, 5)
    for _ in range(pushed_steps):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    pay_by_hand(invoice, "23.45")
    assert collect(invoice, gateway, now=LATER).state == SettlementState.PAID
    at_stripe = [each for each in invoices_at(double, invoice) if each["status"] == "paid"]
    assert [each["amount_paid"] for each in at_stripe] == [10_000]
    paid = sorted(Payment.objects.filter(invoice=invoice).values_list("method", "amount"))
    assert paid == [(PaymentMethod.BANK_TRANSFER, Decimal("23.45")), (PaymentMethod.STRIPE, Decimal("100.00"))]
    assert not AuditEntry.objects.filter(action__in=("payment.overpaid", "settlement.failed")).exists()


@pytest.mark.parametrize("steps", [0, 3, 6])
def test_a_void_invoice_is_taken_back_from_stripe(double: StripeDouble, steps: int) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(steps):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID)

    at_rest = collect(invoice, gateway, now=LATER)

    assert (at_rest.state, at_rest.last_error) == (
        SettlementState.BY_HAND,
        "The invoice is void: nothing is collected.",
    )
    assert [each["status"] for each in invoices_at(double, invoice)] == (["void"] if steps == 6 else [])


def test_an_invoice_that_is_voided_within_a_step_needs_no_person(
    double: StripeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was added up for a debt that is none any more differs, and its draft was thrown away: that is no failure."""
    invoice = make_issued()
    begin(invoice)

    def voided(work: Work) -> None:
        Invoice.objects.filter(pk=work.invoice.pk).update(state=InvoiceState.VOID)
        raise DraftThrownAway("Stripe made total_minor 100 instead of 0; its draft was deleted.")

    monkeypatch.setitem(STEPS, SettlementState.CUSTOMER, voided)
    at_rest = collect(invoice, gateway_of(double))
    assert (at_rest.state, at_rest.revision) == (SettlementState.BY_HAND, 2)
    assert not AuditEntry.objects.filter(action="settlement.failed").exists()


def test_a_claimed_row_is_nobody_elses_until_its_lease_ends(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    Settlement.objects.filter(pk=invoice.pk).update(next_try_at=ISSUED_AT + timedelta(seconds=LEASE_S))
    gateway = gateway_of(double)
    assert not settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    assert gateway.calls == []
    assert settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT + timedelta(seconds=LEASE_S))
    assert gateway.calls == ["create_customer"]


def test_only_what_failed_or_waits_can_be_tried_again(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    with pytest.raises(NotRetryable, match="state customer"):
        retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    collect(invoice, gateway_of(double))
    polled = retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert (polled.state, polled.next_try_at) == (SettlementState.WAIT, LATER)
