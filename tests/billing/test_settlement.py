"""The collection of an invoice from issue to payment, against the Stripe double over HTTP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import (
    Collection,
    Invoice,
    InvoiceState,
    Payment,
    Settlement,
    SettlementState,
    StripeIntent,
)
from billing.payments import PaymentMethod, record_payment
from billing.settlement import (
    LEASE_S,
    NotRetryable,
    due_settlements,
    open_settlement,
    retry_settlement,
    settle,
    unopened_invoices,
)
from billing.settlement_steps import POLL_S
from tenants.models import AuditEntry
from tests.billing.collecting import (
    add_card,
    assert_books,
    assert_paid_once,
    begin,
    collect,
    gateway_of,
    invoices_at,
    only_invoice_at,
)
from tests.billing.issued import ISSUED_AT, Line, make_issued, make_parties

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)


def pay_by_hand(invoice: Invoice, amount: str) -> None:
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"bank {invoice.pk}",
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=LATER,
        now=LATER,
    )


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


def test_every_call_has_a_stored_intent_with_its_result(double: StripeDouble) -> None:
    invoice = make_issued([Line("1.00")] * 101, collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(4):  # customer, draft, lines, guard
        assert settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    add_card(double, invoice)
    collect(invoice, gateway)

    keys = set(StripeIntent.objects.values_list("key", flat=True))
    assert keys == {
        f"org:{invoice.tenant_id}:cust:1",
        f"inv:{invoice.pk}:draft:1",
        f"inv:{invoice.pk}:lines:1:0",
        f"inv:{invoice.pk}:lines:1:1",
        f"inv:{invoice.pk}:fin:1",
        f"inv:{invoice.pk}:pay:1",
    }
    assert set(StripeIntent.objects.values_list("state", flat=True)) == {"done"}
    assert not StripeIntent.objects.filter(result__isnull=True).exists()
    assert not StripeIntent.objects.filter(finished_at__isnull=True).exists()


def test_two_invoices_of_one_tenant_share_its_customer(double: StripeDouble) -> None:
    parties = make_parties()
    for _ in range(2):
        invoice = make_issued(parties=parties)
        begin(invoice)
        collect(invoice, gateway_of(double))
    assert len(double.state()["customer"]) == 1
    assert len(double.state()["invoice"]) == 2


@pytest.mark.parametrize(("lines", "models", "pushed"), [(250, 250, 250), (251, 7, 7), (600, 300, 250)])
def test_more_lines_than_stripe_takes_are_summed_up_by_model(
    double: StripeDouble, lines: int, models: int, pushed: int
) -> None:
    invoice = make_issued([Line(f"{number}.01", f"model-{number % models}") for number in range(1, lines + 1)])
    begin(invoice)
    assert collect(invoice, gateway_of(double)).state == SettlementState.WAIT
    at_stripe = only_invoice_at(double, invoice)
    assert len(at_stripe["_lines"]) == pushed
    assert at_stripe["total"] == int(invoice.total * 100)


def test_tax_is_pushed_with_the_lines_and_compared(double: StripeDouble) -> None:
    invoice = make_issued([Line("100.00"), Line("0.01"), Line("-20.00")], tax="15.21")
    begin(invoice)
    assert collect(invoice, gateway_of(double)).state == SettlementState.WAIT
    at_stripe = only_invoice_at(double, invoice)
    assert (at_stripe["subtotal"], at_stripe["total"]) == (8_001, 9_522)


@pytest.mark.parametrize(
    ("amount", "currency", "state"),
    [
        ("0.49", "USD", SettlementState.BELOW_MINIMUM),
        ("0.50", "USD", SettlementState.CUSTOMER),
        ("49", "JPY", SettlementState.BELOW_MINIMUM),
        ("50", "JPY", SettlementState.CUSTOMER),
        ("-5.00", "USD", SettlementState.BELOW_MINIMUM),
        ("0.01", "XCD", SettlementState.CUSTOMER),
        ("1.234", "KWD", SettlementState.BY_HAND),
    ],
)
def test_what_stripe_cannot_charge_is_never_pushed(amount: str, currency: str, state: SettlementState) -> None:
    invoice = make_issued([Line(amount)], currency=currency)
    settlement = begin(invoice)
    assert settlement.state == state
    assert bool(settlement.last_error) == (state == SettlementState.BY_HAND)


def test_an_invoice_of_nothing_is_paid_at_once() -> None:
    invoice = make_issued([Line("5.00"), Line("-5.00")])
    assert begin(invoice).state == SettlementState.PAID
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == (InvoiceState.PAID, ISSUED_AT)


def test_without_stripe_invoices_are_paid_by_hand() -> None:
    invoice = make_issued()
    assert unopened_invoices(limit=5) == [invoice.pk]
    settlement = open_settlement(invoice_id=invoice.pk, with_stripe=False, now=ISSUED_AT)
    assert settlement.state == SettlementState.BY_HAND
    assert unopened_invoices(limit=5) == []
    assert due_settlements(now=LATER, limit=5) == []
    # Keys that come later change nothing for what is begun.
    assert begin(invoice).state == SettlementState.BY_HAND


def test_a_declined_card_waits_with_its_reason_until_a_person_tries_again(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice, "pm_card_chargeCustomerFail")
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    assert waiting.state == SettlementState.WAIT
    assert "declined" in waiting.last_error
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


def test_totals_that_differ_delete_the_draft_and_alarm(double: StripeDouble, caplog: pytest.LogCaptureFixture) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    draft = Settlement.objects.get(pk=invoice.pk).stripe_invoice_id
    tamper(double, draft)

    stopped = collect(invoice, gateway)

    assert (stopped.state, stopped.revision, stopped.stripe_invoice_id) == (SettlementState.FAILED, 2, "")
    assert "line_count 3 instead of 2" in stopped.last_error
    assert "total_minor 13345 instead of 12345" in stopped.last_error
    assert invoices_at(double, invoice) == []
    entry = AuditEntry.objects.get(action="settlement.failed")
    assert (entry.organization_id, entry.after) == (invoice.issuer_id, {"reason": stopped.last_error})
    assert any(record.levelname == "ERROR" for record in caplog.records)
    assert due_settlements(now=LATER, limit=5) == []

    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    waiting = collect(invoice, gateway, now=LATER)
    assert waiting.state == SettlementState.WAIT
    assert only_invoice_at(double, invoice)["total"] == 12_345
    assert StripeIntent.objects.filter(key=f"inv:{invoice.pk}:draft:2").exists()


def tamper(double: StripeDouble, stripe_invoice_id: str) -> None:
    """Someone adds a line to the draft in Stripe's dashboard."""
    import stripe

    client = stripe.StripeClient(double.SECRET_KEY, base_addresses={"api": double.base_url})
    client.v1.invoices.add_lines(stripe_invoice_id, {"lines": [{"amount": 1_000, "description": "slipped in"}]})


def test_a_draft_that_someone_deleted_at_stripe_is_made_anew_on_request(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    for _ in range(3):
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
    gateway.delete_draft(Settlement.objects.get(pk=invoice.pk).stripe_invoice_id)

    stopped = collect(invoice, gateway)
    assert (stopped.state, stopped.revision, stopped.stripe_invoice_id) == (SettlementState.FAILED, 2, "")
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=LATER)
    assert collect(invoice, gateway, now=LATER).state == SettlementState.WAIT


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


def test_an_invoice_partly_paid_by_bank_is_not_pushed(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    pay_by_hand(invoice, "23.45")
    stopped = collect(invoice, gateway_of(double), now=LATER)
    assert stopped.state == SettlementState.FAILED
    assert stopped.last_error.startswith("23.45 of 123.45 USD came by bank transfer")
    assert invoices_at(double, invoice) == []


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
