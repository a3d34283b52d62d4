"""Credit notes and refunds that are killed before any write, or made at once with payments: all or nothing, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Model, Sum

from billing.corrections.applying import apply_balance
from billing.corrections.refunds import RefundDiffers, mark_sent, take_back
from billing.dues import dues_of
from billing.models import (
    BalanceMovement,
    CreditNote,
    CreditNoteLine,
    IssuerSequence,
    LedgerEntry,
    LedgerPosting,
    Payment,
    Refund,
    RefundMethod,
    WriteOff,
)
from billing.payments import PaymentMethod
from billing.tenant_balances import BalanceTooLow
from billing.write_offs import write_off
from tenants.ids import new_id
from tenants.models import AuditEntry
from tenants.problems import Problem
from tests.billing.corrections.corrected import BY, NOW, books, credit, pay, wrong_in_the_books
from tests.billing.corrections.kept import by_hand, keep, refund, stands
from tests.billing.corrections.taxed import make_taxed
from tests.billing.issued import Line, make_issued
from tests.billing.killed import killed_everywhere

TABLES: tuple[type[Model], ...] = (
    CreditNote,
    CreditNoteLine,
    BalanceMovement,
    LedgerPosting,
    LedgerEntry,
    Payment,
    Refund,
    WriteOff,
    AuditEntry,
    IssuerSequence,
)


@pytest.mark.django_db
def test_a_credit_note_killed_before_any_write_leaves_nothing_behind() -> None:
    """Half paid and written off: it takes off what is left, takes the loss back, and keeps the rest for the tenant."""
    invoice = make_taxed(("100.00", "20"), ("50.00", "7"))
    pay(invoice, "100.00")
    write_off(invoice_id=invoice.pk, reason="Insolvent", by=BY, now=NOW)
    note_id = new_id()
    killed_everywhere(lambda: credit(invoice, credit_note_id=note_id), TABLES, least=20)
    note = CreditNote.objects.get()
    assert (note.total, note.applied) == (Decimal("173.50"), Decimal("73.50"))
    assert WriteOff.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert books(invoice.tenant) == {"tenant_balance": Decimal(-100)}
    assert credit(invoice, credit_note_id=note_id) == note
    assert not wrong_in_the_books()


@pytest.mark.django_db
def test_a_refund_killed_before_any_write_leaves_nothing_behind() -> None:
    account = keep("60.00")
    refund_id = new_id()
    killed_everywhere(lambda: refund(account, "40.00", refund_id=refund_id), TABLES, least=6)
    assert stands(account) == Decimal(20)
    killed_everywhere(
        lambda: mark_sent(refund_id=refund_id, reference="TRX 1", by=BY, now=NOW),
        TABLES,
        least=3,
    )
    killed_everywhere(
        lambda: take_back(refund_id=refund_id, reason="Closed account", by=BY, now=NOW),
        TABLES,
        least=6,
    )
    assert stands(account) == Decimal(60)
    assert books(account.issuer) == {"bank_clearing": Decimal(60)}
    assert not wrong_in_the_books()


@pytest.mark.django_db
def test_a_balance_killed_before_any_write_pays_nothing_or_all() -> None:
    invoices = [make_issued([Line("30.00")])]
    parties = (invoices[0].issuer, invoices[0].tenant)
    invoices.append(make_issued([Line("20.00")], parties=parties))
    for invoice in invoices:
        by_hand(invoice)
    account = keep("60.00", parties)
    killed_everywhere(lambda: apply_balance(account_id=account.pk, now=NOW), TABLES, least=16)
    assert [dues_of(invoice).left for invoice in invoices] == [0, 0]
    assert stands(account) == Decimal(10)
    assert not wrong_in_the_books()


@pytest.mark.django_db
def test_the_same_refund_id_for_another_card_payment_is_refused() -> None:
    """Whoever changes what is asked for is told that it was asked for before, and gets no other's answer."""
    invoices = [make_issued([Line("50.00")])]
    parties = (invoices[0].issuer, invoices[0].tenant)
    invoices.append(make_issued([Line("50.00")], parties=parties))
    payments = [pay(invoice, "50.00", PaymentMethod.STRIPE) for invoice in invoices]
    for invoice in invoices:
        credit(invoice)
    account = keep("1.00", parties)
    refund_id = new_id()
    made = refund(account, "20.00", method=RefundMethod.CARD, payment_id=payments[0].pk, refund_id=refund_id)
    again = refund(account, "20.00", method=RefundMethod.CARD, payment_id=payments[0].pk, refund_id=refund_id)
    assert made == again
    with pytest.raises(RefundDiffers):
        refund(account, "20.00", method=RefundMethod.CARD, payment_id=payments[1].pk, refund_id=refund_id)
    assert Refund.objects.count() == 1
    assert not wrong_in_the_books()


def at_once(acts: Iterable[Callable[[], object]]) -> list[str]:
    """Do all at once, each on its own connection; return what became of each: done, or the refusal's code."""

    def one(act: Callable[[], object]) -> str:
        try:
            act()
        except Problem as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, acts))


@pytest.mark.django_db(transaction=True)
def test_credits_payments_balances_and_refunds_at_once_move_no_money_twice() -> None:
    invoice = make_issued([Line("100.00")])
    by_hand(invoice)
    account = keep("70.00", (invoice.issuer, invoice.tenant))
    acts: list[Callable[[], object]] = [
        lambda: credit(invoice, amount="40"),
        lambda: pay(invoice, "50.00"),
        lambda: apply_balance(account_id=account.pk, now=NOW),
        lambda: refund(account, "30.00"),
        lambda: apply_balance(account_id=account.pk, now=NOW),
        lambda: credit(invoice, amount="40"),
        lambda: refund(account, "30.00"),
        lambda: write_off(invoice_id=invoice.pk, reason="Nothing comes", by=BY, now=NOW),
    ]
    outcomes = at_once(acts)
    assert outcomes[0] == outcomes[5] == "done", "80 of 100 can be credited, whatever was paid"
    allowed = {"done", "overpaid", "invoice_not_payable", BalanceTooLow.code, "nothing_to_write_off"}
    assert set(outcomes) <= allowed
    assert dues_of(invoice).left == 0 or dues_of(invoice).written_off == 0
    assert dues_of(invoice).left >= 0
    assert stands(account) >= 0
    came = 70 + sum(payment.amount for payment in Payment.objects.exclude(method=PaymentMethod.BALANCE))
    assert books(invoice.issuer)["bank_clearing"] == came
    assert not wrong_in_the_books()
