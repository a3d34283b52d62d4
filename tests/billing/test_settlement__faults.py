"""Whatever goes wrong on the way, the end is that of an undisturbed run: one invoice, one payment, one posting."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from billing.models import Collection, Invoice, InvoiceState, Settlement, SettlementState, StripeIntent
from billing.settlement import BACKOFF_MAX_S, LEASE_S, retry_settlement, settle
from billing.stripe_gateway import StripeGateway
from tests.billing.collected import (
    CALLS,
    add_card,
    assert_paid_once,
    begin,
    collect,
    collect_through_death,
    gateway_of,
    invoices_at,
    pay_by_hand,
    settings_of,
)
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.fakes.stripe_double.fixture import stripe_double

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.unmeasured]

POSTS = {
    "customer": "/v1/customers",
    "draft": "/v1/invoices",
    "lines": "/v1/invoices/{invoice}/add_lines",
    "finalize": "/v1/invoices/{invoice}/finalize",
    "pay": "/v1/invoices/{invoice}/pay",
}
APART = tuple((step,) for step in POSTS)
STEPS = APART if os.environ.get("FAULTS_APART") else (("customer", "draft", "lines", "finalize"), ("pay",))
"""The steps of one collection that go wrong, each in turn; a card that is there before makes the customer's needless.

