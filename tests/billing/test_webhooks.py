"""Stripe's deliveries at the door: signed, bounded, kept once, answered after they are on disk."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import stripe
from django.db import connection
from django.test import Client

from billing.models import StripeEvent
from billing.stripe_events import SUBSCRIBED
from billing.webhooks import BODY_BYTES_MAX
from tests.billing.collected import WEBHOOK_SECRET

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries, Settings

URL = "/webhooks/stripe"


@pytest.fixture(autouse=True)
def account(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.billing.webhook_root"
    settings.STRIPE_SECRET_KEY = "sk_test_webhooks"
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"  # nothing listens there, and nothing may ask


def event(event_type: str = "invoice.paid", event_id: str = "evt_1", **members: Any) -> bytes:
    subject = {"id": "in_1", "object": "invoice", "status": "paid", **members}
    return json.dumps(
        {"id": event_id, "object": "event", "type": event_type, "created": 1_775_000_000, "data": {"object": subject}}
    ).encode()


def deliver(body: bytes, *, secret: str = WEBHOOK_SECRET, signed: bytes | None = None, at: int = 0) -> Any:
    header = stripe.WebhookSignature.generate_signature_header(
        (body if signed is None else signed).decode(), secret, at or int(time.time())
    )
    return post(body, {"Stripe-Signature": header})


def post(body: bytes, headers: dict[str, str]) -> Any:
    # Checks of forgery are on, as a browserless caller meets them.
    client = Client(enforce_csrf_checks=True)
    return client.post(URL, body, content_type="application/json", headers=headers)


@pytest.mark.django_db
def test_a_signed_event_is_kept_with_what_it_names() -> None:
    answer = deliver(event())
    assert (answer.status_code, answer.content) == (200, b"")
    kept = StripeEvent.objects.get()
    assert (kept.event_id, kept.type, kept.object_id) == ("evt_1", "invoice.paid", "in_1")
    assert (kept.processed_at, kept.outcome) == (None, "")
    assert kept.payload == json.loads(event())


@pytest.mark.django_db
def test_a_duplicate_is_answered_and_kept_once() -> None:
    first = deliver(event(status="paid"))
    second = deliver(event(status="open"))
    assert (first.status_code, second.status_code) == (200, 200)
    assert StripeEvent.objects.get().payload["data"]["object"]["status"] == "paid"


@pytest.mark.django_db
def test_keeping_takes_one_statement_new_or_not(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _delivery in range(2):
        with django_assert_num_queries(1):
            assert deliver(event()).status_code == 200
    assert StripeEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_event_delivered_many_times_at_once_is_kept_once() -> None:
    def one(_: int) -> int:
        try:
            return int(deliver(event()).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(6))) == [200] * 6
    assert StripeEvent.objects.count() == 1


@pytest.mark.django_db
def test_a_type_that_is_not_subscribed_is_answered_and_not_kept() -> None:
    assert deliver(event("customer.tax_id.created")).status_code == 200
    assert not StripeEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("event_type", sorted(SUBSCRIBED))
def test_every_subscribed_type_is_kept(event_type: str) -> None:
    assert deliver(event(event_type)).status_code == 200
    assert StripeEvent.objects.get().type == event_type


@pytest.mark.django_db
def test_what_stripe_did_not_sign_just_now_is_refused_and_not_kept() -> None:
    body, now = event(), int(time.time())
    refused = [
        deliver(body, secret="whsec_of_another"),
        deliver(body, signed=event(status="void")),
        deliver(body, at=now - 3_600),
        deliver(body, at=now + 3_600),
        deliver(b"no event"),
        post(body, {}),
        post(body, {"Stripe-Signature": "t=1,v1=ü"}),
    ]
    for answer in refused:
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert json.loads(answer.content)["code"] == "signature_invalid"
    assert not StripeEvent.objects.exists()


@pytest.mark.django_db
def test_a_body_beyond_the_bound_is_refused_before_it_is_read() -> None:
    filler = "x" * BODY_BYTES_MAX
    answer = deliver(event(description=filler))
    assert answer.status_code == 413
    assert json.loads(answer.content)["code"] == "too_large"
    assert not StripeEvent.objects.exists()


@pytest.mark.django_db
def test_a_body_at_the_bound_is_taken() -> None:
    room = BODY_BYTES_MAX - len(event(description=""))
    assert deliver(event(description="x" * room)).status_code == 200


@pytest.mark.parametrize("missing", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
def test_without_stripe_nothing_is_taken(settings: Settings, missing: str) -> None:
    setattr(settings, missing, "")
    answer = deliver(event())
    assert answer.status_code == 503
    assert json.loads(answer.content)["code"] == "stripe_not_configured"


def test_only_a_post_is_answered() -> None:
    assert Client().get(URL).status_code == 405
