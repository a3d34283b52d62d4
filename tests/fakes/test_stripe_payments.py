"""Paying: test cards, payment intents, charges, and the hosted page."""

import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe

from tests.fakes.stripe_double.fixture import PaymentRefused, StripeDouble


@pytest.fixture
def api(double: StripeDouble) -> stripe.StripeClient:
    return double.client()


def customer_with(api: stripe.StripeClient, card: str | None) -> str:
    customer = api.v1.customers.create({"name": "Sample <Tenant>"})
    if card:
        method = api.v1.payment_methods.attach(card, {"customer": customer.id})
        api.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    return customer.id


def open_invoice(api: stripe.StripeClient, customer: str, amount: int = 1000) -> str:
    invoice = api.v1.invoices.create({"customer": customer, "currency": "eur", "number": "F-7"})
    api.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": amount}]})
    return api.v1.invoices.finalize_invoice(invoice.id).id


def payment_of(api: stripe.StripeClient, invoice_id: str) -> dict[str, Any]:
    payments = api.v1.invoice_payments.list({"invoice": invoice_id, "expand": ["data.payment.payment_intent"]})
    assert len(payments.data) == 1
    return payments.data[0].to_dict()


def event_types(double: StripeDouble, invoice_id: str) -> list[str]:
    return [one["type"] for one in double.state()["event"] if one["data"]["object"]["id"] == invoice_id]


def test_a_good_card_pays_the_whole_invoice(api: stripe.StripeClient, double: StripeDouble) -> None:
    invoice_id = open_invoice(api, customer_with(api, "pm_card_visa"))
    assert payment_of(api, invoice_id)["status"] == "open"
    paid = api.v1.invoices.pay(invoice_id)
    assert (paid.status, paid.amount_paid, paid.amount_remaining, paid.attempt_count) == ("paid", 1000, 0, 1)
    payment = payment_of(api, invoice_id)
    intent = payment["payment"]["payment_intent"]
    assert (payment["status"], payment["amount_paid"]) == ("paid", 1000)
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 1000)
    charge = api.v1.charges.retrieve(intent["latest_charge"])
    assert (charge.status, charge.paid, charge.amount_captured) == ("succeeded", True, 1000)
    assert event_types(double, invoice_id)[-2:] == ["invoice.paid", "invoice.payment_succeeded"]
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        api.v1.invoices.pay(invoice_id)


def test_a_card_that_attaches_and_then_declines_leaves_the_invoice_open(
    api: stripe.StripeClient, double: StripeDouble
) -> None:
    invoice_id = open_invoice(api, customer_with(api, "pm_card_chargeCustomerFail"))
    with pytest.raises(stripe.CardError) as declined:
        api.v1.invoices.pay(invoice_id)
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    after = api.v1.invoices.retrieve(invoice_id)
    assert (after.status, after.attempt_count, after.amount_paid) == ("open", 1, 0)
    intent = payment_of(api, invoice_id)["payment"]["payment_intent"]
    assert intent["status"] == "requires_payment_method"
    assert intent["last_payment_error"]["decline_code"] == "generic_decline"
    assert api.v1.charges.retrieve(intent["latest_charge"]).status == "failed"
    assert event_types(double, invoice_id)[-1] == "invoice.payment_failed"


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_a_card_that_is_always_declined_cannot_even_be_attached(
    api: stripe.StripeClient, card: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        customer_with(api, card)
    assert declined.value.error is not None
    assert declined.value.error.decline_code == decline_code


@pytest.mark.parametrize("card", ["pm_card_threeDSecure2Required", "pm_card_authenticationRequired"])
def test_a_card_that_wants_the_customer_waits_for_the_hosted_page(
    api: stripe.StripeClient, double: StripeDouble, card: str
) -> None:
    invoice_id = open_invoice(api, customer_with(api, card))
    with pytest.raises(stripe.CardError) as waiting:
        api.v1.invoices.pay(invoice_id)
    assert waiting.value.code == "invoice_payment_intent_requires_action"
    assert payment_of(api, invoice_id)["payment"]["payment_intent"]["status"] == "requires_action"
    assert "invoice.payment_action_required" in event_types(double, invoice_id)
    assert double.pay(invoice_id, card)["status"] == "paid"


def test_without_a_payment_method_paying_is_refused(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="default_payment_method"):
        api.v1.invoices.pay(open_invoice(api, customer_with(api, None)))


def test_a_payment_method_of_someone_else_is_refused(api: stripe.StripeClient) -> None:
    other = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer_with(api, None)})
    mine = customer_with(api, None)
    with pytest.raises(stripe.InvalidRequestError, match="attached to the customer"):
        api.v1.invoices.pay(open_invoice(api, mine), {"payment_method": other.id})
    with pytest.raises(stripe.InvalidRequestError, match="attached to the customer"):
        api.v1.customers.update(mine, {"invoice_settings": {"default_payment_method": other.id}})
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        api.v1.payment_methods.attach(other.id, {"customer": mine})