`FAULTS_APART=1` lets one step of each collection go wrong.
"""
FAULTS: dict[str, dict[str, Any]] = {
    "no answer, not done": {"kind": "drop", "when": "before"},
    "answer lost after commit": {"kind": "drop", "when": "after"},
    "rate limited": {"status": 429, "headers": {"Retry-After": "7"}},
    "500 by a proxy": {"status": 500, "when": "before"},
    "500 kept, not done": {"status": 500, "when": "during"},
    "500 kept, yet done": {"status": 500, "when": "after", "stored": True},
    "500 once, yet done": {"status": 500, "when": "after"},
    "another request runs": {"status": 409, "code": "idempotency_key_in_use"},
}


def charged(lines: int = 2) -> Invoice:
    """An invoice that charges the tenant's card, its collection begun."""
    invoice = make_issued([Line("1.25")] * lines, collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    return invoice


def finish(double: StripeDouble, invoice: Invoice, settlement: Settlement) -> None:
    """Pay what waits for a card, then look again."""
    if settlement.state == SettlementState.WAIT:
        add_card(double, invoice)
        double.pay(settlement.stripe_invoice_id)
        collect(invoice, gateway_of(double), now=settlement.next_try_at)
    assert_paid_once(double, invoice)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("steps", STEPS, ids=" ".join)
def test_every_fault_at_every_step_ends_the_same(double: StripeDouble, steps: tuple[str, ...], fault: str) -> None:
    invoice = charged()
    if steps == ("pay",):
        add_card(double, invoice)
    double.faults(*({**FAULTS[fault], "method": "POST", "path": POSTS[step]} for step in steps))

    settlement = collect(invoice, gateway_of(double))

    assert double.state()["faults_waiting"] == 0
    finish(double, invoice, settlement)
    assert len(double.state()["customer"]) == 1


def test_one_fault_after_another_at_every_step(double: StripeDouble) -> None:
    invoice = charged(lines=101)
    for path in POSTS.values():
        for fault in FAULTS.values():
            double.faults({**fault, "method": "POST", "path": path})
    settlement = collect(invoice, gateway_of(double))
    double.clear_faults()
    finish(double, invoice, settlement)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_fault_in_any_chunk_of_lines_adds_none_twice(double: StripeDouble, chunk: int, when: str) -> None:
    invoice = charged(lines=201)
    gateway = gateway_of(double, dies_at="add_lines", before=when == "before", nth=chunk)
    settlement = collect_through_death(invoice, gateway, gateway_of(double))
    assert len(invoices_at(double, invoice)[0]["_lines"]) == 201
    finish(double, invoice, settlement)


@pytest.mark.parametrize("before", [True, False], ids=["between intent and call", "between call and result"])
@pytest.mark.parametrize("call", CALLS[:6])
def test_a_worker_that_dies_at_any_call_is_taken_over(double: StripeDouble, call: str, before: bool) -> None:
    invoice = charged()
    if call == "pay":
        add_card(double, invoice)
        Settlement.objects.filter(pk=invoice.pk).update(state=SettlementState.DRAFT)
    settlement = collect_through_death(invoice, gateway_of(double, dies_at=call, before=before), gateway_of(double))
    finish(double, invoice, settlement)
    assert not StripeIntent.objects.exclude(state="done").exclude(key__contains=":pay:").exists()


@pytest.mark.parametrize("before", [True, False], ids=["between intent and call", "between call and result"])
@pytest.mark.parametrize("void", [True, False])
def test_a_worker_that_dies_while_closing_at_stripe_is_taken_over(
    double: StripeDouble, void: bool, before: bool
) -> None:
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    if void:
        Invoice.objects.filter(pk=invoice.pk).update(state=InvoiceState.VOID)
    else:
        pay_by_hand(invoice, "123.45")
    Settlement.objects.filter(pk=invoice.pk).update(next_try_at=ISSUED_AT)
    dies_at = "void" if void else "mark_paid_out_of_band"
    at_rest = collect_through_death(invoice, gateway_of(double, dies_at=dies_at, before=before), gateway_of(double))
    assert at_rest.state == (SettlementState.BY_HAND if void else SettlementState.PAID)
    (at_stripe,) = invoices_at(double, invoice)
    assert (at_stripe["id"], at_stripe["status"]) == (waiting.stripe_invoice_id, "void" if void else "paid")


def test_a_refusal_stops_for_a_person_and_goes_on_under_a_new_key(double: StripeDouble) -> None:
    invoice = charged()
    double.faults({"status": 400, "code": "parameter_invalid", "method": "POST", "path": POSTS["draft"]})
    stopped = collect(invoice, gateway_of(double))
    assert stopped.state == SettlementState.FAILED
    assert stopped.last_error.startswith("parameter_invalid: Injected by a test")
    retry_settlement(invoice_id=invoice.pk, actor="petra@example.com", now=stopped.updated_at)
    finish(double, invoice, collect(invoice, gateway_of(double)))
    assert StripeIntent.objects.filter(key=f"inv:{invoice.pk}:draft:1:g2", state="done").exists()


def test_after_an_answer_was_lost_the_object_is_looked_up_and_not_asked_for_again(double: StripeDouble) -> None:
    invoice = charged()
    collect_through_death(invoice, gateway_of(double, dies_at="create_draft_invoice"), gateway_of(double))
    asked = [each for each in double.state()["requests"] if each["path"] == "/v1/invoices" and each["method"] == "POST"]
    assert len(asked) == 1


def test_a_kept_500_that_was_not_done_is_asked_for_under_a_new_key(double: StripeDouble) -> None:
    invoice = charged()
    double.faults({"status": 500, "when": "during", "method": "POST", "path": "/v1/invoices"})
    collect(invoice, gateway_of(double))
    keys = StripeIntent.objects.filter(step="draft").order_by("created_at", "key")
    assert [(each.key.removeprefix(f"inv:{invoice.pk}:"), each.state) for each in keys] == [
        ("draft:1", "failed"),
        ("draft:1:g2", "done"),
    ]
    assert len(invoices_at(double, invoice)) == 1


def test_stripe_gone_for_a_day_delays_and_loses_nothing(tmp_path: Path) -> None:
    with stripe_double(state=tmp_path / "journal") as double:
        invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
        begin(invoice)
        add_card(double, invoice)
        gateway = gateway_of(double)
        settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
        double.kill()
        now = ISSUED_AT
        for tried in range(1, 101):
            now = Settlement.objects.get(pk=invoice.pk).next_try_at
            assert not settle(invoice_id=invoice.pk, gateway=gateway, now=now)
            settlement = Settlement.objects.get(pk=invoice.pk)
            assert settlement.attempts == tried
            assert settlement.last_error.startswith("Stripe is unavailable")
            assert now < settlement.next_try_at <= now + timedelta(seconds=BACKOFF_MAX_S * 1.25)
        assert now > ISSUED_AT + timedelta(hours=20)
        double.restart()
        collect(invoice, gateway, now=now)
        assert_paid_once(double, invoice)
        assert Settlement.objects.get(pk=invoice.pk).attempts == 0


def test_a_rate_limit_is_waited_for_as_long_as_stripe_asks(double: StripeDouble) -> None:
    invoice = charged()
    double.faults({"status": 429, "headers": {"Retry-After": "77"}})
    settle(invoice_id=invoice.pk, gateway=gateway_of(double), now=ISSUED_AT)
    settlement = Settlement.objects.get(pk=invoice.pk)
    assert settlement.next_try_at >= ISSUED_AT + timedelta(seconds=77)


def test_a_look_that_fails_keeps_the_reason_of_the_declined_card(double: StripeDouble) -> None:
    invoice = charged()
    add_card(double, invoice, "pm_card_chargeCustomerFail")
    waiting = collect(invoice, gateway_of(double))
    double.faults({"kind": "drop"})
    settle(invoice_id=invoice.pk, gateway=gateway_of(double), now=waiting.next_try_at)
    settlement = Settlement.objects.get(pk=invoice.pk)
    assert (settlement.attempts, settlement.last_error) == (1, waiting.last_error)


def test_of_many_workers_on_one_row_one_wins(double: StripeDouble) -> None:
    invoice = charged()
    gateway = StripeGateway(settings_of(double))

    def work(_: int) -> bool:
        try:
            return settle(invoice_id=invoice.pk, gateway=gateway, now=ISSUED_AT)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(work, range(6)))
    posts = [each for each in double.state()["requests"] if each["method"] == "POST"]
    # A worker that comes late may take the next step at the same instant; none takes one twice.
    assert len(posts) == sum(won)
    assert len({each["path"] for each in posts}) == len(posts)


