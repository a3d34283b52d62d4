"""The provider's page of balances: paying out, what became of a transfer, and the policy."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.corrections.policies import policy_of
from billing.models import BalanceAccount, Invoice, Refund, RefundMethod, RefundState
from billing.payments import PaymentMethod
from tenants.ids import new_id
from tenants.models import Role
from tests.billing.corrections.corrected import credit, pay
from tests.billing.corrections.kept import keep, stands
from tests.billing.issued import Line, make_issued
from tests.billing.pages.test_credit_notes import signed_in
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db
PAGE = "/p/balances/"


@kept
def account() -> BalanceAccount:
    return keep("50.00")


def body(account: BalanceAccount, **given: str) -> dict[str, str]:
    return {
        "action": "refund",
        "balance": str(account.pk),
        "id": str(new_id()),
        "amount": "30",
        "way": "bank",
        "reason": "Contract ended.",
        **given,
    }


def test_a_balance_is_paid_out_by_transfer_marked_sent_and_back(account: BalanceAccount) -> None:
    petra = signed_in(account.issuer)
    assert "$50.00" in petra.get(PAGE).content.decode()
    asked = body(account)
    assert [petra.post(PAGE, asked).status_code for _ in range(2)] == [302, 302]
    refund = Refund.objects.get()
    assert "To be sent" in petra.get(PAGE).content.decode()
    for action, words, state in (("sent", "TRX-1", RefundState.DONE), ("back", "Closed", RefundState.FAILED)):
        assert petra.post(PAGE, {"action": action, "refund": str(refund.pk), "words": words}).status_code == 302
        refund.refresh_from_db()
        assert refund.state == state
    assert stands(account) == Decimal(50)
    late = petra.post(PAGE, {"action": "sent", "refund": str(refund.pk), "words": "TRX-2"})
    assert (late.status_code, "gone on since" in late.content.decode()) == (422, True)


def test_a_card_that_paid_is_offered_and_bounds_what_goes_back() -> None:
    invoice: Invoice = make_issued([Line("100.00")])
    payment = pay(invoice, "100", PaymentMethod.STRIPE)
    credit(invoice)
    account, petra = BalanceAccount.objects.get(), signed_in(invoice.issuer)
    assert f"Card that paid {invoice.number}, at most $100.00" in petra.get(PAGE).content.decode()
    assert petra.post(PAGE, body(account, amount="60", way=str(payment.pk))).status_code == 302
    assert f"Card that paid {invoice.number}, at most $40.00" in petra.get(PAGE).content.decode(), "no more is there"
    assert Refund.objects.get().method == RefundMethod.CARD


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"amount": "50.01"}, "no more than $50.00."),
        ({"amount": ""}, "Look at the amount and the reason"),
        ({"amount": "many"}, "is no number"),
        ({"reason": ""}, "Look at the amount and the reason"),
        ({"way": "cheque"}, "Look at the amount and the reason"),
    ],
)
def test_what_cannot_be_paid_out_is_said(account: BalanceAccount, given: dict[str, str], words: str) -> None:
    answer = signed_in(account.issuer).post(PAGE, body(account, **given))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert stands(account) == Decimal(50)


def test_the_policy_is_kept(account: BalanceAccount) -> None:
    petra = signed_in(account.issuer)
    assert petra.post(PAGE, {"action": "policy", "applies_balances": "on"}).status_code == 302
    policy = policy_of(account.issuer_id)
    assert (policy.applies_balances, policy.disputes_pause_dunning) == (True, False)


def test_viewers_read_and_charlie_reaches_nobody_elses_money(account: BalanceAccount) -> None:
    viewer = signed_in(account.issuer, Role.VIEWER)
    assert "Pay out" not in viewer.get(PAGE).content.decode()
    assert viewer.post(PAGE, body(account)).status_code == 403
    charlie = signed_in(make_organization("charlie-inc", is_provider=True))
    assert account.tenant.name not in charlie.get(PAGE).content.decode()
    assert charlie.post(PAGE, body(account)).status_code == 404
    assert charlie.post(PAGE, {"action": "sent", "refund": "x", "words": "x"}).status_code == 404
    assert stands(account) == Decimal(50)
