"""Credit whose payment is charged back: it goes, use stops, what is bought next makes it good; what is won is back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from django.db import IntegrityError, transaction

from billing.books import CHECKS
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.collecting.chargebacks import apply_dispute
from billing.ledger import balance
from billing.models import AccountKind, BillingPeriod, CardOnFile, Chargeback, CreditMovement, Invoice, Term, TopUp
from billing.refilling.charging import due_charges
from billing.refilling.rules import NOTICE
from billing.refilling.setting import set_rule
from billing.refilling.watching import look
from billing.standing import standing_of
from billing.stripe_seen import StripeDispute
from billing.topups.charged_back import give_again, is_charged_back, top_up_of
from tenants.models import AuditEntry
from tests.billing.corrections.test_checks import around_the_guards
from tests.billing.refilling.low import BUYS, BY
from tests.billing.test_books import forge
from tests.billing.test_credits import left, prepaid_world
from tests.billing.topups.prepaid import bought, wrong_but_usage
from tests.billing.world import APRIL, HOUR, MARCH, Shared, World
from tests.kept import kept

pytestmark = pytest.mark.django_db
LATER = MARCH + timedelta(days=9)


def told(status: str = "needs_response", *, withdrawn: int = 10_000, charge: str = "ch_1") -> StripeDispute:
    return StripeDispute(
        id="dp_1",
        status=status,
        amount_minor=10_000,
        withdrawn_minor=withdrawn,
        fee_minor=1_500 if withdrawn else 0,
        currency="USD",
        reason="fraudulent",
        charge_id=charge,
        payment_intent_id="pi_1",
        respond_by=LATER + timedelta(days=7),
        created=LATER,
    )


def with_card(world: World) -> None:
    CardOnFile.objects.create(
        organization=world.contract.tenant, payment_method_id="pm_1", kind="card", kept_by=BY, kept_at=MARCH
    )


Prepaid = tuple[World, Shared, Term, TopUp]


@kept
def prepaid() -> Prepaid:
    """A contract at 1.00 per 1,000 tokens that bought 100.00 of credit."""
    world, shared, term = prepaid_world()
    return world, shared, term, bought(term, "100", at=MARCH)


def used(prepaid: Prepaid, thousands: int) -> Prepaid:
    """The same contract, which used so much of it."""
    prepaid[1].use({"output": thousands * 1_000}, at=MARCH)
    return prepaid


def held(world: World) -> tuple[Decimal, Decimal]:
    """What Stripe has for the provider, and what the tenant has of credit in the books."""
    clearing = balance(organization_id=world.provider.pk, kind=AccountKind.STRIPE_CLEARING, currency="USD")
    credit = balance(organization_id=world.tenant.pk, kind=AccountKind.PREPAID_CREDIT, currency="USD")
    return clearing, -credit


def test_what_was_charged_back_is_gone_and_use_stops_below_nothing(prepaid: Prepaid) -> None:
    world, _, _, top_up = used(prepaid, 60)
    assert standing_of(world.contract, LATER).left_amount == 40
    for _ in range(3):
        row = apply_dispute(seen=told(), now=LATER)
    assert (row.top_up, row.payment, row.withdrawn) == (top_up, None, Decimal(100))
    standing = standing_of(world.contract, LATER)
    assert (int(standing.left_amount), standing.allowed) == (-60, False)
    assert held(world) == (Decimal(0), Decimal(0))
    assert is_charged_back(world.contract.pk)
    assert CreditMovement.objects.get().reference == "dp_1:1"
    assert AuditEntry.objects.filter(action="top_up.charged_back").count() == 2
    assert wrong_but_usage() == []


def test_what_was_used_stays_paid_for_and_is_owed_of_the_credit(prepaid: Prepaid) -> None:
    """The bill of what was used before the bank took the money back comes to what credit no longer covers."""
    world, _, _, _ = used(prepaid, 60)
    apply_dispute(seen=told(), now=LATER)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    assert invoice.total == 60
    assert wrong_but_usage() == []


def test_of_a_period_that_closed_before_the_balance_is_below_nothing_until_credit_is_bought(prepaid: Prepaid) -> None:
    world, shared, term, top_up = used(prepaid, 60)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    ensure_periods(contract=world.contract, now=APRIL)
    apply_dispute(seen=told(), now=APRIL)
    assert held(world) == (Decimal(0), Decimal(-60))
    assert left(standing_of(world.contract, APRIL)) == {top_up.grant_name: -60}
    more = bought(term, "90", at=APRIL + HOUR, intent="pi_2")
    assert left(standing_of(world.contract, APRIL + HOUR)) == {top_up.grant_name: 0, more.grant_name: 30}
    shared.use({"output": 45_000}, at=APRIL + HOUR)
    standing = standing_of(world.contract, APRIL + 3 * HOUR)
    assert (int(standing.left_amount), int(standing.unpaid_amount)) == (-15, 15)
    open_one = BillingPeriod.objects.get(contract=world.contract, state="open")
    second = close_period(period_id=open_one.pk, now=open_one.to_at + timedelta(days=9)).invoice
    assert second is not None
    assert (int(second.total), held(world)) == (15, (Decimal(90), Decimal(0)))
    assert Invoice.objects.count() == 2
    assert wrong_but_usage() == []


def test_what_is_won_is_there_again_and_makes_good_what_was_used(prepaid: Prepaid) -> None:
    world, _, _, _ = used(prepaid, 60)
    apply_dispute(seen=told(), now=LATER)
    for _ in range(3):
        row = apply_dispute(seen=told("won", withdrawn=0), now=LATER + HOUR)
    assert (row.status, row.withdrawn) == ("won", Decimal(0))
    standing = standing_of(world.contract, LATER + HOUR)
    assert (int(standing.left_amount), standing.allowed) == (40, True)
    assert held(world) == (Decimal(100), Decimal(100))
    assert not is_charged_back(world.contract.pk)
    assert AuditEntry.objects.filter(action="top_up.chargeback_won").count() == 2
    assert wrong_but_usage() == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_looks_in_any_order_end_as_stripe_is_now(prepaid: Prepaid, order: tuple[int, ...]) -> None:
    world, _, _, _ = used(prepaid, 10)
    looks = [told(), told("under_review"), told("won", withdrawn=0)]
    for place in order:
        apply_dispute(seen=looks[place], now=LATER)
    apply_dispute(seen=looks[2], now=LATER)
    assert (int(standing_of(world.contract, LATER).left_amount), int(held(world)[0])) == (90, 100)


def test_a_part_that_is_taken_leaves_the_rest(prepaid: Prepaid) -> None:
    world, _, _, _ = used(prepaid, 10)
    apply_dispute(seen=told(withdrawn=2_500), now=LATER)
    assert standing_of(world.contract, LATER).left_amount == 65
    assert wrong_but_usage() == []


def test_a_warning_takes_nothing_and_what_was_never_taken_is_not_given_again(prepaid: Prepaid) -> None:
    world, _, _, top_up = used(prepaid, 10)
    apply_dispute(seen=told("warning_needs_response", withdrawn=0), now=LATER)
    give_again(top_up=top_up, reference="dp_1:1", now=LATER)
    assert standing_of(world.contract, LATER).left_amount == 90
    assert not CreditMovement.objects.exists()


def test_a_purchase_is_found_by_its_charge_or_its_payment_and_no_other_is(prepaid: Prepaid) -> None:
    _, _, _, top_up = used(prepaid, 0)
    assert top_up_of(told()) == top_up
    TopUp.objects.update(charge_id="")
    assert top_up_of(told()) == top_up
    TopUp.objects.update(payment_intent_id="")
    assert top_up_of(told()) is None
    row = apply_dispute(seen=told(), now=LATER)
    assert (row.top_up, Chargeback.objects.count()) == (None, 1)


@pytest.mark.parametrize("card", [True, False])
def test_while_money_is_held_back_no_rule_buys_more(prepaid: Prepaid, card: bool) -> None:
    world, _, _, _ = used(prepaid, 60)
    rule = set_rule(contract=world.contract, figures=BUYS, by=BY, now=LATER)
    apply_dispute(seen=told(), now=LATER)
    if card:
        with_card(world)
    notice = look(rule_id=rule.pk, now=LATER)
    assert notice is not None
    assert (notice.outcome, TopUp.objects.filter(rule=rule).exists()) == ("told", False)


def test_what_a_rule_was_about_to_buy_is_not_charged_once_the_bank_takes_money_back(prepaid: Prepaid) -> None:
    world, _, _, _ = used(prepaid, 90)
    with_card(world)
    rule = set_rule(contract=world.contract, figures=BUYS, by=BY, now=LATER)
    first = look(rule_id=rule.pk, now=LATER)
    assert first is not None
    assert first.outcome == "buys"
    apply_dispute(seen=told(), now=LATER)
    assert list(TopUp.objects.filter(rule=rule).values_list("state", flat=True)) == ["stopped"]
    assert due_charges(now=LATER + NOTICE, limit=9) == []
    second = look(rule_id=rule.pk, now=LATER + HOUR)
    assert second is not None
    assert second.outcome == "told"
    assert look(rule_id=rule.pk, now=LATER + 2 * HOUR) is None


def test_the_database_keeps_what_is_taken_once_and_with_its_reason(prepaid: Prepaid) -> None:
    world, _, _, _ = used(prepaid, 0)
    apply_dispute(seen=told(), now=LATER)
    moved = CreditMovement.objects.get()
    for changed in ({"reference": ""}, {"kind": "drawn"}, {"grant": "another"}):
        again = CreditMovement.objects.get(pk=moved.pk)
        again.pk = world.contract.pk
        for name, value in changed.items():
            setattr(again, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            again.save(force_insert=True)


def test_credit_taken_beyond_its_chargeback_is_found(prepaid: Prepaid) -> None:
    used(prepaid, 0)
    apply_dispute(seen=told(), now=LATER)
    around_the_guards("UPDATE billing_chargeback SET amount = 99")
    assert wrong_but_usage() == ["credit that left between closes says where it went"]


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE billing_topup SET amount = amount + 5", "bought credit is booked"),
        ("UPDATE billing_topup SET state = 'expired'", "bought credit is booked"),
        ("UPDATE billing_topup SET currency = 'EUR'", "bought credit is booked"),
        (
            "UPDATE billing_creditmovement SET amount = amount - CASE kind WHEN 'drawn' THEN 1 ELSE -1 END",
            "credit that moved is booked",
        ),
    ],
)
def test_bought_credit_that_moved_otherwise_than_its_rows_say_is_found(
    prepaid: Prepaid, statement: str, name: str
) -> None:
    world, _, _, _ = used(prepaid, 60)
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=BillingPeriod.objects.order_by("from_at")[0].pk, now=APRIL + HOUR)
    apply_dispute(seen=told(withdrawn=3_000), now=APRIL + 2 * HOUR)
    assert wrong_but_usage() == []
    forge(statement)
    assert [*CHECKS[name]()[1]] != []
