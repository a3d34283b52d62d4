"""The card is charged once for a crossing, whoever dies where; what is refused ends the rule and says so."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from billing.books import check_books
from billing.ledger import balances
from billing.models import AccountKind, BalanceNotice, BalanceRule, CardOnFile, StripeIntent, TopUp
from billing.refilling.charging import RETRY, _begin, _charged, charge, due_charges
from billing.refilling.setting import end_rule, running_rule
from billing.refilling.watching import look
from billing.standing import standing_of
from billing.stripe_answers import StripeCardDeclined, StripeUnavailable
from billing.stripe_gateway import StripeGateway
from billing.topups.buying import open_top_ups
from billing.topups.charges import note_charges
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.models import AuditEntry
from tests.billing.collected import Killed, gateway_of
from tests.billing.refilling.low import BY, CHARGED_AT, NOW, Low, leave_card, low_credit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 3


class Dying:
    """A gateway whose owner dies once, before or after one of its calls."""

    def __init__(self, gateway: StripeGateway, at: str, *, before: bool) -> None:
        self.gateway, self.at, self.before = gateway, at, before

    def __getattr__(self, name: str) -> Any:
        call: Callable[..., Any] = getattr(self.gateway, name)

        def dies(*args: Any, **named: Any) -> Any:
            if not self.before:
                call(*args, **named)
            raise Killed(name)

        return dies if name == self.at else call


def taken(double: StripeDouble) -> list[int]:
    """What the double took from cards."""
    intents = double.state().get("payment_intent", [])
    return [one["amount_received"] for one in intents if one["status"] == "succeeded"]


def ready(double: StripeDouble, card: str = "pm_card_visa") -> tuple[Low, TopUp, StripeGateway]:
    """A purchase that is due, and a card to charge."""
    gateway = gateway_of(double)
    low = low_credit()
    leave_card(low, gateway, card)
    return low, low.planned(), gateway


def wrong_checks() -> list[str]:
    return [check.name for check in check_books() if not check.holds]


def test_what_is_due_is_charged_granted_and_booked(double: StripeDouble) -> None:
    low, top_up, gateway = ready(double)
    assert due_charges(now=CHARGED_AT - timedelta(seconds=1), limit=9) == []
    assert due_charges(now=CHARGED_AT, limit=9) == [top_up.pk]
    assert open_top_ups(now=CHARGED_AT + timedelta(days=9), limit=9) == []
    for _time in range(2):
        assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT)
    top_up.refresh_from_db()
    assert (top_up.state, top_up.begun_at, top_up.finished_at) == ("paid", CHARGED_AT, CHARGED_AT)
    assert top_up.charge_id.startswith("ch_")
    assert standing_of(low.contract, CHARGED_AT).left_amount == 60
    held = balances(organization_id=low.contract.provider_id)
    assert held[AccountKind.STRIPE_CLEARING, "EUR"] == Decimal(50)
    assert note_charges(gateway=gateway) == 0
    assert AuditEntry.objects.get(action="top_up.paid").actor == BY
    assert wrong_checks() == []
    assert look(rule_id=top_up.rule_id or top_up.pk, now=CHARGED_AT) is None
    assert taken(double) == [5_000]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", ["find_charge", "charge", "get_charge"])
def test_whoever_dies_the_card_is_charged_once(double: StripeDouble, at: str, before: bool) -> None:
    low, top_up, gateway = ready(double)
    if at == "find_charge":
        with pytest.raises(Killed):
            charge(top_up_id=top_up.pk, gateway=Dying(gateway, "charge", before=True), now=CHARGED_AT)  # type: ignore[arg-type]  # a gateway that dies
    with pytest.raises(Killed):
        charge(top_up_id=top_up.pk, gateway=Dying(gateway, at, before=before), now=CHARGED_AT)  # type: ignore[arg-type]  # a gateway that dies
    assert TopUp.objects.get(pk=top_up.pk).state == "open"
    end_rule(contract=low.contract, by=BY, now=CHARGED_AT)
    later = CHARGED_AT + RETRY
    assert due_charges(now=later, limit=9) == [top_up.pk]
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=later)
    assert TopUp.objects.get(pk=top_up.pk).state == "paid"
    assert standing_of(low.contract, later).left_amount == 60
    assert wrong_checks() == []
    assert taken(double) == [5_000]


@pytest.mark.parametrize("kept", [False, True])
def test_whoever_dies_between_a_refusal_and_its_note_the_card_is_not_tried_again(
    double: StripeDouble, kept: bool
) -> None:
    low, top_up, gateway = ready(double, "pm_card_chargeCustomerFail")
    if kept:
        begun = _begin(top_up.pk, CHARGED_AT)
        assert begun is not None
        with pytest.raises(StripeCardDeclined):
            _charged(begun, gateway, CHARGED_AT)
    else:
        with pytest.raises(Killed):
            charge(top_up_id=top_up.pk, gateway=Dying(gateway, "find_charge", before=True), now=CHARGED_AT)  # type: ignore[arg-type]  # a gateway that dies
    assert (TopUp.objects.get(pk=top_up.pk).state, low.notices()) == ("open", [("low", "buys")])
    leave_card(low, gateway)  # one that would pay: the attempt was made with the other, and that decides
    tries = len(double.state()["payment_intent"])
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT + RETRY)
    assert TopUp.objects.get(pk=top_up.pk).state == "failed"
    assert BalanceNotice.objects.get(kind="failed").reason == ("card_declined" if kept else "requires_payment_method")
    assert (len(double.state()["payment_intent"]), taken(double)) == (tries, [])


def test_a_card_that_was_charged_and_taken_off_before_it_was_noted_is_not_a_failure(double: StripeDouble) -> None:
    _, top_up, gateway = ready(double)
    with pytest.raises(Killed):
        charge(top_up_id=top_up.pk, gateway=Dying(gateway, "charge", before=False), now=CHARGED_AT)  # type: ignore[arg-type]  # a gateway that dies
    CardOnFile.objects.all().delete()
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT + RETRY)
    assert TopUp.objects.get(pk=top_up.pk).state == "paid"
    assert taken(double) == [5_000]


def test_many_who_charge_at_once_charge_once(double: StripeDouble) -> None:
    low, top_up, gateway = ready(double)
    start = threading.Barrier(WORKERS)

    def work() -> None:
        try:
            start.wait()
            charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT)
        except StripeUnavailable:
            pass
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT + RETRY)
    assert standing_of(low.contract, CHARGED_AT).left_amount == 60
    assert taken(double) == [5_000]


@pytest.mark.parametrize(
    ("card", "reason"),
    [("pm_card_chargeCustomerFail", "card_declined"), ("pm_card_authenticationRequired", "consent_needed")],
)
def test_a_card_that_does_not_pay_ends_the_buying_and_says_so(double: StripeDouble, card: str, reason: str) -> None:
    low, top_up, gateway = ready(double, card)
    WebhookEndpoint.objects.create(
        organization=low.contract.tenant, url="https://127.0.0.1:9/", kinds=[], created_at=NOW
    )
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT)
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT + RETRY)
    top_up.refresh_from_db()
    assert (top_up.state, standing_of(low.contract, CHARGED_AT).left_amount) == ("failed", Decimal(10))
    told = BalanceNotice.objects.get(kind="failed")
    assert (told.reason, told.crossing, told.left_amount) == (reason, 1, Decimal(10))
    event = WebhookEvent.objects.get(kind="payment.failed")
    assert (event.body["why"], event.body["amount"], event.body["top_up_id"]) == (reason, "50.00", str(top_up.pk))
    assert AuditEntry.objects.filter(action="top_up.failed", after__reason=reason).count() == 1
    ended = BalanceRule.objects.get(top_ups=top_up)
    assert (ended.ended_at, ended.ended_by) == (CHARGED_AT, "refilling")
    assert wrong_checks() == []
    assert taken(double) == []


def test_after_a_refusal_low_credit_is_told_of_and_no_more_is_bought(double: StripeDouble) -> None:
    low, top_up, gateway = ready(double, "pm_card_chargeCustomerFail")
    charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT)
    rest = running_rule(low.contract)
    assert rest is not None
    assert (rest.below_amount, rest.buy_amount, rest.is_low) == (Decimal(20), None, True)
    assert look(rule_id=rest.pk, now=CHARGED_AT) is None
    low.given("more", "90")
    assert look(rule_id=rest.pk, now=CHARGED_AT) is None
    rest.refresh_from_db()
    assert not rest.is_low
    assert due_charges(now=CHARGED_AT + timedelta(days=1), limit=9) == []


def test_without_a_card_nothing_is_charged_and_it_is_said(double: StripeDouble) -> None:
    low = low_credit()
    top_up = low.planned()
    CardOnFile.objects.all().delete()
    assert charge(top_up_id=top_up.pk, gateway=gateway_of(double), now=CHARGED_AT)
    assert BalanceNotice.objects.get(kind="failed").reason == "no_card"
    assert TopUp.objects.get().state == "failed"


def test_a_rule_that_was_ended_in_time_charges_nothing(double: StripeDouble) -> None:
    low, top_up, gateway = ready(double)
    end_rule(contract=low.contract, by=BY, now=CHARGED_AT)
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT)
    assert not StripeIntent.objects.filter(subject_id=top_up.pk).exists()
    assert taken(double) == []


def test_a_refusal_after_the_rule_was_replaced_leaves_the_new_one(double: StripeDouble) -> None:
    low, top_up, gateway = ready(double, "pm_card_chargeCustomerFail")
    with pytest.raises(Killed):
        charge(top_up_id=top_up.pk, gateway=Dying(gateway, "charge", before=True), now=CHARGED_AT)  # type: ignore[arg-type]  # a gateway that dies
    end_rule(contract=low.contract, by=BY, now=CHARGED_AT)
    new = low.rule(now=CHARGED_AT)
    assert look(rule_id=new.pk, now=CHARGED_AT) is None
    charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT + RETRY)
    assert running_rule(low.contract) == new
    assert low.notices() == [("low", "buys"), ("failed", "")]


def test_while_stripe_is_away_it_waits_and_is_charged_later(double: StripeDouble) -> None:
    low, top_up, gateway = ready(double)
    double.faults({"path": "/v1/payment_intents", "status": 503, "times": 1})
    with pytest.raises(StripeUnavailable):
        charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT)
    double.clear_faults()
    assert TopUp.objects.get(pk=top_up.pk).state == "open"
    assert low.notices() == [("low", "buys")]
    assert charge(top_up_id=top_up.pk, gateway=gateway, now=CHARGED_AT + RETRY)
    assert taken(double) == [5_000]
