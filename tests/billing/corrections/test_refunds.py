"""Refunds: off the balance once, on their way, arrived or back; what a card paid bounds what goes back to it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.corrections.refunds import (
    CardHasNotPaid,
    Order,
    RefundDiffers,
    RefundIsOver,
    WrongRefund,
    card_payments,
    mark_sent,
    request_refund,
    take_back,
)
from billing.models import BalanceAccount, Payment, Refund, RefundMethod, RefundState
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod
from billing.tenant_balances import BalanceTooLow
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.billing.corrections.corrected import BY, NOW, books, credit, pay, wrong_in_the_books
from tests.billing.corrections.kept import keep, refund, stands
from tests.billing.issued import Line, make_issued
from tests.kept import kept

pytestmark = pytest.mark.django_db


def paid_by_card() -> tuple[BalanceAccount, Payment]:
    """An invoice of 100.00 paid by card, of which 70.00 were credited afterwards."""
    invoice = make_issued([Line("100.00")])
    payment = pay(invoice, "100.00", PaymentMethod.STRIPE)
    credit(invoice, amount="70")
    return BalanceAccount.objects.get(tenant_id=invoice.tenant_id), payment


@kept
def account() -> BalanceAccount:
    return keep("50.00")


account_and_payment = kept(paid_by_card)


def test_a_transfer_is_in_transit_until_a_person_says_that_it_was_sent(account: BalanceAccount) -> None:
    asked = refund(account, "30.00")
    assert (asked.state, stands(account)) == (RefundState.PENDING, Decimal(20))
    assert books(account.issuer) == {"bank_clearing": Decimal(50), "refund_in_transit": Decimal(-30)}
    sent = mark_sent(refund_id=asked.pk, reference="TRX-1", by=BY, now=NOW)
    assert (sent.state, sent.reference, sent.finished_at) == (RefundState.DONE, "TRX-1", NOW)
    assert mark_sent(refund_id=asked.pk, reference="TRX-1", by=BY, now=NOW) == sent
    assert books(account.issuer) == {"bank_clearing": Decimal(20)}
    assert list(AuditEntry.objects.filter(subject=f"refund {asked.pk}").values_list("action", flat=True)) == [
        "refund.requested",
        "refund.sent",
    ]
    assert not wrong_in_the_books()


@pytest.mark.parametrize("sent", [False, True])
def test_what_was_not_sent_or_came_back_is_on_the_balance_again(sent: bool, account: BalanceAccount) -> None:
    asked = refund(account, "30.00")
    if sent:
        mark_sent(refund_id=asked.pk, reference="TRX-1", by=BY, now=NOW)
    for _ in range(2):
        back = take_back(refund_id=asked.pk, reason="Account closed", by=BY, now=NOW)
    assert (back.state, back.last_error, stands(account)) == (RefundState.FAILED, "Account closed", Decimal(50))
    assert books(account.issuer) == {"bank_clearing": Decimal(50)}
    with pytest.raises(RefundIsOver, match="is failed"):
        mark_sent(refund_id=asked.pk, reference="TRX-2", by=BY, now=NOW)
    assert not wrong_in_the_books()


def test_more_than_the_balance_has_is_refused_with_what_it_has(account: BalanceAccount) -> None:
    with pytest.raises(BalanceTooLow) as refused:
        refund(account, "50.01")
    assert refused.value.extra == {"left": "50.00"}
    assert not Refund.objects.exists()


def test_the_same_id_is_the_same_refund() -> None:
    account, chosen = keep("50.00"), new_id()
    assert refund(account, "30.00", refund_id=chosen) == refund(account, "30.00", refund_id=chosen)
    assert stands(account) == Decimal(20)
    with pytest.raises(RefundDiffers):
        refund(account, "10.00", refund_id=chosen)


@pytest.mark.parametrize(
    ("amount", "method", "with_payment", "reason"),
    [
        ("0", RefundMethod.BANK_TRANSFER, False, "x"),
        ("-1", RefundMethod.BANK_TRANSFER, False, "x"),
        ("0.001", RefundMethod.BANK_TRANSFER, False, "x"),
        ("NaN", RefundMethod.BANK_TRANSFER, False, "x"),
        ("1", RefundMethod.BANK_TRANSFER, False, " "),
        ("1", RefundMethod.BANK_TRANSFER, True, "x"),
        ("1", RefundMethod.CARD, False, "x"),
    ],
)
def test_what_makes_no_refund_is_refused(
    amount: str,
    method: RefundMethod,
    with_payment: bool,
    reason: str,
    account_and_payment: tuple[BalanceAccount, Payment],
) -> None:
    account, payment = account_and_payment
    with pytest.raises(WrongRefund):
        refund(account, amount, method=method, payment_id=payment.pk if with_payment else None, reason=reason)


def test_no_more_goes_back_to_a_card_than_it_paid_and_has_not_back(
    account_and_payment: tuple[BalanceAccount, Payment],
) -> None:
    account, payment = account_and_payment
    assert card_payments(account) == [(payment, Decimal(100))]
    reverse_payment(payment_id=payment.pk, reference="taken", reason="Chargeback", by=BY, now=NOW, amount=Decimal(45))
    refund(account, "30.00", method=RefundMethod.CARD, payment_id=payment.pk)
    with pytest.raises(CardHasNotPaid) as refused:
        refund(account, "25.01", method=RefundMethod.CARD, payment_id=payment.pk)
    assert refused.value.extra == {"left": "25.00"}
    other, _ = paid_by_card()
    with pytest.raises(CardHasNotPaid, match="0 USD"):
        refund(other, "1.00", method=RefundMethod.CARD, payment_id=payment.pk)
    assert not wrong_in_the_books()


def test_a_person_decides_nothing_of_a_refund_to_a_card(account_and_payment: tuple[BalanceAccount, Payment]) -> None:
    account, payment = account_and_payment
    asked = refund(account, "30.00", method=RefundMethod.CARD, payment_id=payment.pk)
    with pytest.raises(RefundIsOver):
        mark_sent(refund_id=asked.pk, reference="x", by=BY, now=NOW)
    with pytest.raises(RefundIsOver):
        take_back(refund_id=asked.pk, reason="x", by=BY, now=NOW)


@pytest.mark.parametrize("words", ["", " ", "x" * 501])
def test_a_reference_and_a_reason_are_asked_for(words: str) -> None:
    asked = refund(keep("50.00"), "30.00")
    with pytest.raises(WrongRefund, match="reference"):
        mark_sent(refund_id=asked.pk, reference=words, by=BY, now=NOW)
    with pytest.raises(WrongRefund, match="reason"):
        take_back(refund_id=asked.pk, reason=words, by=BY, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [{"amount": Decimal(31)}, {"method": "card"}, {"requested_by": "x"}, {"state": "pending"}],
)
def test_the_database_keeps_what_a_refund_is_about_and_lets_it_only_go_forward(changes: dict[str, object]) -> None:
    asked = refund(keep("50.00"), "30.00")
    mark_sent(refund_id=asked.pk, reference="TRX-1", by=BY, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.filter(pk=asked.pk).update(**changes)


def test_the_database_refuses_more_to_a_card_than_it_paid(account_and_payment: tuple[BalanceAccount, Payment]) -> None:
    account, payment = account_and_payment
    with pytest.raises(IntegrityError, match="refunded already"), transaction.atomic():
        Refund.objects.create(
            account=account,
            amount=Decimal("100.01"),
            method=RefundMethod.CARD,
            payment=payment,
            reason="around",
            requested_by=BY,
            requested_at=NOW,
            next_try_at=NOW,
        )
    with pytest.raises(IntegrityError, match="refund_to_the_card_that_paid"), transaction.atomic():
        Refund.objects.create(
            account=account,
            amount=Decimal(1),
            method=RefundMethod.CARD,
            reason="around",
            requested_by=BY,
            requested_at=NOW,
            next_try_at=NOW,
        )


def test_an_unknown_balance_is_nobodys() -> None:
    with pytest.raises(BalanceAccount.DoesNotExist):
        request_refund(account_id=new_id(), order=Order(Decimal(1), RefundMethod.BANK_TRANSFER, "x"), by=BY, now=NOW)


def test_both_parties_programs_are_told_that_it_went(account: BalanceAccount) -> None:
    for each in (account.issuer, account.tenant):
        WebhookEndpoint.objects.create(
            organization=each, url="https://hooks.example/", kinds=["refund.*"], secret=new_secret(), created_at=NOW
        )
    asked = refund(account, "30.00")
    assert not WebhookEvent.objects.exists()
    mark_sent(refund_id=asked.pk, reference="TRX-1", by=BY, now=NOW)
    for event in WebhookEvent.objects.all():
        assert (event.kind, event.subject_id) == ("refund.paid", asked.pk)
        assert (event.body["amount"], event.body["method"]) == ("30.00", "bank_transfer")
    assert {event.organization_id for event in WebhookEvent.objects.all()} == {account.issuer_id, account.tenant_id}


def test_a_card_takes_only_what_stripe_can_send() -> None:
    invoice = make_issued([Line("10.000")], currency="BHD")
    payment = pay(invoice, "10.000", PaymentMethod.STRIPE)
    credit(invoice, amount="5.000")
    account = BalanceAccount.objects.get()
    with pytest.raises(WrongRefund, match=r"whole steps of 0\.01 BHD, found 3\.363"):
        refund(account, "3.363", method=RefundMethod.CARD, payment_id=payment.pk)
    assert refund(account, "3.360", method=RefundMethod.CARD, payment_id=payment.pk).amount == Decimal("3.360")
    assert refund(account, "1.363").amount == Decimal("1.363")
