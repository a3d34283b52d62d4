"""The sweeps of corrections: balances that pay invoices, and refunds to cards."""

from __future__ import annotations

import pytest
from django.db import connection

from billing.corrections.tasks import apply_balances, send_refunds
from billing.models import Payment, Refund, RefundMethod, RefundState
from billing.payments import PaymentMethod
from tests.billing.corrections.corrected import credit, pay, wrong_in_the_books
from tests.billing.corrections.kept import by_hand, keep, refund, stands
from tests.billing.issued import Line, make_issued, make_parties

pytestmark = pytest.mark.django_db


def test_every_balance_that_can_pays_and_one_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    kept = []
    for _ in range(2):
        parties = make_parties()
        by_hand(make_issued([Line("50.00")], parties=parties))
        kept.append(keep("20.00", parties))
    with connection.cursor() as cursor:
        # The first one's payment is refused by the database.
        cursor.execute(
            "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'refused here' USING ERRCODE = 'check_violation'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER refused BEFORE INSERT ON billing_payment FOR EACH ROW "
            f"WHEN (NEW.reference LIKE 'balance:{min(each.pk for each in kept)}:%') EXECUTE FUNCTION refused()"
        )
    apply_balances(left_over_argument=1)
    assert "refused here" in caplog.text
    assert sorted(stands(each) for each in kept) == [0, 20]
    assert Payment.objects.get().method == PaymentMethod.BALANCE
    assert not wrong_in_the_books()


def test_without_stripe_refunds_to_cards_wait() -> None:
    invoice = make_issued([Line("100.00")])
    payment = pay(invoice, "100", PaymentMethod.STRIPE)
    credit(invoice)
    account = invoice.tenant.balance_accounts.get()
    refund(account, "100", method=RefundMethod.CARD, payment_id=payment.pk)
    send_refunds(left_over_argument=1)
    assert Refund.objects.get().state == RefundState.PENDING
