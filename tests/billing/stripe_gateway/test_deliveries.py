"""Deliveries: taken when Stripe signed these bytes for us just now, refused in every other case."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from billing.stripe_gateway import (
    StripeGateway,
    StripeSettings,
    WebhookSignatureInvalid,
)
from billing.stripe_gateway.deliveries import WEBHOOK_TOLERANCE_S
from tests.fakes.stripe_double.fixture import Mode, StripeDouble
from tests.fakes.stripe_double.inbox import Inbox, webhook_inbox

SECRET = "whsec_for_tests"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "invoice.paid",
    "created": 1_772_000_000,
    "data": {"object": {"id": "in_1", "object": "invoice"}},
}


@pytest.fixture
def gateway() -> StripeGateway:
    return StripeGateway(StripeSettings(secret_key="sk_test_x", webhook_secret=SECRET, api_base="http://127.0.0.1:9"))


def signed(body: str, *, at: datetime = NOW, secret: str = SECRET) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, int(at.timestamp()))
    return header


def test_a_signed_event_says_what_to_look_up(gateway: StripeGateway) -> None:
    body = json.dumps(EVENT)
    seen = gateway.verify_event(body.encode(), signed(body), now=NOW)
    assert (seen.id, seen.type, seen.object_type, seen.object_id) == ("evt_1", "invoice.paid", "invoice", "in_1")
    assert seen.created == datetime.fromtimestamp(1_772_000_000, UTC)


def test_an_object_without_an_id_is_fine(gateway: StripeGateway) -> None:
    body = json.dumps({**EVENT, "type": "balance.available", "data": {"object": {"object": "balance"}}})
    seen = gateway.verify_event(body.encode(), signed(body), now=NOW)
    assert (seen.object_type, seen.object_id) == ("balance", None)


@pytest.mark.parametrize("off_s", [-WEBHOOK_TOLERANCE_S, -1, 0, 1, WEBHOOK_TOLERANCE_S])
def test_five_minutes_either_way_are_allowed(gateway: StripeGateway, off_s: int) -> None:
    body = json.dumps(EVENT)
    header = signed(body, at=NOW + timedelta(seconds=off_s))
    assert gateway.verify_event(body.encode(), header, now=NOW).id == "evt_1"


@pytest.mark.parametrize("off_s", [-3600, -WEBHOOK_TOLERANCE_S - 1, WEBHOOK_TOLERANCE_S + 1, 3600])
def test_older_and_future_timestamps_are_refused(gateway: StripeGateway, off_s: int) -> None:
    body = json.dumps(EVENT)
    with pytest.raises(WebhookSignatureInvalid, match="too far from now"):
        gateway.verify_event(body.encode(), signed(body, at=NOW + timedelta(seconds=off_s)), now=NOW)


def test_two_signatures_while_a_secret_is_rotated(gateway: StripeGateway) -> None:
    body = json.dumps(EVENT)
    header = signed(body, secret="whsec_old") + "," + signed(body).partition(",")[2]
    assert gateway.verify_event(body.encode(), header, now=NOW).id == "evt_1"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=,v1=",
        "nonsense",
        "t=1772366400",
        "v1=0123",
        f"t={int(NOW.timestamp())},v0=abc",
        f"t={int(NOW.timestamp())},v1=\u00e9\u00e9",
        f"t={int(NOW.timestamp())},v1=" + "0" * 64,
    ],
)
def test_headers_that_are_no_signature_are_refused(gateway: StripeGateway, header: str | None) -> None:
    with pytest.raises(WebhookSignatureInvalid):
        gateway.verify_event(json.dumps(EVENT).encode(), header, now=NOW)


def test_a_timestamp_put_before_the_signed_one_does_not_make_an_old_delivery_new(gateway: StripeGateway) -> None:
    body = json.dumps(EVENT)
    old = signed(body, at=NOW - timedelta(hours=1))
    for header in (f"t={int(NOW.timestamp())},{old}", f"{old},t={int(NOW.timestamp())}"):
        with pytest.raises(WebhookSignatureInvalid):
            gateway.verify_event(body.encode(), header, now=NOW)


def test_a_header_that_only_the_package_can_read_is_refused(gateway: StripeGateway) -> None:
    body = json.dumps(EVENT)
    odd = signed(body).replace(",", "=1,", 1)
    assert stripe.WebhookSignature.verify_header(body, odd, SECRET)
    with pytest.raises(WebhookSignatureInvalid):
        gateway.verify_event(body.encode(), odd, now=NOW)


def test_another_secret_or_a_changed_body_is_refused(gateway: StripeGateway) -> None:
    body = json.dumps(EVENT)
    with pytest.raises(WebhookSignatureInvalid):
        gateway.verify_event(body.encode(), signed(body, secret="whsec_other"), now=NOW)
    with pytest.raises(WebhookSignatureInvalid):
        gateway.verify_event(body.replace("in_1", "in_2").encode(), signed(body), now=NOW)
    with pytest.raises(WebhookSignatureInvalid):
        gateway.verify_event(b"\xff" + body.encode(), signed(body), now=NOW)


def test_without_a_webhook_secret_nothing_is_believed() -> None:
    open_gateway = StripeGateway(StripeSettings(secret_key="sk_test_x", webhook_secret=""))
    body = json.dumps(EVENT)
    with pytest.raises(WebhookSignatureInvalid):
        open_gateway.verify_event(body.encode(), signed(body, secret=""), now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[]",
        "7",
        "{}",
        json.dumps({**EVENT, "data": None}),
        json.dumps({**EVENT, "data": {"object": "in_1"}}),
        json.dumps({**EVENT, "created": "yesterday"}),
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(gateway: StripeGateway, body: str) -> None:
    with pytest.raises(WebhookSignatureInvalid, match="no event"):
        gateway.verify_event(body.encode(), signed(body), now=NOW)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with webhook_inbox() as running:
        yield running


@pytest.mark.parametrize("mode", ["prompt", "late", "doubled", "shuffled"])
def test_real_deliveries_verify_however_untidy(
    gateway: StripeGateway, double: StripeDouble, inbox: Inbox, mode: Mode
) -> None:
    double.deliver_to(inbox.url, SECRET, mode)
    api = double.client()
    customer = api.v1.customers.create({"name": "Sample Tenant"})
    invoice = api.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    api.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1000}]})
    api.v1.invoices.finalize_invoice(invoice.id)
    double.pay(invoice.id)
    double.wait_delivered()
    now = datetime.now(UTC)
    seen = [gateway.verify_event(one.body, one.signature, now=now) for one in inbox.deliveries]
    about_it = {event.type for event in seen if event.object_id == invoice.id}
    assert {"invoice.created", "invoice.finalized", "invoice.paid"} <= about_it
    assert len(seen) == len({event.id for event in seen}) * (2 if mode == "doubled" else 1)
    for endpoint in api.v1.webhook_endpoints.list().data:
        api.v1.webhook_endpoints.delete(endpoint.id)


def test_each_of_several_secrets_is_taken() -> None:
    both = StripeGateway(StripeSettings(secret_key="sk_test_x", webhook_secret=f"{SECRET}, whsec_connect"))
    body = json.dumps(EVENT)
    for secret in (SECRET, "whsec_connect"):
        header = stripe.WebhookSignature.generate_signature_header(body, secret, int(NOW.timestamp()))
        assert both.verify_event(body.encode(), header, now=NOW).id == "evt_1"
    wrong = stripe.WebhookSignature.generate_signature_header(body, "whsec_other", int(NOW.timestamp()))
    with pytest.raises(WebhookSignatureInvalid):
        both.verify_event(body.encode(), wrong, now=NOW)


def test_every_attempt_is_paced(double: StripeDouble) -> None:
    asked: list[tuple[str, str]] = []
    settings = StripeSettings(secret_key=StripeDouble.SECRET_KEY, webhook_secret=SECRET, api_base=double.base_url)
    gateway = StripeGateway(settings, pace=lambda method, url: asked.append((method, url)))
    assert gateway.find_account("nobody") is None
    assert asked == [("get", f"{double.base_url}/v1/accounts?limit=100")]
