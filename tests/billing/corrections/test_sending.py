"""Refunds to cards through the Stripe double: once whatever is lost or dies, and back on the balance if refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.corrections.sending import LEASE_S, POLL_S, apply_refund, due_refunds, send_refund
from billing.models import BalanceAccount, Collection, Payment, Refund, RefundMethod, RefundState
from billing.stripe_gateway import StripeGateway
from tests.billing.collected import Killed, add_card, begin, collect, gateway_of, settings_of
from tests.billing.corrections.corrected import NOW, books, credit, wrong_in_the_books
from tests.billing.corrections.kept import refund, stands
from tests.billing.issued import Line, make_issued

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


class Dying(StripeGateway):
    """The real gateway, whose worker dies once around the refund."""

    def __init__(self, double: StripeDouble, *, before: bool) -> None:
        super().__init__(settings_of(double))
        self.before = before

    def refund(self, **given: Any) -> Any:
        if self.before:
            raise Killed
        super().refund(**given)
        raise Killed


def asked(double: StripeDouble, amount: str = "60.00") -> Refund:
    """A refund to the card that paid an invoice of 100.00, of which 70.00 were credited."""
    invoice = make_issued([Line("100.00")], collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    add_card(double, invoice)
    collect(invoice, gateway_of(double))
    credit(invoice, amount="70")
    account = BalanceAccount.objects.get(tenant_id=invoice.tenant_id)
    payment = Payment.objects.get(invoice=invoice)
    return refund(account, amount, method=RefundMethod.CARD, payment_id=payment.pk)


def send(going: Refund, gateway: StripeGateway, now: datetime = NOW) -> Refund:
    send_refund(refund_id=going.pk, gateway=gateway, now=now)
    going.refresh_from_db()
    return going


def given_back(double: StripeDouble) -> list[int]:
    return [each["amount"] for each in double.state()["refund"] if each["status"] != "failed"]


def test_it_is_sent_once_and_booked(double: StripeDouble) -> None:
    going = asked(double)
    assert due_refunds(now=NOW, limit=5) == [going.pk]
    assert send(going, gateway_of(double)).state == RefundState.DONE
    assert given_back(double) == [6_000]
    assert due_refunds(now=NOW + timedelta(days=30), limit=5) == []
    assert books(going.account.issuer) == {"provider_payable": Decimal(-30), "stripe_clearing": Decimal(40)}
    assert stands(going.account) == Decimal(10)
    assert not wrong_in_the_books()


@pytest.mark.parametrize("before", [True, False], ids=["between intent and call", "between call and result"])
def test_a_worker_that_dies_around_the_call_is_taken_over(double: StripeDouble, before: bool) -> None:
    going = asked(double)
    with pytest.raises(Killed):
        send(going, Dying(double, before=before))
    assert send(going, gateway_of(double)).state == RefundState.PENDING
    later = NOW + timedelta(seconds=LEASE_S)
    assert send(going, gateway_of(double), later).state == RefundState.DONE
    assert given_back(double) == [6_000]
    assert not wrong_in_the_books()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop", "when": "before"},
        {"kind": "drop", "when": "after"},
        {"status": 500, "when": "after", "stored": True},
        {"status": 500, "when": "during"},
        {"status": 429, "headers": {"Retry-After": "7"}},
    ],
)
def test_whatever_is_lost_on_the_way_it_is_given_back_once(double: StripeDouble, fault: dict[str, Any]) -> None:
    going = asked(double)
    double.faults({**fault, "method": "POST", "path": "/v1/refunds"})
    now, gateway = NOW, gateway_of(double)
    while send(going, gateway, now).state == RefundState.PENDING:
        assert "unavailable" in going.last_error
        assert going.attempts < 4
        now = going.next_try_at
    assert (going.state, given_back(double)) == (RefundState.DONE, [6_000])
    assert not wrong_in_the_books()


def test_one_that_waits_for_funds_is_looked_at_until_it_went(double: StripeDouble) -> None:
    going = asked(double)
    double.pay_out("usd")
    waiting = send(going, gateway_of(double))
    assert (waiting.state, waiting.next_try_at) == (RefundState.SENT, NOW + timedelta(seconds=POLL_S))
    assert not wrong_in_the_books()
    double.top_up(10_000, "usd")
    assert send(going, gateway_of(double), waiting.next_try_at).state == RefundState.DONE
    assert given_back(double) == [6_000]


def test_one_that_the_bank_sends_back_later_is_on_the_balance_again(double: StripeDouble) -> None:
    going = send(asked(double), gateway_of(double))
    double.fail_refund(going.reference, "lost_or_stolen_card")
    seen = gateway_of(double).get_refund(going.reference)
    for _ in range(2):
        apply_refund(refund_id=going.pk, seen=seen, now=NOW)
    going.refresh_from_db()
    assert going.state == RefundState.FAILED
    assert "lost_or_stolen_card" in going.last_error
    assert stands(going.account) == Decimal(70)
    assert books(going.account.issuer) == {"provider_payable": Decimal(-30), "stripe_clearing": Decimal(100)}
    assert not wrong_in_the_books()


def test_a_refusal_puts_it_back_on_the_balance_with_the_reason(double: StripeDouble) -> None:
    going = asked(double)
    intent = next(each["payment_intent"] for each in double.state()["charge"])
    gateway = gateway_of(double)
    gateway.refund(payment_intent_id=intent, amount_minor=9_000, reference="by hand", idempotency_key="by hand")
    assert send(going, gateway).state == RefundState.FAILED
    assert "Stripe refused" in going.last_error
    assert stands(going.account) == Decimal(70)
    assert not wrong_in_the_books()


def test_another_refund_at_stripe_with_its_reference_changes_nothing(double: StripeDouble) -> None:
    """Somebody copied one there, and it failed: what was paid out stays paid out."""
    going = send(asked(double), gateway_of(double))
    seen = gateway_of(double).get_refund(going.reference)
    apply_refund(refund_id=going.pk, seen=replace(seen, id="re_copied", status="failed"), now=NOW)
    going.refresh_from_db()
    assert (going.state, going.reference) == (RefundState.DONE, seen.id)
    assert stands(going.account) == Decimal(10)
