"""What Stripe moved against what was booked of it: sound rows hold, and each planted bug is found."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.books import check_books
from billing.collecting.movements import keep_movements
from billing.models import (
    Difference,
    LedgerPosting,
    Payment,
    PaymentSource,
    Payout,
    PayoutMethod,
    TopUp,
    TopUpState,
)
from billing.payments import PaymentMethod, record_payment
from billing.reconciling.checks import CHECKS, stripe_holds_what_is_booked
from billing.statements.paying_out import record_paid, record_reversal
from billing.topups.buying import start_top_up
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.moved import AT, movement
from tests.billing.statements.test_paying_out import LATER, NET, make_paid, payout_of
from tests.billing.test_books import forge
from tests.billing.topups.prepaid import prepaid_contract
from tests.factories import make_organization

if TYPE_CHECKING:
    from billing.stripe_seen import StripeMovement

pytestmark = pytest.mark.django_db


def keep(*seen: StripeMovement) -> None:
    keep_movements(seen, now=AT + timedelta(hours=1))


def wrong() -> list[str]:
    return list(stripe_holds_what_is_booked()[1])


@pytest.fixture
def operator() -> None:
    make_organization("operator", is_operator=True, is_tenant=False, is_provider=False)


@pytest.fixture
def moved(operator: None) -> None:
    """A charge with a fee, a fee on its own, money to the bank and some of it back."""
    keep(
        movement("charge", 10_000, fee=175, source="ch_1"),
        movement("stripe_fee", -250, source="fee_1"),
        movement("payout", -9_000, source="po_1"),
        movement("payout_failure", 9_000, source="po_1"),
        movement("topup", 500, source="tu_1"),
    )
    assert wrong() == []


@pytest.fixture
def paid(operator: None) -> Payment:
    """A payment of 100.00 by the charge ch_1, which Stripe moved."""
    invoice = make_issued([Line("100.00")])
    payment = record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.STRIPE,
        reference="inpay_1",
        amount=Decimal(100),
        currency=invoice.currency,
        received_at=ISSUED_AT,
        now=ISSUED_AT,
    )
    PaymentSource.objects.create(payment=payment, charge_id="ch_1", noted_at=ISSUED_AT)
    keep(movement("charge", 10_000, source="ch_1", currency=invoice.currency))
    assert wrong() == []
    return payment


def test_nothing_moved_is_sound() -> None:
    looked_at, found = stripe_holds_what_is_booked()
    assert (looked_at, list(found)) == (0, [])


def test_it_is_one_of_the_checks_of_the_books() -> None:
    assert {"what Stripe moved is booked as it moved": stripe_holds_what_is_booked} == CHECKS


def test_kept_twice_is_booked_once(moved: None) -> None:
    keep(movement("payout", -9_000, source="po_1"), movement("charge", 10_000, fee=175, source="ch_1"))
    assert stripe_holds_what_is_booked()[0] == 5
    assert wrong() == []


def test_every_check_of_the_books_holds_for_fees_and_money_to_the_bank(moved: None) -> None:
    assert LedgerPosting.objects.filter(cause="stripe").count() == 5
    assert {check.name: check.wrong for check in check_books() if not check.holds} == {}


def test_a_posting_for_a_movement_that_stripe_never_had_is_found(moved: None) -> None:
    forge("UPDATE billing_ledgerposting SET key = 'stripe:txn_1:fee' WHERE key LIKE 'stripe:txn_stripe_fee_%'")
    found = {check.name: check.wrong for check in check_books() if not check.holds}
    assert found["every posting has its cause"] == ("stripe:txn_1:fee: its key does not name the stripe it is for",)
    assert "what Stripe moved is booked as it moved" in found


def test_a_fee_that_was_not_booked_is_found(operator: None) -> None:
    keep(movement("charge", 10_000, fee=175, source="ch_1"))
    forge("UPDATE billing_ledgerposting SET key = 'lost', cause = 'lost' WHERE key LIKE 'stripe:%:fee'")
    assert wrong() == ["stripe:txn_charge_ch_1_10000:fee: 0 USD booked of Stripe's balance, -1.7500 by its movement"]


def test_a_fee_of_another_amount_is_found(operator: None) -> None:
    keep(movement("charge", 10_000, fee=175, source="ch_1"))
    forge("UPDATE billing_stripemovement SET fee = 1.76, net = 98.24")
    (found,) = wrong()
    assert found.endswith("-1.7500 USD booked of Stripe's balance, -1.7600 by its movement")


def test_money_to_the_bank_of_another_amount_is_found(moved: None) -> None:
    forge("UPDATE billing_stripemovement SET amount = -90.01, net = -90.01 WHERE kind = 'payout'")
    (found,) = wrong()
    assert found.startswith("stripe:txn_payout_po_1_-9000:bank: -90.0000 USD booked")


def test_a_booking_of_a_movement_that_is_not_there_is_found(moved: None) -> None:
    forge("DELETE FROM billing_stripemovement WHERE kind = 'topup'")
    (found,) = wrong()
    assert found == "stripe:txn_topup_tu_1_500:bank: 5.0000 USD booked of Stripe's balance, 0 by its movement"


def test_a_movement_kept_before_there_was_an_operator_is_found_until_it_is_kept_again() -> None:
    seen = movement("charge", 10_000, fee=175, source="ch_1")
    keep(seen)
    assert len(wrong()) == 1
    make_organization("operator", is_operator=True, is_tenant=False, is_provider=False)
    keep(seen)
    assert wrong() == []


def test_a_payment_of_another_amount_than_its_charge_is_found(paid: Payment) -> None:
    forge("UPDATE billing_stripemovement SET amount = 99, net = 99")
    (found,) = wrong()
    assert found == f"ch_1: 100.0000 {paid.currency} booked, 99.0000 {paid.currency} moved at Stripe"


def test_a_payment_in_another_currency_than_its_charge_is_found(paid: Payment) -> None:
    forge("UPDATE billing_stripemovement SET currency = 'CHF'")
    assert wrong() == [f"ch_1: 100.0000 {paid.currency} booked, 100.0000 CHF moved at Stripe"]


def test_what_a_person_accepted_is_no_fault(paid: Payment) -> None:
    forge("UPDATE billing_stripemovement SET amount = 99, net = 99")
    found = Difference.objects.create(
        kind="charge_amount", stripe_id="ch_1", ours="", theirs="", object_at=AT, first_seen_at=AT, last_seen_at=AT
    )
    assert len(wrong()) == 1, "listed is not accepted"
    Difference.objects.filter(pk=found.pk).update(way="accept", settled_at=AT, settled_by="owen", note="a cent")
    assert wrong() == []


def test_a_top_up_of_another_amount_than_its_charge_is_found(operator: None) -> None:
    made = start_top_up(contract=prepaid_contract(), amount=Decimal(250), by="alice", now=AT)
    keep(movement("charge", 25_000, source="ch_2", currency="EUR"))
    TopUp.objects.filter(pk=made.pk).update(state=TopUpState.PAID, charge_id="ch_2")
    assert wrong() == []
    TopUp.objects.filter(pk=made.pk).update(amount=Decimal("250.01"))
    assert wrong() == ["ch_2: 250.0100 EUR booked, 250.0000 EUR moved at Stripe"]


def test_transfers_and_what_came_back_of_them_have_one_amount_on_both_sides() -> None:
    payout = payout_of(make_paid(method=PayoutMethod.STRIPE))
    record_paid(payout_id=payout.pk, reference="tr_1", by="sam", at=LATER, now=LATER)
    record_reversal(payout_id=payout.pk, amount=NET, reference="trr_1", reason="sample", by="sam", at=LATER)
    minor = int(NET * 100)
    keep(movement("transfer", -minor, source="tr_1"), movement("transfer_refund", minor, source="trr_1"))
    assert wrong() == []
    forge("UPDATE billing_payoutreversal SET amount = amount - 1")
    assert wrong() == ["trr_1: 1662.8300 USD booked, 1663.8300 USD moved at Stripe"]
    forge("UPDATE billing_payout SET reference = 'tr_2'")
    assert [found.partition(":")[0] for found in wrong()] == ["trr_1"], "what only one side has is on its way"
    assert Payout.objects.get().reference == "tr_2"
