"""Transfers at Stripe: sent once whatever dies, waiting while nothing covers them, failing when refused, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from billing.models import AccountKind, Payout, PayoutMethod, PayoutState, StripePayee
from billing.statements.onboarding import connect, look_at_payee, payees_to_look_at
from billing.statements.paying_out import PayoutSettled, WrongPayout
from billing.statements.transfers import LEASE, UNCOVERED_RETRY, due_transfers, send_transfer, take_back
from billing.stripe_answers import BalanceInsufficient
from billing.stripe_gateway import StripeGateway
from tests.billing.collected import Killed, settings_of
from tests.billing.statements.stated import broken
from tests.billing.statements.test_paying_out import LATER, NET, make_paid, payout_of, standing

if TYPE_CHECKING:
    from tests.billing.world import World
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
MINOR = 166_383


class Mortal(StripeGateway):
    """The real gateway, which dies once after, or before, one call."""

    def __init__(self, double: StripeDouble, *, dies_at: str = "", before: bool = False) -> None:
        super().__init__(settings_of(double))
        self.dies_at, self.before = dies_at, before

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("transfer", "reverse_transfer", "create_account"):
            return found

        def watched(**named: Any) -> Any:
            assert not connection.in_atomic_block
            dies = self.dies_at == name
            if dies and self.before:
                raise Killed(name)
            answer = found(**named)
            if dies:
                raise Killed(name)
            return answer

        return watched


def make_ready(double: StripeDouble, *, covered: bool = True) -> tuple[World, Mortal]:
    """A provider that is owed March, with an account at Stripe that can receive."""
    world = make_paid(method=PayoutMethod.STRIPE)
    StripePayee.objects.all().delete()
    gateway = Mortal(double)
    payee = connect(provider=world.provider, by="petra", gateway=gateway, now=LATER)
    double.onboard(payee.account_id)
    assert look_at_payee(provider_id=world.provider.pk, gateway=gateway, now=LATER).can_receive
    if covered:
        double.top_up(10 * MINOR, "usd")
    return world, gateway


def test_a_transfer_is_sent_and_the_payout_is_paid(double: StripeDouble) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    assert due_transfers(now=LATER, limit=10) == [payout.id]
    sent = send_transfer(payout_id=payout.id, gateway=gateway, now=LATER)
    assert sent is not None
    assert (sent.state, sent.last_error) == (PayoutState.PAID, "")
    found = gateway.get_transfer(sent.reference)
    assert (found.amount_minor, found.currency, found.reference) == (MINOR, "USD", str(payout.id))
    assert found.account_id == payout.account_id
    assert send_transfer(payout_id=payout.id, gateway=gateway, now=LATER) is None
    assert standing(world.provider) == {AccountKind.STRIPE_CLEARING: Decimal("87.57")}
    assert broken() == []


@pytest.mark.parametrize("before", [True, False])
def test_a_worker_that_dies_around_the_call_sends_it_once(double: StripeDouble, *, before: bool) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    with pytest.raises(Killed):
        send_transfer(payout_id=payout.id, gateway=Mortal(double, dies_at="transfer", before=before), now=LATER)
    assert send_transfer(payout_id=payout.id, gateway=gateway, now=LATER) is None, "the lease stands"
    sent = send_transfer(payout_id=payout.id, gateway=gateway, now=LATER + LEASE)
    assert sent is not None
    assert sent.state == PayoutState.PAID
    assert gateway.get_transfer(sent.reference).amount_minor == MINOR
    found = gateway.find_transfer(payout.number, str(payout.id))
    assert found is not None
    assert found.id == sent.reference
    assert [one["amount"] for one in double.state()["transfer"]] == [MINOR]
    assert broken() == []


def test_a_balance_that_does_not_cover_it_is_waited_for(double: StripeDouble) -> None:
    world, gateway = make_ready(double, covered=False)
    payout = payout_of(world)
    waits = send_transfer(payout_id=payout.id, gateway=gateway, now=LATER)
    assert waits is not None
    assert (waits.state, waits.attempts, waits.next_try_at) == ("in_transit", 1, LATER + UNCOVERED_RETRY)
    assert waits.last_error.startswith("Our balance at Stripe does not cover it")
    assert due_transfers(now=LATER, limit=10) == []
    double.top_up(10 * MINOR, "usd")
    sent = send_transfer(payout_id=payout.id, gateway=gateway, now=LATER + UNCOVERED_RETRY)
    assert sent is not None
    assert sent.state == PayoutState.PAID


def test_a_transfer_that_is_refused_is_owed_again(double: StripeDouble) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    double.restrict(payout.account_id)
    failed = send_transfer(payout_id=payout.id, gateway=gateway, now=LATER)
    assert failed is not None
    assert failed.state == PayoutState.FAILED
    assert "insufficient_capabilities_for_transfer" in failed.last_error
    assert standing(world.provider)[AccountKind.PROVIDER_PAYABLE] == -NET
    assert payees_to_look_at(now=LATER, limit=9) == [world.provider.pk], "soon, and not as seldom as one that is ready"
    assert not look_at_payee(provider_id=world.provider.pk, gateway=gateway, now=LATER).can_receive


@pytest.mark.parametrize("dies", ["", "before", "after"])
def test_what_is_taken_back_is_owed_again_once(double: StripeDouble, dies: str) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    send_transfer(payout_id=payout.id, gateway=gateway, now=LATER)

    def back(by: StripeGateway, amount: str) -> Decimal:
        return take_back(
            payout_id=payout.id, amount=Decimal(amount), reason="sample", by="sam", gateway=by, now=LATER
        ).amount

    if dies:
        with pytest.raises(Killed):
            back(Mortal(double, dies_at="reverse_transfer", before=dies == "before"), "63.83")
    assert back(gateway, "63.83") == Decimal("63.83")
    seen = gateway.get_transfer(Payout.objects.get().reference)
    assert seen.reversed_minor == 6_383
    assert standing(world.provider)[AccountKind.PROVIDER_PAYABLE] == Decimal("-63.83")
    with pytest.raises(WrongPayout, match=r"^1600\.00 USD of PO-0001 can be taken back\.$"):
        back(gateway, "1600.01")
    assert back(gateway, "1600.00") == 1600
    assert Payout.objects.get().state == PayoutState.REVERSED
    with pytest.raises(PayoutSettled):
        back(gateway, "0.01")
    assert broken() == []


def test_an_account_without_the_money_gives_nothing_back_and_nothing_is_booked(double: StripeDouble) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    send_transfer(payout_id=payout.id, gateway=gateway, now=LATER)
    double.pay_out_account(payout.account_id, "usd")
    with pytest.raises(BalanceInsufficient):
        take_back(payout_id=payout.id, amount=NET, reason="sample", by="sam", gateway=gateway, now=LATER)
    assert Payout.objects.get().state == PayoutState.PAID
    assert broken() == []


def test_while_stripe_gives_no_answer_it_is_tried_again_ever_later(double: StripeDouble) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    gone = StripeGateway(replace(settings_of(double), api_base="http://127.0.0.1:9", timeout_s=1, network_retries=0))
    waits = send_transfer(payout_id=payout.id, gateway=gone, now=LATER)
    assert waits is not None
    assert (waits.state, waits.attempts) == ("in_transit", 1)
    assert waits.next_try_at is not None
    assert waits.next_try_at >= LATER + timedelta(seconds=10)
    sent = send_transfer(payout_id=payout.id, gateway=gateway, now=waits.next_try_at)
    assert sent is not None
    assert sent.state == PayoutState.PAID
