"""The same delivery a hundred times at once over HTTP, and Stripe gone for a day: the end is that of a quiet day."""

from __future__ import annotations

import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from django.db import connection

from billing import tasks
from billing.books import check_books
from billing.credit_grants import grants_of
from billing.ledger import balances
from billing.models import AccountKind, LedgerPosting, Payment, Settlement, StripeEvent, TopUp, TopUpState
from billing.settlement import settle
from billing.stripe_answers import StripeUnavailable
from billing.stripe_events import apply_event, unprocessed_events
from billing.stripe_gateway import StripeGateway
from billing.topups.buying import LOOK_EVERY, look_at_top_up, open_top_up, start_top_up
from tests.billing.collected import WEBHOOK_SECRET, assert_paid_once, begin, collect, gateway_of, settings_of
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.topups.prepaid import BACK, prepaid_contract

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from billing.models import Invoice
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 100
AT_ONCE = 20
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def door(settings: Settings, live_server: LiveServer, double: StripeDouble) -> str:
    """Our webhook's address."""
    settings.ROOT_URLCONF = "tests.billing.webhook_root"
    settings.STRIPE_SECRET_KEY = double.SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_API_BASE = double.base_url
    return f"{live_server.url}/webhooks/stripe"


def delivery(kind: str, object_id: str, event_id: str = "evt_1") -> bytes:
    subject = {"id": object_id, "object": kind.rpartition(".")[0]}
    return json.dumps(
        {"id": event_id, "object": "event", "type": kind, "created": 1_775_000_000, "data": {"object": subject}}
    ).encode()


def post(door: str, body: bytes) -> int:
    """One delivery, signed now, on a connection of its own."""
    signed = stripe.WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()))
    headers = {"Stripe-Signature": signed, "Content-Type": "application/json"}
    request = urllib.request.Request(door, body, headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return int(answer.status)


def all_at_once(deed: Callable[[int], Any], times: int) -> list[Any]:
    """Call it from threads that start together, so many at a time."""
    gate = Barrier(AT_ONCE)

    def one(number: int) -> Any:
        if number < AT_ONCE:
            gate.wait(timeout=30)
        try:
            return deed(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(times)))


def paid_at_stripe(double: StripeDouble) -> tuple[Invoice, str]:
    """An invoice that was pushed and paid on Stripe's page, of which we know nothing yet."""
    invoice = make_issued()
    begin(invoice)
    waiting = collect(invoice, gateway_of(double))
    double.pay(waiting.stripe_invoice_id)
    return invoice, waiting.stripe_invoice_id


def bought(double: StripeDouble, now: datetime = ISSUED_AT) -> TopUp:
    """A top-up of 250.00 that was paid on Stripe's page, of which we know nothing yet."""
    made = start_top_up(contract=prepaid_contract(), amount=Decimal(250), by="alice@example.com", now=now)
    open_top_up(top_up_id=made.pk, return_url=BACK, gateway=gateway_of(double), now=now)
    made.refresh_from_db()
    double.complete_checkout(made.session_id)
    return made


def assert_granted_once(top_up: TopUp) -> None:
    top_up.refresh_from_db()
    assert top_up.state == TopUpState.PAID
    [grant] = grants_of([top_up.term_id])[top_up.term_id].values()
    assert grant.amount == 250
    assert LedgerPosting.objects.filter(cause="top_up").count() == 1
    tenant_id = top_up.term.contract.tenant_id
    assert balances(organization_id=tenant_id)[AccountKind.PREPAID_CREDIT, "EUR"] == -250
    assert [check.name for check in check_books() if not check.holds] == []


def away(double: StripeDouble) -> StripeGateway:
    """The gateway while nothing answers at Stripe's address."""
    return StripeGateway(replace(settings_of(double), api_base="http://127.0.0.1:9", timeout_s=1))


