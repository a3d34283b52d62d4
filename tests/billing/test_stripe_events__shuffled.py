"""Refunds, transfers and payouts: told late, twice, in any order or not at all, they end in the same books."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import Sum

from billing.corrections.sending import send_refund
from billing.ledger import balances
from billing.models import (
    AccountKind,
    BalanceAccount,
    Collection,
    LedgerEntry,
    Payment,
    Payout,
    PayoutReversal,
    PayoutState,
    Refund,
    RefundMethod,
    RefundState,
    StripeEvent,
    StripeMovement,
)
from billing.reconciling.looking import begin as begin_look
from billing.reconciling.looking import look
from billing.statements.paying_out import record_failed
from billing.statements.transfers import LEASE, apply_transfer, send_transfer, take_back
from billing.stripe_events import apply_event, unprocessed_events
from billing.stripe_gateway import StripeGateway
from tenants.models import AuditEntry
from tests.billing.collected import Killed, add_card, begin, collect, gateway_of, settings_of
from tests.billing.corrections.corrected import NOW, credit
from tests.billing.corrections.kept import refund, stands
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.statements.stated import broken
from tests.billing.statements.test_paying_out import LATER, NET, payout_of, standing
from tests.billing.statements.test_transfers import MINOR, Mortal, make_ready
from tests.examples import examples
from tests.factories import make_organization

if TYPE_CHECKING:
    from tests.billing.world import World
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
TRANSFER_TYPES = ("transfer.created", "transfer.updated", "transfer.reversed")


def keep(event_id: str, event_type: str, object_id: str, **members: Any) -> str:
    StripeEvent.objects.create(
        event_id=event_id,
        type=event_type,
        object_id=object_id,
        payload={"data": {"object": {"id": object_id}}, **members},
        received_at=ISSUED_AT,
    )
    return event_id


def apply(double: StripeDouble, *event_ids: str) -> list[str]:
    """Apply these events, or all that wait, and say what came of each."""
    gateway = gateway_of(double)
    chosen = event_ids or tuple(unprocessed_events(limit=1_000))
    for event_id in chosen:
        apply_event(event_id=event_id, gateway=gateway, now=LATER)
    return [StripeEvent.objects.get(pk=event_id).outcome for event_id in chosen]


def keep_shuffled(kinds: tuple[str, ...], object_id: str, *, copies: int, seed: int) -> None:
    """Keep each event some times over, in an order that the seed gives."""
    order = list(kinds) * copies
    random.Random(seed).shuffle(order)
    for number, kind in enumerate(order):
        keep(f"evt_{seed}_{number}", kind, object_id)


def sent(double: StripeDouble) -> tuple[World, Mortal, Payout]:
    """A payout that was paid by transfer."""
    world, gateway = make_ready(double)
    payout = payout_of(world)
    done = send_transfer(payout_id=payout.id, gateway=gateway, now=LATER)
    assert done is not None
    assert done.state == PayoutState.PAID
    return world, gateway, done


def take_back_at_stripe(gateway: Mortal, payout: Payout, amount_minor: int, name: str = "dashboard") -> str:
    """Somebody takes part of a transfer back on Stripe's own pages."""
    return gateway.reverse_transfer(
        transfer_id=payout.reference, amount_minor=amount_minor, reference=name, idempotency_key=name
    ).id


# Transfers


@pytest.mark.parametrize("seed", range(1, 1 + examples(1)))
def test_what_is_taken_back_at_stripe_is_owed_again_once(double: StripeDouble, seed: int) -> None:
    world, gateway, payout = sent(double)
    parts = [take_back_at_stripe(gateway, payout, minor, f"part {minor}") for minor in (6_383, 10_000)]
    keep_shuffled(TRANSFER_TYPES, payout.reference, copies=3, seed=seed)
    assert set(apply(double)) == {"payout is paid"}
    back = PayoutReversal.objects.order_by("amount")
    assert [(row.reference, row.amount, row.by) for row in back] == [
        (parts[0], Decimal("63.83"), "stripe"),
        (parts[1], Decimal(100), "stripe"),
    ]
    assert standing(world.provider)[AccountKind.PROVIDER_PAYABLE] == Decimal("-163.83")
    assert AuditEntry.objects.filter(action="payout.reversed").count() == 2
    assert broken() == []


def test_a_transfer_taken_back_whole_is_reversed(double: StripeDouble) -> None:
    world, gateway, payout = sent(double)
    take_back_at_stripe(gateway, payout, MINOR)
    keep("evt_1", "transfer.reversed", payout.reference)
    keep("evt_2", "transfer.created", payout.reference)
    assert apply(double) == ["payout is reversed"] * 2
    assert standing(world.provider)[AccountKind.PROVIDER_PAYABLE] == -NET
    assert broken() == []


