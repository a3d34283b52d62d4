"""Checkout: a card is kept, an amount is paid, a kept card is charged; declined, consented, expired, found again."""

import urllib.parse
import urllib.request
from typing import Any
from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeCardDeclined, StripeGateway, StripeRefused
from billing.stripe_seen import StripeSession
from tests.billing.stripe_gateway.paid import card_on_file, charged
from tests.billing.stripe_gateway.test_accounts import post
from tests.fakes.stripe_double.fixture import PaymentRefused, StripeDouble

DONE = "http://127.0.0.1:9/done?session={CHECKOUT_SESSION_ID}"
BACK = "http://127.0.0.1:9/back"


def setup(gateway: StripeGateway, customer: str, reference: str = "") -> StripeSession:
    reference = reference or str(uuid4())
    return gateway.create_setup_session(
        customer_id=customer,
        currency="EUR",
        success_url=DONE,
        cancel_url=BACK,
        reference=reference,
        idempotency_key=f"setup:{reference}",
    )


def payment(gateway: StripeGateway, customer: str, amount_minor: int, **more: Any) -> StripeSession:
    reference = str(uuid4())
    given = {"currency": "EUR", "reference": reference, "idempotency_key": f"top-up:{reference}", **more}
    return gateway.create_payment_session(
        customer_id=customer,
        amount_minor=amount_minor,
        description="Prepaid credit",
        success_url=DONE,
        cancel_url=BACK,
        **given,
    )


def page(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as answer:
        return str(answer.read().decode())


def test_a_card_is_kept_and_becomes_the_one_that_pays(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    opened = setup(gateway, customer, f"card-of-{customer}")
    assert (opened.mode, opened.status, opened.payment_method_id) == ("setup", "open", None)
    assert opened.url is not None
    assert "Keep this card" in page(opened.url)
    assert post(opened.url, payment_method="pm_card_mastercard") == (303, DONE.format(CHECKOUT_SESSION_ID=opened.id))
    done = gateway.get_session(opened.id)
    assert (done.status, done.customer_id, done.is_paid) == ("complete", customer, False)
    assert done.payment_method_id is not None
    assert gateway.default_card(customer) is None
    gateway.set_default_payment_method(customer, done.payment_method_id, f"default:{opened.id}")
    card = gateway.default_card(customer)
    assert card is not None
    assert (card.id, card.kind, card.brand, card.last4) == (done.payment_method_id, "card", "mastercard", "4444")
    assert (card.expires_year, card.expires_month, card.customer_id) == (2040, 12, customer)
    assert gateway.find_session(customer, f"card-of-{customer}") == done
    assert gateway.find_session(customer, "other") is None


def test_a_card_that_is_declined_is_not_kept_and_another_may_be_tried(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    opened = setup(gateway, customer)
    with pytest.raises(PaymentRefused, match="declined"):
        double.complete_checkout(opened.id, "pm_card_chargeDeclined")
    assert gateway.get_session(opened.id).status == "open"
    double.complete_checkout(opened.id)
    assert gateway.get_session(opened.id).status == "complete"


def test_consent_is_asked_for_on_the_page(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    opened = setup(gateway, customer)
    assert opened.url is not None
    card = "pm_card_threeDSecure2Required"
    assert post(opened.url, payment_method=card)[0] == 200
    assert post(opened.url, payment_method=card, consent="refused")[0] == 200
    assert gateway.get_session(opened.id).status == "open"
    assert post(opened.url, payment_method=card, consent="given")[0] == 303
    assert gateway.get_session(opened.id).status == "complete"


def test_a_visitor_may_go_back(gateway: StripeGateway, customer: str) -> None:
    opened = setup(gateway, customer)
    assert opened.url is not None
    assert post(opened.url, cancel="1") == (303, BACK)
    assert gateway.get_session(opened.id).status == "open"


def test_an_amount_is_paid_and_the_card_kept_if_wanted(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    once, kept = payment(gateway, customer, 5_000), payment(gateway, customer, 7_500, keeps_card=True)
    assert (once.mode, once.is_paid, once.amount_minor, once.currency) == ("payment", False, 5_000, "EUR")
    for session in (once, kept):
        double.complete_checkout(session.id)
    seen = gateway.get_session(kept.id)
    assert seen.is_paid
    assert seen.payment_intent_id is not None
    paid = gateway.get_charge(seen.payment_intent_id)
    assert (paid.status, paid.received_minor, paid.reference) == ("succeeded", 7_500, kept.reference)
    assert paid.payment_method_id is not None
    assert gateway.get_card(paid.payment_method_id).customer_id == customer
    seen = gateway.get_session(once.id)
    assert seen.payment_intent_id is not None
    used = gateway.get_charge(seen.payment_intent_id).payment_method_id
    assert used is not None
    assert gateway.get_card(used).customer_id is None


def test_less_than_the_smallest_charge_is_refused(gateway: StripeGateway, customer: str) -> None:
    with pytest.raises(StripeRefused) as refused:
        payment(gateway, customer, 49)
    assert refused.value.code == "amount_too_small"


def test_an_expired_page_takes_nothing(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    opened = setup(gateway, customer)
    assert gateway.expire_session(opened.id).status == "expired"
    assert gateway.expire_session(opened.id).status == "expired"
    with pytest.raises(PaymentRefused, match="expired"):
        double.complete_checkout(opened.id)


def test_a_kept_card_is_charged_once_per_key(gateway: StripeGateway, customer: str) -> None:
    paid = charged(gateway, customer, 1_234)
    assert (paid.status, paid.amount_minor, paid.currency, paid.customer_id) == ("succeeded", 1_234, "EUR", customer)
    assert gateway.find_charge(customer, paid.reference) == paid
    assert gateway.find_charge(customer, "other") is None


@pytest.mark.parametrize(
    ("card", "needs_customer"),
    [("pm_card_chargeCustomerFail", False), ("pm_card_authenticationRequired", True)],
)
def test_a_kept_card_that_does_not_pay_says_whether_its_owner_is_needed(
    gateway: StripeGateway, customer: str, card: str, needs_customer: bool
) -> None:
    method = card_on_file(gateway, customer, card)
    with pytest.raises(StripeCardDeclined) as declined:
        gateway.charge(
            customer_id=customer,
            payment_method_id=method,
            amount_minor=500,
            currency="EUR",
            description="Top-up",
            reference="r",
            idempotency_key=str(uuid4()),
        )
    assert declined.value.needs_customer is needs_customer
    found = gateway.find_charge(customer, "r")
    assert found is not None
    assert (found.status, found.received_minor) == ("requires_payment_method", 0)


def test_a_card_is_forgotten_for_good(gateway: StripeGateway, customer: str) -> None:
    method = card_on_file(gateway, customer)
    gateway.forget_card(method, f"forget:{method}")
    gateway.forget_card(method, f"forget:{method}:again")
    assert gateway.default_card(customer) is None
