"""What can be paid out: only what was collected, and never what the operator does not hold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.agreeing import add_adjustment
from billing.dues import dues_of
from billing.models import Invoice, LedgerEntry, Payment, PayoutTerms
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod
from billing.rating.credit import CreditWording, Grant
from billing.statements.available import Available, available, owed_to
from billing.statements.gathering import CAUSE_INVOICE, FEE
from billing.write_offs import write_off
from tests.billing.statements.stated import STATED_AT, close_march, make_month, pay, state_march
from tests.billing.statements.test_stating import correct
from tests.billing.world import APRIL, MARCH, World
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db

NET, TOTAL = Decimal("1663.83"), Decimal("1751.40")
LATER = APRIL + timedelta(days=30)


def found(world: World, **terms: object) -> Available:
    return available(terms=PayoutTerms(provider=world.provider, **{"hold_days": 0, **terms}), currency="USD", now=LATER)


world = kept(make_month)
march = kept(close_march)


@pytest.mark.usefixtures("march")
def test_nothing_is_available_before_the_tenant_paid(world: World) -> None:
    seen = found(world)
    assert (seen.owed, seen.uncollected) == (NET, NET)
    assert seen.held == seen.amount == 0


def test_what_was_paid_by_card_is_available_less_the_fee(world: World, march: Invoice) -> None:
    pay(march)
    seen = found(world)
    assert (seen.owed, seen.amount, seen.held) == (NET, NET, TOTAL)


def test_a_statement_changes_nothing_of_it(world: World, march: Invoice) -> None:
    pay(march)
    before = found(world)
    assert state_march(world) is not None
    assert found(world) == before
    correct(world, "63.83", at=STATED_AT)
    assert owed_to(world.provider.id, "USD") == found(world).amount == Decimal(1600)


@pytest.mark.parametrize(
    ("paid", "amount"), [("50.00", "0.00"), ("87.57", "0.00"), ("100.00", "12.43"), ("1751.39", "1663.82")]
)
def test_of_a_part_payment_the_fee_is_taken_first(paid: str, amount: str, world: World, march: Invoice) -> None:
    pay(march, paid)
    assert found(world).amount == Decimal(amount)


def test_what_is_uncollected_is_what_each_invoice_has_left_of_the_provider_s_part(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Paid, paid in part, a little more than the fee, not at all, written off; another's and another currency's beside.

    The same from each invoice's dues and the fee in its posting, one by one.
    """
    invoices = [close_march(world)]
    invoices += [close_march(make_month(parties=(world.provider, world.tenant))) for _ in range(4)]
    other = close_march(make_month())
    pay(other, "100.00")
    for invoice, paid in zip(invoices, ("1751.40", "50.00", "87.58", "1000.00", None), strict=True):
        if paid is not None:
            pay(invoice, paid)
    write_off(invoice_id=invoices[3].pk, reason="gone", by="petra", now=LATER)
    expected = Decimal(0)
    for invoice in Invoice.objects.filter(issuer=world.provider, state__in=("issued", "uncollectible")):
        entries = LedgerEntry.objects.filter(
            posting__cause_id=invoice.pk, posting__cause=CAUSE_INVOICE, account__kind=FEE
        )
        fee = -sum(entry.amount for entry in entries)
        expected += min(max(dues_of(invoice).left, Decimal(0)), invoice.total - fee)
    assert found(world).uncollected == expected == NET + Decimal("1663.82") + NET
    with django_assert_num_queries(8):
        found(world)


def test_what_the_provider_got_itself_counts_as_received_and_leaves_the_fee_owed(world: World, march: Invoice) -> None:
    pay(march, method=PaymentMethod.BANK_TRANSFER)
    seen = found(world)
    assert seen.owed == NET - TOTAL
    assert seen.uncollected == seen.held == seen.amount == 0


def test_what_is_owed_by_the_provider_is_taken_of_what_comes_next(world: World, march: Invoice) -> None:
    pay(march, method=PaymentMethod.BANK_TRANSFER)
    other = make_month(parties=(world.provider, world.tenant))
    pay(close_march(other))
    assert found(world).amount == NET - Decimal("87.57")


def test_recent_card_payments_and_the_reserve_are_held_back(world: World, march: Invoice) -> None:
    pay(march, "1000.00", at=LATER - timedelta(days=8))
    pay(march, "751.40", at=LATER - timedelta(days=2))
    assert found(world, hold_days=7).amount == NET - Decimal("751.40")
    assert found(world, hold_days=9).amount == 0
    assert found(world, reserve_amount=Decimal(100)).amount == NET - 100


@pytest.mark.parametrize(("taken", "amount"), [("1751.40", "1663.83"), ("1000.00", "1576.26"), ("0.01", "1576.26")])
def test_what_was_taken_back_already_is_not_held_back_a_second_time(
    taken: str, amount: str, world: World, march: Invoice
) -> None:
    """An old payment and a new one, of which some is charged back: it is uncollected again, and recent no more."""
    pay(march)
    second = close_march(make_month(parties=(world.provider, world.tenant)))
    pay(second, at=LATER - timedelta(days=2))
    assert (found(world, hold_days=7).recent, found(world).recent) == (TOTAL, Decimal(0))
    reverse_payment(
        payment_id=Payment.objects.get(invoice=second).pk,
        reference="dp-1",
        reason="charged back",
        by="stripe",
        now=LATER,
        amount=Decimal(taken),
    )
    seen = found(world, hold_days=7)
    assert seen.recent == TOTAL - Decimal(taken)
    assert seen.held == 2 * TOTAL - Decimal(taken)
    assert str(seen.amount) == amount


@pytest.mark.parametrize(("seconds", "recent"), [(-1, "0"), (0, "0"), (1, "1751.40")])
def test_a_payment_is_free_from_the_instant_at_which_its_days_are_over(
    seconds: int, recent: str, world: World, march: Invoice
) -> None:
    pay(march, at=LATER - timedelta(days=7) + timedelta(seconds=seconds))
    assert found(world, hold_days=7).recent == Decimal(recent)


def test_credit_that_was_given_away_is_never_paid_out(world: World) -> None:
    add_adjustment(
        contract=world.contract,
        wording=CreditWording(grants=(Grant(name="gift", amount=Decimal(500), from_at=MARCH),)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Gift",
    )
    assert found(world).owed == 0
    pay(close_march(world))
    seen = found(world)
    assert seen.held == TOTAL - 500
    assert seen.amount == seen.owed == seen.held - Decimal("62.57")
    statement = state_march(world)
    assert statement is not None
    assert (statement.received, statement.closing) == (Decimal(-500), seen.owed)
