"""Doubled, late, shuffled and missing events end in the same state, over HTTP both ways."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction

from billing.collecting.cards import open_visit, start_visit
from billing.models import (
    CardOnFile,
    Collection,
    Invoice,
    InvoiceState,
    Payment,
    Settlement,
    SettlementState,
    StripeEvent,
)
from billing.stripe_answers import StripeUnavailable
from billing.stripe_events import apply_event, note_failure, unprocessed_events
from billing.stripe_gateway import StripeGateway
from tenants.models import AuditEntry
from tests.billing.collected import (
    WEBHOOK_SECRET,
    add_card,
    assert_books,
    assert_paid_once,
    begin,
    collect,
    gateway_of,
    settings_of,
)
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.stripe_gateway.paid import charged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from tests.fakes.stripe_double.fixture import Mode, StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
LATER = ISSUED_AT + timedelta(hours=1)


@pytest.fixture
def door(settings: Settings, live_server: LiveServer, double: StripeDouble) -> Iterator[str]:
    """Our webhook's address, open to the double."""
    settings.ROOT_URLCONF = "tests.billing.webhook_root"
    settings.STRIPE_SECRET_KEY = double.SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_API_BASE = double.base_url
    yield f"{live_server.url}/webhooks/stripe"
    # Deliveries must not outlive the server that takes them.
    double.reset()


def keep(event_id: str, event_type: str, object_id: str, subject: dict[str, Any] | None = None) -> str:
    StripeEvent.objects.create(
        event_id=event_id,
        type=event_type,
        object_id=object_id,
        payload={"data": {"object": subject or {}}},
        received_at=ISSUED_AT,
    )
    return event_id


def apply_all(double: StripeDouble) -> None:
    gateway = gateway_of(double)
    for event_id in unprocessed_events(limit=1_000):
        apply_event(event_id=event_id, gateway=gateway, now=LATER)


def outcome(event_id: str) -> str:
    event = StripeEvent.objects.get(pk=event_id)
    assert event.processed_at is not None
    return event.outcome


@pytest.mark.parametrize("mode", ["prompt", "doubled", "shuffled", "late"])
def test_events_in_any_manner_end_in_one_payment(double: StripeDouble, door: str, mode: Mode) -> None:
    double.deliver_to(door, WEBHOOK_SECRET, mode, seed=7)
    if mode == "shuffled":
        double.manner(copies=3)
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    double.pay(waiting.stripe_invoice_id)
    double.wait_delivered()

    kept = StripeEvent.objects.count()
    assert kept >= 3
    apply_all(double)

    assert_paid_once(double, invoice)
    assert unprocessed_events(limit=10) == []
    assert {each["status"] for each in double.state()["deliveries"]} == {200}
    apply_all(double)
    assert_paid_once(double, invoice)


def test_events_that_come_before_we_stored_the_draft_find_the_invoice(double: StripeDouble, door: str) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    add_card(double, invoice)
    collect(invoice, gateway_of(double))
    at_stripe = Settlement.objects.get(pk=invoice.pk).stripe_invoice_id
    Settlement.objects.filter(pk=invoice.pk).update(stripe_invoice_id="")
    keep("evt_early", "invoice.finalized", at_stripe)
    apply_all(double)
    assert outcome("evt_early") == "paid"
    assert_paid_once(double, invoice)


def test_missing_events_are_made_up_for_by_the_poll(double: StripeDouble, door: str) -> None:
    double.deliver_to(door, WEBHOOK_SECRET, "held")
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    double.pay(waiting.stripe_invoice_id)
    collect(invoice, gateway_of(double), now=LATER)
    assert_paid_once(double, invoice)

    # What was held back comes late, and changes nothing.
    double.release()
    double.wait_delivered()
    assert StripeEvent.objects.exists()
    apply_all(double)
    assert_paid_once(double, invoice)