def test_four_workers_that_each_believe_they_hold_the_row_make_one_invoice(double: StripeDouble) -> None:
    invoice = charged()

    def work(worker: int) -> None:
        # Each next try comes a lease later, as if whoever holds the row had been asleep all the while.
        now = ISSUED_AT + timedelta(seconds=worker)
        gateway = StripeGateway(settings_of(double, network_retries=2))
        try:
            for _ in range(30):
                settle(invoice_id=invoice.pk, gateway=gateway, now=now)
                now += timedelta(seconds=LEASE_S)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    finish(double, invoice, collect(invoice, gateway_of(double)))
    assert len(double.state()["customer"]) == 1


def test_a_worker_whose_lease_ran_out_stores_nothing_over_the_one_that_took_over(double: StripeDouble) -> None:
    invoice = charged()
    other = gateway_of(double)

    class Slow(StripeGateway):
        def create_customer(self, organization_id: str, name: str, email: str, idempotency_key: str) -> str:
            made = super().create_customer(organization_id, name, email, idempotency_key)
            collect(invoice, other, now=ISSUED_AT + timedelta(seconds=LEASE_S))
            return made

    assert not settle(invoice_id=invoice.pk, gateway=Slow(settings_of(double)), now=ISSUED_AT)
    settlement = Settlement.objects.get(pk=invoice.pk)
    assert settlement.state == SettlementState.WAIT
    finish(double, invoice, settlement)


@pytest.mark.parametrize("state", [SettlementState.CUSTOMER, SettlementState.LINES, SettlementState.COLLECT])
def test_a_database_put_back_to_an_earlier_state_finds_what_was_done(
    double: StripeDouble, state: SettlementState
) -> None:
    invoice = charged()
    settlement = collect(invoice, gateway_of(double))
    StripeIntent.objects.all().delete()
    kept = {} if state == SettlementState.CUSTOMER else {"stripe_invoice_id": settlement.stripe_invoice_id}
    Settlement.objects.filter(pk=invoice.pk).update(
        **{"state": state, "next_try_at": ISSUED_AT, "stripe_invoice_id": "", **kept}
    )
    finish(double, invoice, collect(invoice, gateway_of(double)))