def test_an_event_of_a_transfer_is_not_believed_only_looked_up(double: StripeDouble) -> None:
    world, _gateway, payout = sent(double)
    before = standing(world.provider)
    keep("evt_lie", "transfer.reversed", payout.reference)
    assert apply(double) == ["payout is paid"]
    assert not PayoutReversal.objects.exists()
    assert standing(world.provider) == before


def test_what_we_took_back_ourselves_is_not_recorded_again(double: StripeDouble) -> None:
    _world, gateway, payout = sent(double)
    given: dict[str, Any] = {"payout_id": payout.id, "reason": "sample", "by": "sam", "now": LATER}
    take_back(amount=Decimal("63.83"), gateway=gateway, **given)
    keep("evt_1", "transfer.reversed", payout.reference)
    assert apply(double) == ["payout is paid"]
    assert PayoutReversal.objects.get().by == "sam"
    assert broken() == []


def test_an_event_before_we_recorded_what_we_took_back_leaves_one_record(double: StripeDouble) -> None:
    _world, _gateway, payout = sent(double)
    given: dict[str, Any] = {"payout_id": payout.id, "reason": "sample", "by": "sam", "now": LATER}
    with pytest.raises(Killed):
        take_back(amount=NET, gateway=Mortal(double, dies_at="reverse_transfer"), **given)
    assert not PayoutReversal.objects.exists()
    keep("evt_1", "transfer.reversed", payout.reference)
    assert apply(double) == ["payout is reversed"]
    assert PayoutReversal.objects.get().amount == NET
    assert broken() == []


def test_an_event_before_we_recorded_the_transfer_records_it(double: StripeDouble) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    with pytest.raises(Killed):
        send_transfer(payout_id=payout.id, gateway=Mortal(double, dies_at="transfer"), now=LATER)
    (made,) = double.state()["transfer"]
    keep("evt_1", "transfer.created", made["id"])
    assert apply(double) == ["payout is paid"]
    assert Payout.objects.get().reference == made["id"]
    assert send_transfer(payout_id=payout.id, gateway=gateway, now=LATER + LEASE) is None
    assert len(double.state()["transfer"]) == 1
    assert broken() == []


def test_a_worker_slower_than_the_reversal_of_its_transfer_changes_nothing(double: StripeDouble) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)

    class Slow(Mortal):
        """While the answer is on its way, all of it is taken back and the webhook is applied."""

        def transfer(self, **named: Any) -> Any:
            made = super().transfer(**named)
            reversal = gateway.reverse_transfer(
                transfer_id=made.id, amount_minor=MINOR, reference="at once", idempotency_key="at once"
            )
            keep("evt_1", "transfer.reversed", reversal.transfer_id)
            apply(double)
            return made

    done = send_transfer(payout_id=payout.id, gateway=Slow(double), now=LATER)
    assert done is not None
    assert done.state == PayoutState.REVERSED
    assert standing(world.provider)[AccountKind.PROVIDER_PAYABLE] == -NET
    assert broken() == []


def test_a_transfer_of_nobody_here_is_kept_as_unknown(double: StripeDouble) -> None:
    _world, gateway, payout = sent(double)
    for reference in ("not one of ours", "019a0000-0000-7000-8000-000000000000"):
        made = gateway.transfer(
            account_id=payout.account_id,
            amount_minor=100,
            currency="USD",
            group="by hand",
            reference=reference,
            idempotency_key=reference,
        )
        keep(f"evt {reference}", "transfer.created", made.id)
    keep("evt_gone", "transfer.reversed", "tr_gone")
    outcomes = apply(double)
    assert all(one.startswith("unknown object: ") for one in outcomes)
    assert Payout.objects.count() == 1