def test_a_detached_payment_method_is_no_default_any_more(api: stripe.StripeClient) -> None:
    customer = customer_with(api, "pm_card_mastercard")
    (method,) = api.v1.customers.payment_methods.list(customer).data
    assert api.v1.payment_methods.retrieve(method.id).customer == customer
    api.v1.payment_methods.detach(method.id)
    settings = api.v1.customers.retrieve(customer).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_method"):
        api.v1.customers.payment_methods.retrieve(customer, method.id)


def test_paid_out_of_band_moves_no_money(api: stripe.StripeClient) -> None:
    invoice_id = open_invoice(api, customer_with(api, "pm_card_visa"))
    paid = api.v1.invoices.pay(invoice_id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_remaining, paid.amount_paid_off_stripe) == ("paid", 0, 1000)
    payment = payment_of(api, invoice_id)
    assert payment["status"] == "canceled"
    assert payment["payment"]["payment_intent"]["status"] == "canceled"


def test_voiding_cancels_the_payment(api: stripe.StripeClient) -> None:
    invoice_id = open_invoice(api, customer_with(api, "pm_card_visa"))
    api.v1.invoices.void_invoice(invoice_id)
    payment = payment_of(api, invoice_id)
    assert payment["status"] == "canceled"
    intent_id = payment["payment"]["payment_intent"]["id"]
    assert api.v1.payment_intents.retrieve(intent_id).status == "canceled"
    assert api.v1.invoice_payments.retrieve(payment["id"]).status_transitions.canceled_at is not None


def test_payments_are_listed_by_customer_and_intent(api: stripe.StripeClient) -> None:
    customer = customer_with(api, "pm_card_visa")
    invoice_id = open_invoice(api, customer)
    api.v1.invoices.pay(invoice_id)
    (intent,) = api.v1.payment_intents.list({"customer": customer}).data
    (charge,) = api.v1.charges.list({"payment_intent": intent.id}).data
    by_intent: Any = {"payment": {"type": "payment_intent", "payment_intent": intent.id}, "status": "paid"}
    (payment,) = api.v1.invoice_payments.list(by_intent).data
    assert (charge.amount, payment.invoice) == (1000, invoice_id)


def test_more_than_stripe_charges_at_once_cannot_be_finalized(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        open_invoice(api, customer_with(api, None), 100_000_000)
    assert refused.value.code == "amount_too_large"


def test_a_customer_pays_the_hosted_page(api: stripe.StripeClient, double: StripeDouble) -> None:
    invoice_id = open_invoice(api, customer_with(api, None))
    with pytest.raises(PaymentRefused) as declined:
        double.pay(invoice_id, "pm_card_chargeDeclined")
    assert declined.value.error["code"] == "card_declined"
    assert api.v1.invoices.retrieve(invoice_id).attempt_count == 1
    assert double.pay(invoice_id)["status"] == "paid"
    with pytest.raises(PaymentRefused, match="already paid"):
        double.pay(invoice_id)
    with pytest.raises(PaymentRefused, match="No such invoice"):
        double.pay("in_nowhere")


def open_page(address: str, form: bytes | None = None) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, form, timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
        page: str = answer.read().decode()
        return page


def test_the_hosted_page_has_a_button_that_pays(api: stripe.StripeClient) -> None:
    invoice_id = open_invoice(api, customer_with(api, None))
    address = api.v1.invoices.retrieve(invoice_id).hosted_invoice_url or ""
    page = open_page(address)
    assert "Sample &lt;Tenant&gt;" in page
    assert "1000 EUR" in page
    assert '<button name="payment_method" value="pm_card_visa">Pay</button>' in page
    assert "Your card was declined." in open_page(f"{address}/pay", b"payment_method=pm_card_chargeDeclined")
    paid = open_page(f"{address}/pay", b"payment_method=pm_card_visa")
    assert "<td>paid</td>" in paid
    assert "<button" not in paid
    assert api.v1.invoices.retrieve(invoice_id).status == "paid"


def test_a_hosted_page_of_nothing_is_not_found(double: StripeDouble) -> None:
    with pytest.raises(urllib.error.HTTPError) as missing:
        open_page(f"{double.base_url}/_double/hosted/in_nowhere")
    with missing.value:
        assert missing.value.code == 404
