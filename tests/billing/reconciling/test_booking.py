"""What was done at Stripe by hand is booked once, where it has a place in our books, and refused in words elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.books import check_books
from billing.closing import close_period
from billing.collecting.movements import keep_movements
from billing.corrections.refunds import top_up_refundable
from billing.dues import dues_of
from billing.ledger import balance
from billing.models import (
    AccountKind,
    BillingPeriod,
    CreditMovement,
    Payment,
    PaymentReversal,
    PaymentSource,
    Payout,
    StripePayee,
)
from billing.payments import PaymentMethod, record_payment
from billing.reconciling.booking import NothingToBook, book_refund, book_transfer
from billing.standing import standing_of
from billing.stripe_seen import StripeMovement, StripeRefund, StripeTransfer
from tenants.models import AuditEntry
from tests.billing.issued import make_issued
from tests.billing.test_credits import prepaid_world
from tests.billing.topups.prepaid import bought, wrong_but_usage
from tests.billing.world import APRIL, MARCH
from tests.factories import make_organization

if TYPE_CHECKING:
    from billing.models import Invoice

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
BY = "owen@operator.example"
REFUND = StripeRefund(
    id="re_1",
    status="succeeded",
    amount_minor=2_345,
    currency="USD",
    payment_intent_id="pi_1",
    charge_id="ch_1",
    failure_reason=None,
    reference="",
    created=NOW,
)
TRANSFER = StripeTransfer(
    id="tr_1",
    amount_minor=5_000,
    reversed_minor=0,
    currency="USD",
    account_id="acct_1",
    group="",
    reference="",
    created=NOW,
)
MOVED = StripeMovement(
    id="txn_1",
    kind="refund",
    amount_minor=-7_000,
    fee_minor=0,
    net_minor=-7_000,
    currency="USD",
    source_id="re_1",
    available_at=NOW,
    created=NOW,
)


@pytest.fixture
def invoice() -> Invoice:
    """123.45 that came by two payments of one charge."""
    made = make_issued()
    for place, amount in enumerate(("20.00", "103.45")):
        paid = record_payment(
            invoice_id=made.pk,
            method=PaymentMethod.STRIPE,
            reference=f"inpay_{place}",
            amount=Decimal(amount),
            currency="USD",
            received_at=NOW,
            now=NOW,
        )
        PaymentSource.objects.update_or_create(payment=paid, defaults={"charge_id": "ch_1", "noted_at": NOW})
    return made


def wrong() -> set[str]:
    """The checks of the books that do not hold; an invoice of `make_issued` has no sublines and no evidence."""
    return {check.name for check in check_books() if not check.holds}


def test_a_refund_is_taken_back_of_the_payments_of_its_charge_once(invoice: Invoice) -> None:
    before = wrong()
    taken = book_refund(seen=REFUND, by=BY, now=NOW)
    assert sorted(one.amount for one in taken) == [Decimal("3.45"), Decimal("20.00")]
    assert set(book_refund(seen=REFUND, by=BY, now=NOW)) == set(taken)
    assert PaymentReversal.objects.count() == 2
    assert dues_of(invoice).left == Decimal("23.45")
    held = balance(organization_id=invoice.issuer_id, kind=AccountKind.STRIPE_CLEARING, currency="USD")
    assert held == Decimal("100.00")
    assert wrong() == before


@pytest.mark.parametrize(
    ("refund", "why"),
    [
        (replace(REFUND, status="failed"), "is failed"),
        (replace(REFUND, amount_minor=12_346), "less of charge ch_1 than 123.46"),
        (replace(REFUND, charge_id="ch_2"), "less of charge ch_2"),
        (replace(REFUND, charge_id=None), "less of charge None"),
    ],
)
def test_a_refund_without_a_place_is_refused_and_nothing_is_booked(
    invoice: Invoice, refund: StripeRefund, why: str
) -> None:
    with pytest.raises(NothingToBook, match=why):
        book_refund(seen=refund, by=BY, now=NOW)
    assert not PaymentReversal.objects.exists()
    assert Payment.objects.count() == 2


def test_a_transfer_is_a_payout_that_was_paid_and_more_than_is_owed_is_carried() -> None:
    provider = make_organization("payee", is_provider=True)
    with pytest.raises(NothingToBook, match="no provider's here"):
        book_transfer(seen=TRANSFER, by=BY, now=NOW)
    StripePayee.objects.create(provider=provider, account_id="acct_1", created_at=NOW, seen_at=NOW)
    with pytest.raises(NothingToBook, match="came back"):
        book_transfer(seen=replace(TRANSFER, reversed_minor=1), by=BY, now=NOW)
    first, again = (book_transfer(seen=TRANSFER, by=BY, now=NOW) for _ in range(2))
    assert (first, Payout.objects.count()) == (again, 1)
    assert (first.state, first.reference, first.amount, first.created_by) == ("paid", "tr_1", Decimal("50.00"), BY)
    assert balance(organization_id=provider.pk, kind=AccountKind.PROVIDER_PAYABLE, currency="USD") == Decimal("50.00")
    assert wrong() == set()


def test_a_refund_of_bought_credit_takes_the_credit_off_the_balance_once() -> None:
    world, shared, term = prepaid_world()
    top_up = bought(term, "100", at=MARCH)
    shared.use({"output": 60_000}, at=MARCH)
    now = MARCH + timedelta(days=9)
    refund = replace(REFUND, amount_minor=7_000)
    for _ in range(2):
        assert book_refund(seen=refund, by=BY, now=now) == ()
    moved = CreditMovement.objects.get()
    assert (moved.kind, moved.amount, moved.reference) == ("taken", Decimal(70), "refunded:re_1")
    # 60.00 of the 100.00 were used: the balance is below 0, as after a chargeback.
    assert int(standing_of(world.contract, now).left_amount) == -30
    assert top_up_refundable(top_up) == Decimal(30)
    held = balance(organization_id=world.provider.pk, kind=AccountKind.STRIPE_CLEARING, currency="USD")
    assert held == Decimal(30)
    assert {entry.actor for entry in AuditEntry.objects.filter(action="top_up.refunded_by_hand")} == {BY}
    with pytest.raises(NothingToBook, match="less of charge ch_1 than 30"):
        book_refund(seen=replace(REFUND, id="re_2", amount_minor=3_001), by=BY, now=now)
    # The books prove it by what the look kept of Stripe's balance, and complain where that says nothing of it.
    assert wrong_but_usage() == ["credit that left between closes says where it went"]
    keep_movements([MOVED], now=now)
    assert wrong_but_usage() == []
    assert close_period(period_id=BillingPeriod.objects.earliest("from_at").pk, now=APRIL).invoice is not None
    assert wrong_but_usage() == []
