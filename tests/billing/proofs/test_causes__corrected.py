"""Money that went both ways is sound to the checks of causes; what was booked twice under such a cause is not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.voiding import void_invoice
from billing.corrections.weighing import Scope
from billing.models import CreditReason, Payment
from billing.payment_reversals import reverse_payment
from billing.proofs import causes
from tests.billing.bookkeeping.kept import DAY, MAY, Kept, make_kept
from tests.billing.issued import make_issued
from tests.billing.proofs.test_causes import plant_again
from tests.billing.test_books import forge
from tests.kept import kept as keeping

pytestmark = pytest.mark.django_db

ONCE, CAUSED = "what happens once is booked once", "every posting has its cause"


def wrong() -> dict[str, list[str]]:
    found = {name: list(check()[1]) for name, check in causes.CHECKS.items()}
    return {name: said for name, said in found.items() if said}


@keeping
def kept() -> Kept:
    return make_kept()


def take_back(amount: str, reference: str) -> None:
    reverse_payment(
        payment_id=Payment.objects.get().pk,
        reference=reference,
        reason="bounced",
        by="sam",
        now=MAY,
        amount=Decimal(amount),
    )


def test_a_payment_taken_back_in_two_parts_is_two_causes(kept: Kept) -> None:
    take_back("100", "first")
    assert wrong() == {}
    take_back("200", "second")
    assert wrong() == {}


def test_a_part_taken_back_that_is_booked_twice_is_found(kept: Kept) -> None:
    take_back("100", "first")
    plant_again("payment_reversal")
    assert set(wrong()) == {ONCE}


def test_a_part_taken_back_of_another_payment_is_found(kept: Kept) -> None:
    take_back("100", "first")
    forge("UPDATE billing_ledgerposting SET cause_id = gen_random_uuid() WHERE cause = 'payment_reversal'")
    assert set(wrong()) == {CAUSED}


def test_a_part_taken_back_that_nobody_took_is_found(kept: Kept) -> None:
    take_back("100", "first")
    forge("DELETE FROM billing_paymentreversal")
    assert set(wrong()) == {CAUSED}


def test_a_void_invoice_is_booked_and_booked_back_once() -> None:
    invoice = make_issued()
    void_invoice(invoice_id=invoice.pk, reason="wrong tenant", by="sam", now=MAY)
    assert wrong() == {}
    plant_again("invoice")
    assert ONCE in wrong()


def test_a_credit_note_that_also_moves_the_balance_is_booked_once(kept: Kept) -> None:
    issue_credit_note(
        invoice_id=kept.invoice.pk,
        scope=Scope(amount=Decimal(500)),
        reason=CreditReason.GOODWILL,
        note="goodwill",
        by="sam",
        now=MAY + DAY,
    )
    assert wrong() == {}
    plant_again("credit_note")
    assert ONCE in wrong()
