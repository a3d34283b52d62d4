"""A use case of money that dies before any of its writes leaves nothing behind, and done again it ends the same.

`KILL_READS=1` dies at each of its reads too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models import Sum

from billing.banking.deciding import match_by_hand, unmatch
from billing.banking.matching import Part
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.refunds import Order, mark_sent, request_refund
from billing.corrections.voiding import void_invoice
from billing.corrections.weighing import Scope
from billing.models import (
    BalanceAccount,
    BankMatch,
    CreditReason,
    Invoice,
    LedgerEntry,
    Payment,
    Payout,
    PayoutTerms,
    Refund,
    RefundMethod,
)
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod
from billing.statements.paying_out import make_payout, record_paid
from billing.statements.stating import make_statement
from billing.write_offs import write_off
from tests.billing.banking.statements import Movement, make_account, take_one
from tests.billing.corrections.corrected import credit, pay
from tests.billing.killed import Killed, at_write, counts_in, die
from tests.billing.statements.stated import MARCH_MONTH, STATED_AT, close_march, make_month
from tests.billing.world import APRIL, World

pytestmark = pytest.mark.django_db

NOW = APRIL + timedelta(days=20)
BY = "sam"
PLACES_MAX = 400
Act = Callable[[World], object]


@dataclass(frozen=True)
class Case:
    """What is done, and what was done before it."""

    act: Act
    before: tuple[Act, ...] = ()


def invoice_of(world: World) -> Invoice:
    return Invoice.objects.get(issuer=world.provider)


def take_movement(world: World) -> object:
    make_account(world.provider)
    return take_one(world.provider, Movement("500.00", text="rent", reference="M-1"))


def match(world: World) -> object:
    line = world.provider.bank_accounts.get().lines.get()
    part = Part(invoice_of(world).pk, Decimal(500))
    return match_by_hand(provider=world.provider, line_id=line.pk, parts=[part], by=BY, now=NOW)


def credited(world: World) -> object:
    return issue_credit_note(
        invoice_id=invoice_of(world).pk,
        scope=Scope(amount=Decimal("100.01")),
        reason=CreditReason.SERVICE,
        note="An outage.",
        by=BY,
        now=NOW,
    )


def asked_back(_world: World) -> object:
    order = Order(Decimal("40.00"), RefundMethod.BANK_TRANSFER, "asked")
    return request_refund(account_id=BalanceAccount.objects.get().pk, order=order, by=BY, now=NOW)


def paid_out(world: World) -> object:
    return make_payout(provider_id=world.provider.pk, currency="USD", by=BY, now=NOW)


CASES = {
    "payment": Case(lambda world: pay(invoice_of(world), "700.00")),
    "payment of all": Case(lambda world: pay(invoice_of(world), "1751.40", PaymentMethod.STRIPE)),
    "recovery": Case(
        lambda world: pay(invoice_of(world), "700.00"),
        (lambda world: write_off(invoice_id=invoice_of(world).pk, reason="gone", by=BY, now=NOW),),
    ),
    "payment taken back": Case(
        lambda _: reverse_payment(payment_id=Payment.objects.get().pk, reference="r", reason="x", by=BY, now=NOW),
        (lambda world: pay(invoice_of(world), "1751.40"),),
    ),
    "credit note": Case(credited),
    "credit note of what was paid": Case(credited, (lambda world: pay(invoice_of(world), "1751.40"),)),
    "refund": Case(
        asked_back,
        (lambda world: pay(invoice_of(world), "1751.40"), lambda world: credit(invoice_of(world), amount="100")),
    ),
    "refund sent": Case(
        lambda _: mark_sent(refund_id=Refund.objects.get().pk, reference="b", by=BY, now=NOW),
        (
            lambda world: pay(invoice_of(world), "1751.40"),
            lambda world: credit(invoice_of(world), amount="100"),
            asked_back,
        ),
    ),
    "write-off": Case(lambda world: write_off(invoice_id=invoice_of(world).pk, reason="gone", by=BY, now=NOW)),
    "void": Case(lambda world: void_invoice(invoice_id=invoice_of(world).pk, reason="wrong", by=BY, now=NOW)),
    "bank match": Case(match, (take_movement,)),
    "bank unmatch": Case(
        lambda world: unmatch(
            provider=world.provider, match_id=BankMatch.objects.get().pk, reason="wrong", by=BY, now=NOW
        ),
        (take_movement, match),
    ),
    "payout": Case(paid_out, (lambda world: pay(invoice_of(world), "1751.40", PaymentMethod.STRIPE),)),
    "payout paid": Case(
        lambda _: record_paid(payout_id=Payout.objects.get().pk, reference="b", by=BY, at=NOW, now=NOW),
        (lambda world: pay(invoice_of(world), "1751.40", PaymentMethod.STRIPE), paid_out),
    ),
    "statement": Case(
        lambda world: make_statement(provider_id=world.provider.pk, currency="USD", month=MARCH_MONTH, now=STATED_AT)
    ),
}


def counts() -> dict[str, int]:
    """How many rows each table of billing has."""
    return counts_in([*apps.get_app_config("billing").get_models()])


def standing() -> dict[tuple[str, str], Decimal]:
    """What each account stands at."""
    sums = LedgerEntry.objects.values_list("account__organization__name", "account__kind").annotate(sum=Sum("amount"))
    return {(name, kind): amount for name, kind, amount in sums.order_by("account_id")}


def undisturbed(world: World, act: Act) -> tuple[dict[str, int], dict[tuple[str, str], Decimal]]:
    """How it ends where nothing dies; that is rolled back."""
    with transaction.atomic():
        act(world)
        ended = counts(), standing()
        transaction.set_rollback(True)
    return ended


@pytest.mark.parametrize("name", CASES)
def test_it_dies_before_each_write_and_done_again_it_ends_the_same(name: str) -> None:
    world, case = make_month(), CASES[name]
    PayoutTerms.objects.create(provider=world.provider, hold_days=0)
    close_march(world)
    for act in case.before:
        act(world)
    before, ended = (counts(), standing()), undisturbed(world, case.act)
    assert ended != before
    for place in range(1, PLACES_MAX):
        try:
            with connection.execute_wrapper(at_write(place, die)):
                case.act(world)
        except Killed:
            assert standing() == before[1]
            continue
        break
    assert place > 4
    assert (counts(), standing()) == ended
