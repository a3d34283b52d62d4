"""Webhook endpoints and deliveries: signed, repeated until accepted, doubled, shuffled, late."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.fakes.stripe_double.fixture import PaymentRefused, StripeDouble
from tests.fakes.stripe_double.inbox import Inbox, webhook_inbox

SECRET = "whsec_for_tests"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with webhook_inbox() as running:
        yield running


def pay_an_invoice(double: StripeDouble) -> list[str]:
    """The types of all events, in the order in which they happened."""
    api = double.client()
    customer = api.v1.customers.create({"name": "Sample Tenant"})
    invoice = api.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    api.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1000}]})
    api.v1.invoices.finalize_invoice(invoice.id)
    double.pay(invoice.id)
    return [event["type"] for event in double.state()["event"]]


def test_deliveries_are_signed_and_in_order(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET)
    happened = pay_an_invoice(double)
    double.wait_delivered()
    assert inbox.types == happened
    assert happened[-2:] == ["invoice.paid", "invoice.payment_succeeded"]
    for delivery in inbox.deliveries:
        event = stripe.Webhook.construct_event(delivery.body, delivery.signature, SECRET)
        assert event.api_version == stripe.api_version
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(delivery.body, delivery.signature, "whsec_other")


def test_nothing_is_delivered_after_a_reset(double: StripeDouble, inbox: Inbox) -> None:
    inbox.answers = [500] * 1_000
    double.deliver_to(inbox.url, SECRET)
    pay_an_invoice(double)
    double.reset()
    inbox.answers.clear()
    seen = len(inbox.deliveries)
    double.deliver_to(inbox.url, SECRET)
    customer = double.client().v1.customers.create({"name": "Sample Tenant"})
    double.wait_delivered()
    [only] = inbox.deliveries[seen:]
    assert only.event["data"]["object"]["id"] == customer.id


def test_an_event_holds_the_object_as_it_was(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET)
    pay_an_invoice(double)
    double.wait_delivered()
    seen = {one.event["type"]: one.event["data"]["object"] for one in inbox.deliveries}
    assert seen["invoice.created"]["status"] == "draft"
    assert seen["invoice.finalized"]["status"] == "open"
    assert seen["invoice.paid"]["status"] == "paid"
    assert not [name for name in seen["invoice.paid"] if name.startswith("_")]


def test_a_delivery_is_repeated_until_it_is_accepted(double: StripeDouble, inbox: Inbox) -> None:
    inbox.answers += [500, 404, 503]
    double.deliver_to(inbox.url, SECRET)
    double.client().v1.customers.create({"name": "a"})
    double.wait_delivered()
    assert [one.status for one in inbox.deliveries] == [500, 404, 503, 200]
    assert len({one.event["id"] for one in inbox.deliveries}) == 1
    (event,) = double.state()["event"]
    assert event["pending_webhooks"] == 0


def test_an_event_nobody_took_is_listed_as_undelivered(double: StripeDouble, inbox: Inbox) -> None:
    api = double.client()
    api.v1.customers.create({"name": "before any endpoint"})
    double.deliver_to(inbox.url, SECRET, "held")
    api.v1.customers.create({"name": "held back"})
    undelivered: Any = api.v1.events.list({"delivery_success": False})
    assert [one.data.object["name"] for one in undelivered.data] == ["held back"]
    assert api.v1.events.retrieve(undelivered.data[0].id).pending_webhooks == 1
    double.release()
    double.wait_delivered()
    assert api.v1.events.list({"delivery_success": False}).data == []
    assert len(api.v1.events.list({"types": ["customer.created", "invoice.paid"]}).data) == 2
    assert api.v1.events.list({"type": "invoice.paid"}).data == []


def test_doubled_deliveries_are_the_same_event_twice(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET, "doubled")
    happened = pay_an_invoice(double)
    double.wait_delivered()
    assert len(inbox.types) == 2 * len(happened)
    assert len({one.event["id"] for one in inbox.deliveries}) == len(happened)


def test_shuffled_deliveries_are_all_there_in_another_order(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET, "held", seed=3)
    double.manner(order="shuffled")
    happened = pay_an_invoice(double)
    assert inbox.deliveries == []
    double.release()
    double.wait_delivered()
    assert inbox.types != happened
    assert sorted(inbox.types) == sorted(happened)


def test_shuffled_mode_gathers_events_for_a_moment(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET, "shuffled", seed=1)
    happened = pay_an_invoice(double)
    double.wait_delivered()
    assert sorted(inbox.types) == sorted(happened)


def test_reversed_deliveries_come_last_first(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET, "held")
    double.manner(order="reversed")
    happened = pay_an_invoice(double)
    double.release()
    double.wait_delivered()
    assert inbox.types == happened[::-1]


def test_late_deliveries_leave_after_the_answer(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET, "late")
    begun = time.monotonic()
    double.client().v1.customers.create({"name": "a"})
    double.wait_delivered()
    assert inbox.types == ["customer.created"]
    assert time.monotonic() - begun >= 1.0


def test_endpoints_are_managed_through_the_api(double: StripeDouble, inbox: Inbox) -> None:
    endpoints = double.client().v1.webhook_endpoints
    made = endpoints.create({"url": inbox.url, "enabled_events": ["invoice.paid"], "metadata": {"a": "1"}})
    assert (made.secret or "").startswith("whsec_")
    assert "secret" not in endpoints.retrieve(made.id).to_dict()
    pay_an_invoice(double)
    double.wait_delivered()
    assert inbox.types == ["invoice.paid"]
    assert stripe.Webhook.construct_event(inbox.deliveries[0].body, inbox.deliveries[0].signature, made.secret)
    changed = endpoints.update(made.id, {"disabled": True, "description": "off", "metadata": {"a": ""}})
    assert (changed.status, changed.description, changed.metadata.to_dict()) == ("disabled", "off", {})
    pay_an_invoice(double)
    assert [one.id for one in endpoints.list().data] == [made.id]
    endpoints.delete(made.id)
    assert endpoints.list().data == []
    assert inbox.types == ["invoice.paid"]


def test_an_endpoint_deleted_meanwhile_gets_nothing(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, SECRET, "held")
    api = double.client()
    api.v1.customers.create({"name": "a"})
    (endpoint,) = api.v1.webhook_endpoints.list().data
    api.v1.webhook_endpoints.delete(endpoint.id)
    double.release()
    double.wait_delivered()
    assert inbox.deliveries == []


def test_there_are_at_most_sixteen_endpoints(double: StripeDouble) -> None:
    endpoints = double.client().v1.webhook_endpoints
    params: Any = {"url": "http://127.0.0.1:9/", "enabled_events": ["*"]}
    for _ in range(16):
        endpoints.create(params)
    with pytest.raises(stripe.InvalidRequestError, match="maximum of 16"):
        endpoints.create(params)
    params["enabled_events"] = ["invoice.eaten"]
    with pytest.raises(stripe.InvalidRequestError, match="enabled_events"):
        endpoints.create(params)
    (unlawful,) = double.take_unlawful()
    assert "enabled_events[0]" in unlawful


def test_an_address_nobody_answers_is_tried_again(double: StripeDouble) -> None:
    with webhook_inbox() as gone:
        address = gone.url
    double.deliver_to(address, SECRET)
    double.client().v1.customers.create({"name": "a"})
    while len(double.state()["deliveries"]) < 2:
        time.sleep(0.02)
    assert {one["status"] for one in double.state()["deliveries"]} == {0}
    assert double.state()["deliveries_waiting"] == 1


def test_a_new_secret_for_a_known_address_replaces_the_old_one(double: StripeDouble, inbox: Inbox) -> None:
    double.deliver_to(inbox.url, "whsec_old")
    double.deliver_to(inbox.url, SECRET)
    double.client().v1.customers.create({"name": "a"})
    double.wait_delivered()
    assert len(inbox.deliveries) == 1
    assert stripe.Webhook.construct_event(inbox.deliveries[0].body, inbox.deliveries[0].signature, SECRET)


def test_unknown_delivery_settings_are_refused(double: StripeDouble) -> None:
    with pytest.raises(PaymentRefused, match="Unknown delivery settings"):
        double.manner(colour="red")
