"""Unused credit that goes back: what is left of what was bought, the newest first, and never more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.corrections.refunds import (
    CardHasNotPaid,
    Order,
    RefundDiffers,
    WrongRefund,
    mark_sent,
    request_refund,
    take_back,
    top_up_refundable,
)
from billing.corrections.sending import send_refund
from billing.corrections.unused_credit import MoreThanUnused, Purchase, Wish, give_back, parts_of, purchases_of
from billing.credits import grant_credit
from billing.ledger import balances
from billing.models import AccountKind, BalanceAccount, BillingPeriod, Contract, CreditMovement, Refund, RefundMethod
from billing.standing import standing_of
from billing.tenant_balances import balance_of
from tenants.models import AuditEntry
from tests.billing.collected import gateway_of
from tests.billing.corrections.test_checks import around_the_guards
from tests.billing.test_credits import grant, left, prepaid_world
from tests.billing.topups.prepaid import bought, wrong_but_usage
from tests.billing.topups.test_charges import paid
from tests.billing.world import APRIL, HOUR, MARCH
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

BY = "petra@provider.example"
LATER = MARCH + timedelta(days=9)
BANK, CARD = RefundMethod.BANK_TRANSFER, RefundMethod.CARD


def purchase(name: str, amount: int, *, day: int = 1, to_card: int | None = None) -> Purchase:
    at = datetime(2026, 3, day, tzinfo=UTC)
    card = Decimal(amount if to_card is None else to_card)
    return Purchase("T-1", name, at, None, Decimal(amount), Decimal(amount), card, None)


def wish(amount: str | int, method: RefundMethod = BANK, of: str = "") -> Wish:
    return Wish(Decimal(amount), method, "The contract ended.", of)


def test_the_newest_purchase_goes_back_first() -> None:
    old, new = purchase("old", 50, day=1), purchase("new", 30, day=2)
    parts = parts_of([old, new], wish(45))
    assert [(one.name, int(part)) for one, part in parts] == [("new", 30), ("old", 15)]
    assert [one.name for one, _ in parts_of([old, new], wish(45, of="old"))] == ["old"]


def test_more_than_is_left_is_refused_with_what_is() -> None:
    chosen = [purchase("old", 50), purchase("new", 30, day=2, to_card=10)]
    for asked, left_over in ((wish("80.01"), "80"), (wish(61, CARD), "60"), (wish(31, of="new"), "30")):
        with pytest.raises(MoreThanUnused) as refused:
            parts_of(chosen, asked)
        assert refused.value.extra == {"left": left_over}


@settings(max_examples=examples(25))
@given(st.lists(st.integers(0, 500), max_size=5), st.integers(1, 2_000))
def test_parts_are_the_wish_and_within_their_purchases(lefts: list[int], asked: int) -> None:
    chosen = [purchase(str(place), amount, day=place + 1) for place, amount in enumerate(lefts)]
    if asked > sum(lefts):
        with pytest.raises(MoreThanUnused):
            parts_of(chosen, wish(asked))
        return
    parts = parts_of(chosen, wish(asked))
    assert sum(part for _, part in parts) == asked
    assert all(0 < part <= one.left for one, part in parts)
    assert [one.bought_at for one, _ in parts] == sorted((one.bought_at for one, _ in parts), reverse=True)


def two_purchases(used_thousands: int = 0) -> Contract:
    """100.00 by card on the first, 50.00 by bank later, 20.00 given; so much used."""
    world, shared, term = prepaid_world(stop=None)
    bought(term, "100", at=MARCH)
    grant_credit(term=term, grant=grant("wired", 50, from_at=MARCH + HOUR, bought=True), recorded_by="p", now=MARCH)
    grant_credit(term=term, grant=grant("gift", 20, priority=9), recorded_by="p", now=MARCH)
    if used_thousands:
        shared.use({"output": used_thousands * 1_000}, at=MARCH)
    return world.contract


contract = kept(two_purchases)


@pytest.mark.django_db
def test_only_what_is_left_of_what_was_bought_goes_back() -> None:
    contract = two_purchases(used_thousands=60)
    shown = {one.name[:5]: (int(one.left), int(one.to_card)) for one in purchases_of(contract, LATER)}
    assert shown == {"topup": (40, 40), "wired": (50, 0)}
    refunds = give_back(contract_id=contract.pk, wish=wish(70), by=BY, now=LATER)
    assert sorted(int(one.amount) for one in refunds) == [20, 50]
    assert {one.top_up for one in refunds} == {None}
    assert standing_of(contract, LATER).left_amount == 20 + 20
    with pytest.raises(MoreThanUnused):
        give_back(contract_id=contract.pk, wish=wish("20.01"), by=BY, now=LATER)
    assert AuditEntry.objects.filter(action="credit.returned", after__method="bank_transfer").count() == 1
    assert wrong_but_usage() == []


@pytest.mark.django_db
def test_it_is_booked_from_the_credit_by_the_balance_to_the_bank(contract: Contract) -> None:
    [going] = give_back(contract_id=contract.pk, wish=wish(30, of="wired"), by=BY, now=LATER)
    mark_sent(refund_id=going.pk, reference="TRX-1", by=BY, now=LATER)
    tenant, provider = balances(organization_id=contract.tenant_id), balances(organization_id=contract.provider_id)
    assert tenant[AccountKind.PREPAID_CREDIT, "USD"] == -140
    assert tenant[AccountKind.TENANT_BALANCE, "USD"] == 0
    assert provider[AccountKind.BANK_CLEARING, "USD"] == 20
    assert provider[AccountKind.STRIPE_CLEARING, "USD"] == 100
    assert wrong_but_usage() == []


@pytest.mark.django_db
def test_what_does_not_arrive_is_the_tenants_balance_and_no_credit(contract: Contract) -> None:
    [going] = give_back(contract_id=contract.pk, wish=wish(30, of="wired"), by=BY, now=LATER)
    take_back(refund_id=going.pk, reason="Account closed", by=BY, now=LATER)
    owner = {"tenant_id": contract.tenant_id, "issuer_id": contract.provider_id, "currency": "USD"}
    assert balance_of(**owner) == 30  # type: ignore[arg-type]  # fields by name
    assert standing_of(contract, LATER).left_amount == 140
    assert wrong_but_usage() == []


@pytest.mark.django_db
def test_a_period_that_closes_after_it_draws_from_what_stayed_and_so_does_the_next() -> None:
    world, shared, term = prepaid_world(stop=None)
    top_up = bought(term, "100", at=MARCH)
    shared.use({"output": 60_000}, at=MARCH)
    give_back(contract_id=world.contract.pk, wish=wish(30), by=BY, now=LATER)
    shared.use({"output": 15_000}, at=MARCH + HOUR)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    assert invoice.total == 5
    ensure_periods(contract=world.contract, now=APRIL)
    assert left(standing_of(world.contract, APRIL)) == {top_up.grant_name: 0}
    rows = CreditMovement.objects.order_by("kind").values_list("kind", "amount")
    assert [(kind, int(amount)) for kind, amount in rows] == [("drawn", 70), ("returned", 30)]
    assert wrong_but_usage() == []


@pytest.mark.django_db
def test_of_a_contract_that_is_over_what_it_left_goes_back() -> None:
    world, shared, term = prepaid_world(stop=None)
    bought(term, "100", at=MARCH)
    shared.use({"output": 60_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    BillingPeriod.objects.filter(contract=world.contract, state="open").delete()
    [one] = purchases_of(world.contract, APRIL)
    assert (int(one.left), int(one.to_card)) == (40, 40)
    give_back(contract_id=world.contract.pk, wish=wish(40, CARD), by=BY, now=APRIL)
    assert [int(each.left) for each in purchases_of(world.contract, APRIL)] == [0]
    assert wrong_but_usage() == []


@pytest.mark.django_db
def test_given_and_expired_credit_stays() -> None:
    world, _, term = prepaid_world(stop=None)
    grant_credit(term=term, grant=grant("gift", 20), recorded_by="p", now=MARCH)
    soon = grant("soon", 30, bought=True, expires_at=MARCH + 2 * HOUR)
    grant_credit(term=term, grant=soon, recorded_by="p", now=MARCH)
    assert [one.name for one in purchases_of(world.contract, MARCH + HOUR)] == ["soon"]
    assert purchases_of(world.contract, MARCH + 2 * HOUR) == []
    with pytest.raises(MoreThanUnused) as refused:
        give_back(contract_id=world.contract.pk, wish=wish(1), by=BY, now=LATER)
    assert refused.value.extra == {"left": "0"}


@pytest.mark.django_db
def test_the_same_wish_is_one_and_another_under_its_id_is_refused(contract: Contract) -> None:
    chosen = uuid4()
    first = give_back(contract_id=contract.pk, wish=wish(70), by=BY, now=LATER, wish_id=chosen)
    again = give_back(contract_id=contract.pk, wish=wish(70), by=BY, now=LATER, wish_id=chosen)
    assert {one.pk for one in first} == {one.pk for one in again}
    assert Refund.objects.count() == 2
    with pytest.raises(RefundDiffers):
        give_back(contract_id=contract.pk, wish=wish(69), by=BY, now=LATER, wish_id=chosen)


@pytest.mark.django_db
@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "0.001"])
def test_what_makes_no_amount_is_refused_and_moves_nothing(contract: Contract, amount: str) -> None:
    with pytest.raises(WrongRefund, match="amount"):
        give_back(contract_id=contract.pk, wish=wish(amount), by=BY, now=LATER)
    assert not CreditMovement.objects.exists()


@pytest.mark.django_db
def test_no_more_goes_back_to_a_card_than_it_paid_whoever_asks(contract: Contract) -> None:
    [going] = give_back(contract_id=contract.pk, wish=wish(60, CARD), by=BY, now=LATER)
    top_up = going.top_up
    assert top_up is not None
    assert top_up_refundable(top_up) == 40
    give_back(contract_id=contract.pk, wish=wish(50, of="wired"), by=BY, now=LATER)
    take_back(refund_id=Refund.objects.get(method=BANK).pk, reason="closed", by=BY, now=LATER)
    account = BalanceAccount.objects.get()
    order = Order(Decimal("40.01"), CARD, "more", top_up_id=top_up.pk)
    with pytest.raises(CardHasNotPaid):
        request_refund(account_id=account.pk, order=order, by=BY, now=LATER)
    more = Refund.objects.get(pk=going.pk)
    more.pk, more.amount = uuid4(), Decimal("40.01")
    with pytest.raises(IntegrityError, match="refunded already"), transaction.atomic():
        more.save(force_insert=True)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Refund.objects.filter(pk=going.pk).update(top_up=None)


@pytest.mark.django_db(transaction=True)
def test_the_card_that_paid_has_its_money_again(double: StripeDouble) -> None:
    _, _, term = prepaid_world(stop=None)
    top_up = paid(term.contract, double)
    now = datetime.now(UTC)
    ensure_periods(contract=term.contract, now=now)
    [going] = give_back(contract_id=term.contract.pk, wish=wish(200, CARD), by=BY, now=now)
    for _ in range(2):
        send_refund(refund_id=going.pk, gateway=gateway_of(double), now=now)
    [refund] = double.state()["refund"]
    assert (refund["amount"], refund["payment_intent"]) == (20_000, top_up.payment_intent_id)
    going.refresh_from_db()
    assert going.state == "done"
    held = balances(organization_id=term.contract.provider_id)
    assert held[AccountKind.STRIPE_CLEARING, "USD"] == 50
    assert wrong_but_usage() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_refund SET amount = 29",
        "UPDATE billing_creditmovement SET amount = 31",
        "UPDATE billing_creditmovement SET reference = 'refund:lost'",
    ],
)
def test_credit_that_left_without_its_refund_is_found(contract: Contract, sql: str) -> None:
    give_back(contract_id=contract.pk, wish=wish(30, of="wired"), by=BY, now=LATER)
    around_the_guards(sql)
    assert "credit that left between closes says where it went" in wrong_but_usage()