def test_one_delivery_a_hundred_times_at_once_is_kept_once_and_pays_once(double: StripeDouble, door: str) -> None:
    invoice, at_stripe = paid_at_stripe(double)
    body = delivery("invoice.paid", at_stripe)
    assert all_at_once(lambda _: post(door, body), TIMES) == [200] * TIMES
    assert StripeEvent.objects.count() == 1
    gateway = gateway_of(double)
    assert apply_event(event_id="evt_1", gateway=gateway, now=ISSUED_AT)
    assert all_at_once(lambda _: post(door, body), AT_ONCE) == [200] * AT_ONCE
    assert unprocessed_events(limit=5) == [], "one that was worked off stays so"
    assert_paid_once(double, invoice)


def test_one_event_worked_off_by_many_workers_while_it_is_delivered_pays_once(double: StripeDouble, door: str) -> None:
    invoice, at_stripe = paid_at_stripe(double)
    assert post(door, delivery("invoice.paid", at_stripe)) == 200

    def deed(number: int) -> bool:
        if number % 2:
            return post(door, delivery("invoice.paid", at_stripe)) != 200
        return apply_event(event_id="evt_1", gateway=StripeGateway(settings_of(double)), now=ISSUED_AT)

    assert sum(all_at_once(deed, 2 * AT_ONCE)) == 1
    assert_paid_once(double, invoice)


def test_one_top_up_looked_at_by_many_at_once_is_granted_once(double: StripeDouble, door: str) -> None:
    top_up = bought(double)
    assert post(door, delivery("checkout.session.completed", top_up.session_id)) == 200

    def deed(number: int) -> bool:
        gateway = StripeGateway(settings_of(double))
        if number % 2:
            return look_at_top_up(top_up_id=top_up.pk, gateway=gateway, now=ISSUED_AT)
        return apply_event(event_id="evt_1", gateway=gateway, now=ISSUED_AT)

    all_at_once(deed, AT_ONCE)
    assert_granted_once(top_up)


def test_what_is_delivered_while_stripe_does_not_answer_waits_and_is_applied(
    double: StripeDouble, door: str, settings: Settings
) -> None:
    invoice, at_stripe = paid_at_stripe(double)
    for number in range(2):
        assert post(door, delivery("invoice.paid", at_stripe, f"evt_{number}")) == 200
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    tasks.apply_stripe_events()
    assert StripeEvent.objects.filter(processed_at__isnull=True, outcome__startswith="Stripe is unavailable").exists()
    assert not Payment.objects.exists()
    settings.STRIPE_API_BASE = double.base_url
    tasks.apply_stripe_events()
    assert unprocessed_events(limit=9) == []
    assert_paid_once(double, invoice)


def test_an_invoice_whose_stripe_is_gone_for_a_day_is_collected_the_day_after(double: StripeDouble) -> None:
    invoice = make_issued()
    begin(invoice)
    gone, now, tries = away(double), ISSUED_AT, 0
    while now < ISSUED_AT + DAY:
        settle(invoice_id=invoice.pk, gateway=gone, now=now)
        waiting = Settlement.objects.get(pk=invoice.pk)
        assert waiting.next_try_at > now, "it is tried again, and not at once"
        # The sweeps that come meanwhile find nothing due; the whole day, try by try, is in the tests of faults.
        now, tries = max(waiting.next_try_at, now + HOUR), tries + 1
        assert tries < 200, "ever later"
    assert double.state().get("invoice", []) == []
    waiting = collect(invoice, gateway_of(double), now=now)
    double.pay(waiting.stripe_invoice_id)
    collect(invoice, gateway_of(double), now=now + DAY)
    assert_paid_once(double, invoice)


def test_a_top_up_paid_before_stripe_is_gone_for_a_day_is_granted_the_day_after(double: StripeDouble) -> None:
    top_up = bought(double)
    gone, now = away(double), ISSUED_AT
    for _look in range(3):
        now += DAY / 3
        with pytest.raises(StripeUnavailable):
            look_at_top_up(top_up_id=top_up.pk, gateway=gone, now=now)
        top_up.refresh_from_db()
        assert (top_up.state, top_up.next_look_at) == (TopUpState.OPEN, now + LOOK_EVERY)
    assert look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=now + LOOK_EVERY)
    assert_granted_once(top_up)
