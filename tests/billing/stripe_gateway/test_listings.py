"""Listings: what Stripe has of a window, complete over pages, with the balance that the movements add up to."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from billing.stripe_gateway import StripeGateway
from billing.stripe_seen import StripeMovement
from tests.billing.stripe_gateway.paid import account_of_provider, charged
from tests.billing.stripe_gateway.test_invoices import draft, gateway_to
from tests.fakes.stripe_double.fixture import StripeDouble
from tests.fakes.stripe_double.inbox import webhook_inbox

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def window() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(hours=1), now + timedelta(hours=1)


def movements(gateway: StripeGateway) -> list[StripeMovement]:
    return list(gateway.list_balance_transactions(*window()))


def test_every_movement_is_listed_and_sums_to_the_balance(double: StripeDouble) -> None:
    gateway = gateway_to(double)
    customer = gateway.create_customer(str(uuid4()), "Sample Tenant", "a@b.example", str(uuid4()))
    double.funds(fee_basis_points=150, fee_fixed=25)
    paid = charged(gateway, customer, 10_000)
    gateway.refund(payment_intent_id=paid.id, amount_minor=1_000, reference="r", idempotency_key="r")
    account = account_of_provider(gateway, double)
    sent = gateway.transfer(
        account_id=account.id, amount_minor=5_000, currency="EUR", group="g", reference="p", idempotency_key="p"
    )
    gateway.reverse_transfer(transfer_id=sent.id, amount_minor=500, reference="v", idempotency_key="v")
    assert paid.charge_id is not None
    disputed = charged(gateway, customer, 2_000)
    double.dispute(str(disputed.charge_id), reason="fraudulent")
    found = [(one.kind, one.amount_minor, one.fee_minor, one.net_minor) for one in movements(gateway)]
    assert found == [
        ("adjustment", -2_000, 1_500, -3_500),
        ("charge", 2_000, 55, 1_945),
        ("transfer_refund", 500, 0, 500),
        ("transfer", -5_000, 0, -5_000),
        ("refund", -1_000, 0, -1_000),
        ("charge", 10_000, 175, 9_825),
    ]
    (euros,) = [one for one in gateway.balance() if one.currency == "EUR"]
    assert (euros.available_minor, euros.pending_minor) == (sum(net for *_, net in found), 0)


def test_listings_go_over_pages_and_keep_to_their_window(gateway: StripeGateway, customer: str) -> None:
    made = {draft(gateway, customer) for _ in range(3)}
    listed = list(gateway.list_invoices(*window()))
    assert made <= {one.id for one in listed}
    assert all(one.payments == () for one in listed)
    assert list(gateway.list_invoices(LONG_AGO, LONG_AGO + timedelta(days=1))) == []


def test_refunds_transfers_and_disputes_are_listed(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    paid, account = charged(gateway, customer), account_of_provider(gateway, double)
    refund = gateway.refund(payment_intent_id=paid.id, amount_minor=1, reference="r", idempotency_key=str(uuid4()))
    transfer = gateway.transfer(
        account_id=account.id, amount_minor=2, currency="EUR", group="g", reference="t", idempotency_key=str(uuid4())
    )
    opened = double.dispute(str(charged(gateway, customer).charge_id))
    assert refund in list(gateway.list_refunds(*window()))
    assert transfer in list(gateway.list_transfers(*window()))
    assert opened["id"] in [one.id for one in gateway.list_disputes(*window())]


@pytest.mark.parametrize(("outcome", "withdrawn"), [("won", 0), ("lost", 4_000)])
def test_a_dispute_says_what_was_taken_and_what_came_back(
    double: StripeDouble, gateway: StripeGateway, customer: str, outcome: str, withdrawn: int
) -> None:
    paid = charged(gateway, customer, 4_000)
    opened = double.dispute(str(paid.charge_id), reason="product_not_received")
    seen = gateway.get_dispute(opened["id"])
    assert (seen.status, seen.amount_minor, seen.withdrawn_minor, seen.fee_minor) == (
        "needs_response",
        4_000,
        4_000,
        1_500,
    )
    assert (seen.reason, seen.charge_id, seen.payment_intent_id) == ("product_not_received", paid.charge_id, paid.id)
    assert seen.respond_by is not None
    double.close_dispute(opened["id"], "won" if outcome == "won" else "lost")
    closed = gateway.get_dispute(opened["id"])
    assert (closed.status, closed.withdrawn_minor, closed.fee_minor) == (outcome, withdrawn, 1_500)


def test_events_that_reached_nobody_are_listed(double: StripeDouble) -> None:
    with webhook_inbox() as inbox:
        gateway = gateway_to(double)
        double.deliver_to(inbox.url, "whsec_x", "held")
        customer = gateway.create_customer(str(uuid4()), "Sample Tenant", "a@b.example", str(uuid4()))
        (missed,) = gateway.undelivered_events(*window())
        assert (missed.type, missed.object_type, missed.object_id) == ("customer.created", "customer", customer)
        double.release()
        double.wait_delivered()
        assert list(gateway.undelivered_events(*window())) == []


def test_customers_with_a_balance_stand_out(double: StripeDouble, gateway: StripeGateway, customer: str) -> None:
    assert customer not in {one[0] for one in gateway.customer_balances()}
    double.client().v1.customers.update(customer, {"balance": -700})
    assert (customer, -700, "") in gateway.customer_balances()
