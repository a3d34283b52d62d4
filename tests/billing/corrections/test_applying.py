"""Balances pay invoices: the first due first, no more than there is, and nothing that Stripe is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from billing.corrections.applying import apply_balance, apply_before_push, due_balances
from billing.corrections.policies import keep_policy
from billing.dues import dues_of
from billing.models import Invoice, InvoiceState, Payment, SettlementState
from billing.payment_reversals import reverse_payment
from tenants.ids import new_id
from tenants.models import Organization
from tests.billing.collected import collect, gateway_of, only_invoice_at
from tests.billing.corrections.corrected import BY, NOW, books, wrong_in_the_books
from tests.billing.corrections.kept import by_hand, keep, stands
from tests.billing.issued import ISSUED_AT, Line, make_issued, make_parties
from tests.kept import kept

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble


def owing(
    amount: str, parties: object = None, *, days: int = 0, state: SettlementState = SettlementState.BY_HAND
) -> Invoice:
    invoice = make_issued([Line(amount)], parties=parties, issued_at=ISSUED_AT + timedelta(days=days))  # type: ignore[arg-type]
    by_hand(invoice, state)
    return invoice


parties = kept(make_parties)


@pytest.mark.django_db
def test_the_invoice_that_is_due_first_is_paid_first_and_the_rest_of_it_goes_to_the_next(
    parties: tuple[Organization, Organization],
) -> None:
    later, sooner = owing("50.00", parties, days=3), owing("30.00", parties)
    account = keep("60.00", parties)
    assert due_balances(limit=10) == [account.pk]
    first, second = apply_balance(account_id=account.pk, now=NOW)
    assert (first.invoice, first.amount) == (sooner, Decimal(30))
    assert (second.invoice, second.amount) == (later, Decimal(30))
    sooner.refresh_from_db()
    assert (sooner.state, dues_of(later).left, stands(account)) == (InvoiceState.PAID, Decimal(20), Decimal(0))
    assert books(parties[1]) == {"tenant_receivable": Decimal(20)}
    assert due_balances(limit=10) == []
    assert apply_balance(account_id=account.pk, now=NOW) == []
    assert not wrong_in_the_books()


@pytest.mark.django_db
def test_more_that_comes_later_goes_on_where_it_stopped(parties: tuple[Organization, Organization]) -> None:
    invoice = owing("50.00", parties)
    for number in range(3):
        account = keep("20.00", parties, key=f"came {number}")
        apply_balance(account_id=account.pk, now=NOW)
    assert [payment.amount for payment in invoice.payments.order_by("reference")] == [20, 20, 10]
    assert stands(account) == Decimal(10)
    assert not wrong_in_the_books()


@pytest.mark.django_db
@pytest.mark.parametrize("state", [SettlementState.DRAFT, SettlementState.WAIT, SettlementState.COLLECT])
def test_an_invoice_that_stripe_collects_is_left_to_stripe(
    state: SettlementState, parties: tuple[Organization, Organization]
) -> None:
    owing("50.00", parties, state=state)
    account = keep("20.00", parties)
    assert due_balances(limit=10) == []
    assert apply_balance(account_id=account.pk, now=NOW) == []
    assert apply_before_push(invoice_id=Invoice.objects.get().pk, now=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_an_invoice_that_is_about_to_go_to_stripe_is_paid_first_and_stripe_asks_for_the_rest(
    double: StripeDouble,
) -> None:
    parties = make_parties()
    invoice = owing("50.00", parties, state=SettlementState.CUSTOMER)
    account = keep("20.00", parties)
    (payment,) = apply_before_push(invoice_id=invoice.pk, now=NOW)
    assert (payment.amount, stands(account)) == (Decimal(20), Decimal(0))
    assert apply_before_push(invoice_id=invoice.pk, now=NOW) == []
    assert collect(invoice, gateway_of(double), now=NOW).state == SettlementState.WAIT
    pushed = only_invoice_at(double, invoice)
    assert (pushed["status"], pushed["amount_due"]) == ("open", 3_000)
    assert not wrong_in_the_books()


@pytest.mark.django_db(transaction=True)
def test_what_a_balance_pays_whole_does_not_go_to_stripe(
    double: StripeDouble,
) -> None:
    parties = make_parties()
    invoice = owing("50.00", parties, state=SettlementState.CUSTOMER)
    account = keep("60.00", parties)
    apply_before_push(invoice_id=invoice.pk, now=NOW)
    assert collect(invoice, gateway_of(double), now=NOW).state == SettlementState.PAID
    invoice.refresh_from_db()
    assert (invoice.state, stands(account), double.state()["invoice"]) == (InvoiceState.PAID, Decimal(10), [])
    assert not wrong_in_the_books()


@pytest.mark.django_db
def test_without_a_balance_or_a_settlement_nothing_is_paid_before(parties: tuple[Organization, Organization]) -> None:
    invoice = owing("50.00", parties, state=SettlementState.CUSTOMER)
    assert apply_before_push(invoice_id=invoice.pk, now=NOW) == []
    assert apply_before_push(invoice_id=new_id(), now=NOW) == []


@pytest.mark.django_db
def test_what_one_issuer_has_pays_no_other_issuers_invoice_and_no_other_currency(
    parties: tuple[Organization, Organization],
) -> None:
    issuer, tenant = parties
    other, _ = make_parties()
    owing("50.00", (other, tenant))
    by_hand(make_issued([Line("50.00")], parties=(issuer, tenant), currency="EUR"))
    account = keep("20.00", (issuer, tenant))
    assert due_balances(limit=10) == []
    assert apply_balance(account_id=account.pk, now=NOW) == []


@pytest.mark.django_db
def test_a_provider_may_want_it_left_where_it_is(parties: tuple[Organization, Organization]) -> None:
    owing("50.00", parties)
    account = keep("20.00", parties)
    keep_policy(provider=parties[0], disputes_pause_dunning=True, applies_balances=False, by=BY, now=NOW)
    assert due_balances(limit=10) == []
    assert apply_balance(account_id=account.pk, now=NOW) == []


@pytest.mark.django_db
def test_a_payment_from_the_balance_that_is_taken_back_is_on_the_balance_again(
    parties: tuple[Organization, Organization],
) -> None:
    invoice = owing("50.00", parties)
    account = keep("60.00", parties)
    (payment,) = apply_balance(account_id=account.pk, now=NOW)
    reverse_payment(
        payment_id=payment.pk, reference="back", reason="Not meant for it", by=BY, now=NOW, amount=Decimal(15)
    )
    assert (stands(account), dues_of(invoice).left) == (Decimal(25), Decimal(15))
    assert not wrong_in_the_books()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_pay_each_invoice_once() -> None:
    parties = make_parties()
    invoices = [owing("10.00", parties) for _ in range(3)]
    account = keep("25.00", parties)

    def apply(_: int) -> None:
        try:
            apply_balance(account_id=account.pk, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(apply, range(4)))
    assert sorted(Payment.objects.values_list("amount", flat=True)) == [5, 10, 10]
    assert sum(dues_of(invoice).left for invoice in invoices) == Decimal(5)
    assert stands(account) == 0
    assert not wrong_in_the_books()