def test_a_transfer_of_a_payout_that_failed_here_is_left_to_a_person(
    double: StripeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    world, gateway = make_ready(double)
    payout = payout_of(world)
    with pytest.raises(Killed):
        send_transfer(payout_id=payout.id, gateway=Mortal(double, dies_at="transfer"), now=LATER)
    (made,) = double.state()["transfer"]
    record_failed(payout_id=payout.pk, reason="given up by hand", by="sam", now=LATER)
    outcome = apply_transfer(seen=gateway.get_transfer(made["id"]), reversals=(), now=LATER)
    assert outcome.startswith("differs from our books: ")
    assert payout.number in caplog.text
    assert standing(world.provider)[AccountKind.PROVIDER_PAYABLE] == -NET, "nothing was booked"


def test_the_nightly_look_makes_up_for_a_lost_reversal(double: StripeDouble) -> None:
    _world, gateway, payout = sent(double)
    take_back_at_stripe(gateway, payout, 6_383)
    seen = gateway.get_transfer(payout.reference)
    now = seen.created + timedelta(hours=1)
    for _night in range(2):
        run = begin_look(by="owen", now=now)
        assert run is not None
        assert look(run=run, gateway=gateway, now=now).looked_at["transfers_reversed"] == 1
    assert PayoutReversal.objects.get().amount == Decimal("63.83")
    assert broken() == []


# Refunds


def refunded(double: StripeDouble) -> Refund:
    """A refund of 60.00 to the card that paid 100.00, sent."""
    invoice = make_issued([Line("100.00")], collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    add_card(double, invoice)
    collect(invoice, gateway_of(double))
    credit(invoice, amount="70")
    account = BalanceAccount.objects.get(tenant_id=invoice.tenant_id)
    payment = Payment.objects.get(invoice=invoice)
    going = refund(account, "60.00", method=RefundMethod.CARD, payment_id=payment.pk)
    send_refund(refund_id=going.pk, gateway=gateway_of(double), now=NOW)
    going.refresh_from_db()
    return going


def state_of(going: Refund) -> tuple[str, Decimal, dict[str, Decimal]]:
    going.refresh_from_db()
    held = {str(kind): amount for (kind, _), amount in balances(organization_id=going.account.issuer_id).items()}
    return going.state, stands(going.account), held


@pytest.mark.parametrize("order", list(permutations(("refund.created", "refund.updated", "refund.failed"))))
def test_a_refund_that_came_back_ends_the_same_in_any_order(double: StripeDouble, order: tuple[str, ...]) -> None:
    going = refunded(double)
    assert going.state == RefundState.DONE
    keep("evt_early", order[0], going.reference)
    assert apply(double) == ["refund is succeeded"]
    double.fail_refund(going.reference)
    for number, kind in enumerate(order * 2):
        keep(f"evt_{number}", kind, going.reference)
    assert apply(double) == ["refund is failed"] * 6
    state, left, held = state_of(going)
    assert (state, left) == (RefundState.FAILED, Decimal(70))
    assert (held["stripe_clearing"], held["refund_in_transit"]) == (Decimal(100), Decimal(0))
    assert LedgerEntry.objects.aggregate(sum=Sum("amount"))["sum"] == 0


def test_a_failed_refund_does_not_come_to_life_by_an_old_answer(double: StripeDouble) -> None:
    going = refunded(double)
    old = gateway_of(double).get_refund(going.reference)
    double.fail_refund(going.reference)
    keep("evt_1", "refund.failed", going.reference)
    apply(double)
    before = state_of(going)

    class Stale(StripeGateway):
        """Answers what it saw before."""

        def get_refund(self, refund_id: str) -> Any:
            return old

    keep("evt_2", "refund.updated", going.reference)
    apply_event(event_id="evt_2", gateway=Stale(settings_of(double)), now=LATER)
    assert state_of(going) == before


# Payouts of our own account, and of providers' accounts


def test_a_payout_to_the_operators_bank_is_booked_once_however_it_is_told(double: StripeDouble) -> None:
    operator = make_organization("operator", is_operator=True, is_tenant=False, is_provider=False)
    double.top_up(5_000, "usd")
    moved = double.pay_out("usd")
    keep_shuffled(("payout.created", "payout.updated", "payout.paid"), moved["source"], copies=3, seed=5)
    outcomes = apply(double)
    assert sorted(set(outcomes)) == ["0 of 1 movements were new", "1 of 1 movements were new"]
    assert outcomes.count("1 of 1 movements were new") == 1
    assert balances(organization_id=operator.pk)[AccountKind.BANK_CLEARING, "USD"] == Decimal(50)
    # The night finds the money that came before, and nothing of the payout that it did not know.
    gateway = gateway_of(double)
    now = StripeMovement.objects.get().created_at + timedelta(hours=1)
    run = begin_look(by="owen", now=now)
    assert run is not None
    assert look(run=run, gateway=gateway, now=now).found == 0
    assert balances(organization_id=operator.pk)[AccountKind.BANK_CLEARING, "USD"] == 0
    assert StripeMovement.objects.count() == 2


def test_a_providers_own_payout_says_how_its_account_stands_and_moves_nothing(double: StripeDouble) -> None:
    world, _gateway, payout = sent(double)
    before = standing(world.provider)
    double.restrict(payout.account_id)
    keep("evt_1", "payout.failed", "po_theirs", account=payout.account_id)
    keep("evt_2", "payout.failed", "po_theirs", account=payout.account_id)
    assert apply(double) == ["account of a provider, not paid out"] * 2
    world.provider.refresh_from_db()
    assert not world.provider.stripe_payee.can_receive
    assert AuditEntry.objects.filter(action="payee.stopped").count() == 1
    assert standing(world.provider) == before
    assert not StripeMovement.objects.exists()


def test_a_payout_of_an_account_of_nobody_here_is_unknown(double: StripeDouble) -> None:
    gateway = gateway_of(double)
    made = gateway.create_account(organization_id="elsewhere", country="DE", email="a@b.example", idempotency_key="x")
    keep("evt_1", "payout.paid", "po_theirs", account=made.id)
    keep("evt_2", "payout.paid", "po_nothing")
    StripeEvent.objects.filter(pk="evt_2").update(payload=[])
    assert apply(double, "evt_1", "evt_2") == [
        f"unknown object: {made.id} is not ours",
        "0 of 0 movements were new",
    ]
