"""Refunds: never more than is left, found again by our reference, pending without funds, failing late."""

from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeGateway, StripeRefused, StripeUnavailable
from billing.stripe_seen import StripeRefund
from tests.billing.stripe_gateway.paid import charged
from tests.fakes.stripe_double.fixture import StripeDouble

CREATE = "/v1/refunds"


def refund(gateway: StripeGateway, intent: str, amount_minor: int, reference: str = "") -> StripeRefund:
    reference = reference or str(uuid4())
    return gateway.refund(
        payment_intent_id=intent, amount_minor=amount_minor, reference=reference, idempotency_key=f"re:{reference}"
    )


def test_parts_are_given_back_until_nothing_is_left(gateway: StripeGateway, customer: str) -> None:
    paid = charged(gateway, customer, 10_000)
    first = refund(gateway, paid.id, 4_000)
    assert (first.status, first.amount_minor, first.currency) == ("succeeded", 4_000, "EUR")
    assert (first.payment_intent_id, first.charge_id) == (paid.id, paid.charge_id)
    with pytest.raises(StripeRefused, match=r"6001.*unrefunded amount on charge \(6000\)"):
        refund(gateway, paid.id, 6_001)
    refund(gateway, paid.id, 6_000)
    with pytest.raises(StripeRefused) as refused:
        refund(gateway, paid.id, 1)
    assert refused.value.code == "charge_already_refunded"


def test_the_same_key_gives_back_once(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    paid = charged(gateway, customer)
    double.faults({"path": CREATE, "when": "after", "status": 500})
    with pytest.raises(StripeUnavailable):
        refund(gateway, paid.id, 2_500, "cn-1")
    again = refund(gateway, paid.id, 2_500, "cn-1")
    assert gateway.find_refund(paid.id, "cn-1") == again
    (charge,) = [one for one in double.state()["charge"] if one["id"] == paid.charge_id]
    assert charge["amount_refunded"] == 2_500


def test_what_was_not_given_back_is_not_found(gateway: StripeGateway, customer: str) -> None:
    paid = charged(gateway, customer)
    refund(gateway, paid.id, 100, "cn-a")
    assert gateway.find_refund(paid.id, "cn-b") is None


def test_a_refund_waits_while_the_balance_does_not_cover_it(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    paid = charged(gateway, customer, 3_000, "CHF")
    double.pay_out("chf")
    waiting = refund(gateway, paid.id, 3_000)
    assert waiting.status == "pending"
    double.top_up(3_000, "chf")
    assert gateway.get_refund(waiting.id).status == "succeeded"


def test_a_refund_that_the_bank_sends_back_says_why_and_can_be_made_again(
    double: StripeDouble, gateway: StripeGateway, customer: str
) -> None:
    paid = charged(gateway, customer, 5_000)
    made = refund(gateway, paid.id, 5_000, "cn-late")
    double.fail_refund(made.id, "lost_or_stolen_card")
    seen = gateway.get_refund(made.id)
    assert (seen.status, seen.failure_reason) == ("failed", "lost_or_stolen_card")
    assert gateway.find_refund(paid.id, "cn-late") == seen
    second = gateway.refund(
        payment_intent_id=paid.id, amount_minor=5_000, reference="cn-late", idempotency_key="re:cn-late:2"
    )
    found = gateway.find_refund(paid.id, "cn-late")
    assert found is not None
    assert (found.id, found.status) == (second.id, "succeeded")


@pytest.mark.parametrize(("currency", "amount", "wrong"), [("KWD", 5_120, 5_124), ("UGX", 50_000, 50_050)])
def test_amounts_that_a_currency_does_not_know_are_refused(
    gateway: StripeGateway, customer: str, currency: str, amount: int, wrong: int
) -> None:
    paid = charged(gateway, customer, 100_000, currency)
    with pytest.raises(StripeRefused, match="multiples of"):
        refund(gateway, paid.id, wrong)
    assert refund(gateway, paid.id, amount).amount_minor == amount