def test_an_old_event_does_not_undo_what_came_after(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    double.pay(waiting.stripe_invoice_id)
    for number, event_type in enumerate(("invoice.paid", "invoice.payment_failed", "invoice.finalized")):
        keep(f"evt_{number}", event_type, waiting.stripe_invoice_id)
    apply_all(double)
    assert [outcome(f"evt_{number}") for number in range(3)] == ["paid"] * 3
    assert_paid_once(double, invoice)


def test_an_event_is_not_believed_only_looked_up(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    keep("evt_lie", "invoice.paid", waiting.stripe_invoice_id, {"status": "paid", "amount_paid": 12_345})
    apply_all(double)
    assert outcome("evt_lie") == "nothing new"
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.ISSUED
    assert_books(invoice, cleared=Decimal(0))


def test_a_payment_event_leads_to_its_invoice(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    double.pay(waiting.stripe_invoice_id)
    (payment,) = double.state()["invoice_payment"]
    keep("evt_pay", "invoice_payment.paid", payment["id"], payment)
    apply_all(double)
    assert_paid_once(double, invoice)


@pytest.mark.parametrize("status", ["void", "uncollectible"])
def test_what_was_given_up_at_stripe_is_flagged_once(double: StripeDouble, status: str) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    act = gateway.void if status == "void" else gateway.mark_uncollectible
    act(waiting.stripe_invoice_id, "in the dashboard")
    for number in range(3):
        keep(f"evt_{number}", "invoice.updated", waiting.stripe_invoice_id)
    apply_all(double)

    assert {outcome(f"evt_{number}") for number in range(3)} == {"differs from our books: flagged"}
    settlement = Settlement.objects.get(pk=invoice.pk)
    assert settlement.state == SettlementState.FAILED
    assert f"as {status}" in settlement.last_error
    assert AuditEntry.objects.filter(action="settlement.failed").count() == 1
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.ISSUED


def test_what_was_flagged_still_becomes_paid(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gateway = gateway_of(double)
    waiting = collect(invoice, gateway)
    gateway.mark_uncollectible(waiting.stripe_invoice_id, "in the dashboard")
    keep("evt_1", "invoice.marked_uncollectible", waiting.stripe_invoice_id)
    apply_all(double)
    double.pay(waiting.stripe_invoice_id)
    keep("evt_2", "invoice.paid", waiting.stripe_invoice_id)
    apply_all(double)
    assert_paid_once(double, invoice)


def test_unknown_objects_are_kept_and_shown(double: StripeDouble) -> None:
    gateway = gateway_of(double)
    customer_id = gateway.create_customer("another-system", "Sample", "billing@example.com", "elsewhere")
    theirs = gateway.create_draft_invoice(
        customer_id=customer_id,
        currency="USD",
        number="X-1",
        invoice_id="not one of ours",
        days_until_due=1,
        idempotency_key="elsewhere too",
    )
    keep("evt_theirs", "invoice.updated", theirs)
    keep("evt_gone", "invoice.updated", "in_gone")
    keep("evt_nameless", "invoice_payment.paid", "inpay_1", {"invoice": None})
    StripeEvent.objects.filter(pk="evt_nameless").update(payload=[])
    apply_all(double)
    assert outcome("evt_theirs") == f"unknown object: {theirs} is no invoice of ours"
    assert outcome("evt_gone").startswith("unknown object: resource_missing")
    assert outcome("evt_nameless") == "names no invoice"


def test_an_invoice_under_our_id_that_we_do_not_have_is_unknown(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    draft = gateway_of(double).create_draft_invoice(
        customer_id=double.state()["customer"][0]["id"],
        currency="USD",
        number="X-2",
        invoice_id="019a0000-0000-7000-8000-000000000000",
        days_until_due=1,
        idempotency_key="a copy of the installation",
    )
    keep("evt_copy", "invoice.updated", draft)
    apply_all(double)
    assert outcome("evt_copy") == f"unknown object: {draft} is no invoice of ours"
    assert Settlement.objects.get(pk=invoice.pk).next_try_at == waiting.next_try_at


@pytest.mark.parametrize("event_type", ["credit_note.created", "credit_note.voided"])
def test_money_that_goes_back_is_shown_to_a_person(
    double: StripeDouble, event_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    keep("evt_back", event_type, "dp_1")
    apply_all(double)
    assert outcome("evt_back") == "money back: not in our books, book it by hand"
    assert any(record.levelname == "ERROR" and "evt_back" in record.getMessage() for record in caplog.records)


def test_a_disputed_charge_of_nothing_of_ours_is_kept_as_unknown(double: StripeDouble) -> None:
    gateway = gateway_of(double)
    customer = gateway.create_customer("other", "Sample Tenant", "a@b.example", "cust:other")
    disputed = double.dispute(str(charged(gateway, customer).charge_id))
    keep("evt_dispute", "charge.dispute.created", disputed["id"])
    keep("evt_gone", "charge.dispute.closed", "dp_gone")
    apply_all(double)
    assert outcome("evt_dispute") == "unknown object: pays nothing of ours"
    assert outcome("evt_gone").startswith("unknown object: resource_missing")


def test_a_chargeback_walks_from_the_bank_to_the_books_and_back(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice)
    begin(invoice)
    collect(invoice, gateway_of(double))
    (charge,) = [each for each in double.state()["charge"] if each["paid"]]
    opened = double.dispute(charge["id"], reason="product_not_received")
    for number in range(3):
        keep(f"evt_{number}", "charge.dispute.funds_withdrawn", opened["id"])
    apply_all(double)
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.ISSUED
    double.close_dispute(opened["id"], "won")
    keep("evt_late", "charge.dispute.created", opened["id"])
    keep("evt_won", "charge.dispute.closed", opened["id"])
    apply_all(double)
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID
    assert_books(invoice, cleared=invoice.total)


def test_a_card_left_on_the_page_is_kept_by_the_webhook_alone(double: StripeDouble) -> None:
    tenant = make_issued().tenant
    visit = start_visit(organization=tenant, currency="EUR", by="alice@example.com", now=ISSUED_AT)
    open_visit(visit_id=visit.pk, return_url="http://127.0.0.1:9/", gateway=gateway_of(double), now=ISSUED_AT)
    visit.refresh_from_db()
    double.complete_checkout(visit.session_id)
    keep("evt_visit", "checkout.session.completed", visit.session_id)
    apply_all(double)
    assert outcome("evt_visit") == "visit is complete"
    assert CardOnFile.objects.filter(pk=tenant.pk).exists()


def test_while_stripe_is_away_events_wait_behind_those_never_tried(double: StripeDouble) -> None:
    keep("evt_a", "invoice.updated", "in_gone")
    keep("evt_b", "invoice.updated", "in_gone")
    double.faults({"kind": "drop"})
    with pytest.raises(StripeUnavailable):
        apply_event(event_id="evt_a", gateway=gateway_of(double), now=LATER)
    note_failure(event_id="evt_a", reason="Stripe is unavailable")
    assert unprocessed_events(limit=5) == ["evt_b", "evt_a"]
    apply_all(double)
    assert unprocessed_events(limit=5) == []


def test_a_locked_event_is_left_to_the_worker_that_holds_it(double: StripeDouble) -> None:
    keep("evt_held", "invoice.updated", "in_gone")

    def work() -> bool:
        try:
            return apply_event(event_id="evt_held", gateway=gateway_of(double), now=LATER)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            StripeEvent.objects.select_for_update().get(pk="evt_held")
            assert not pool.submit(work).result()
        assert pool.submit(work).result()
        assert not pool.submit(work).result()


def test_many_workers_on_the_same_events_make_one_payment(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    double.pay(waiting.stripe_invoice_id)
    events = [keep(f"evt_{number}", "invoice.paid", waiting.stripe_invoice_id) for number in range(6)]

    def work(event_id: str) -> bool:
        try:
            return apply_event(event_id=event_id, gateway=StripeGateway(settings_of(double)), now=LATER)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(work, events * 2))
    assert sum(done) == len(events)
    assert Payment.objects.count() == 1
    assert_paid_once(double, invoice)
