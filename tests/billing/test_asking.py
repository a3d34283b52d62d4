"""What is asked for at Stripe: what is left, with what earlier invoices too small to charge have left."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.asking import asked_for, release, take_up, wake_small
from billing.models import CarriedDue, Collection, Invoice, InvoiceState, Payment, PaymentSource, Settlement
from billing.models import SettlementState as State
from tests.billing.collected import add_card, begin, collect, gateway_of, invoices_at, only_invoice_at, pay_by_hand
from tests.billing.issued import ISSUED_AT, Line, make_issued, make_parties
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.fakes.stripe_double.fixture import StripeDouble

LATER = ISSUED_AT + timedelta(hours=1)


def small(parties: tuple[Organization, Organization], amount: str, **more: object) -> Invoice:
    invoice = make_issued([Line(amount)], parties=parties, **more)  # type: ignore[arg-type]  # named as there
    Settlement.objects.create(invoice=invoice, state=State.BELOW_MINIMUM, next_try_at=ISSUED_AT, updated_at=ISSUED_AT)
    return invoice


parties = kept(make_parties)


@pytest.mark.django_db
def test_what_was_paid_before_is_not_asked_for() -> None:
    invoice = make_issued()
    pay_by_hand(invoice, "23.45")
    asked = asked_for(invoice)
    assert (asked.left, asked.settled, asked.total, asked.beside) == (
        Decimal("100.00"),
        Decimal("23.45"),
        Decimal("100.00"),
        Decimal("-23.45"),
    )


@pytest.mark.django_db
def test_small_ones_of_the_same_parties_and_currency_are_carried_once(
    parties: tuple[Organization, Organization],
) -> None:
    first, second = small(parties, "0.20"), small(parties, "0.10")
    small(make_parties(), "0.30")
    small(parties, "20", currency="JPY")
    invoice = make_issued(parties=parties)
    assert [one.invoice_id for one in take_up(invoice=invoice, now=LATER)] == [first.pk, second.pk]
    assert len(take_up(invoice=invoice, now=LATER)) == 2
    assert take_up(invoice=make_issued(parties=parties), now=LATER) == ()
    assert asked_for(invoice).total == Decimal("123.75")
    assert release(carrier_id=invoice.pk, now=LATER) == 2
    assert asked_for(invoice).total == Decimal("123.45")
    assert len(take_up(invoice=make_issued(parties=parties), now=LATER)) == 2


@pytest.mark.django_db
def test_small_ones_that_suffice_together_are_woken_by_the_latest(parties: tuple[Organization, Organization]) -> None:
    first = small(parties, "0.20")
    assert list(wake_small(now=LATER)) == []
    second = small(parties, "0.20", issued_at=ISSUED_AT + timedelta(seconds=1))
    assert list(wake_small(now=LATER)) == []
    third = small(parties, "0.10", issued_at=ISSUED_AT + timedelta(seconds=2))
    assert list(wake_small(now=LATER)) == [third.pk]
    assert list(wake_small(now=LATER)) == []
    states = dict(Settlement.objects.values_list("invoice_id", "state"))
    assert states == {first.pk: State.BELOW_MINIMUM, second.pk: State.BELOW_MINIMUM, third.pk: State.CUSTOMER}


@pytest.mark.django_db(transaction=True)
def test_a_small_invoice_is_paid_with_the_next_one(double: StripeDouble) -> None:
    parties = make_parties()
    carried = small(parties, "0.30")
    invoice = make_issued(parties=parties, collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(double, invoice)
    begin(invoice)
    assert collect(invoice, gateway_of(double)).state == State.PAID
    at_stripe = only_invoice_at(double, invoice)
    assert (at_stripe["total"], at_stripe["status"]) == (12_375, "paid")
    descriptions = [each["description"] for each in double.state()["line_item"] if each["invoice"] == at_stripe["id"]]
    assert f"Invoice {carried.number}, too small to be charged alone" in descriptions
    paid = dict(Payment.objects.values_list("invoice_id", "amount"))
    assert paid == {carried.pk: Decimal("0.30"), invoice.pk: Decimal("123.45")}
    assert set(Invoice.objects.values_list("state", flat=True)) == {InvoiceState.PAID}
    assert len(set(PaymentSource.objects.values_list("charge_id", flat=True))) == 1
    customers = double.state()["customer"]
    assert [each["balance"] for each in customers] == [0]


@pytest.mark.django_db(transaction=True)
def test_two_small_ones_are_charged_together(double: StripeDouble) -> None:
    parties = make_parties()
    first = small(parties, "0.30", collection=Collection.CHARGE_AUTOMATICALLY)
    second = small(parties, "0.25", collection=Collection.CHARGE_AUTOMATICALLY, issued_at=LATER)
    add_card(double, second)
    wake_small(now=LATER)
    assert collect(second, gateway_of(double), now=LATER).state == State.PAID
    assert invoices_at(double, first) == []
    assert only_invoice_at(double, second)["amount_paid"] == 55
    assert set(Invoice.objects.values_list("state", flat=True)) == {InvoiceState.PAID}


@pytest.mark.django_db(transaction=True)
def test_what_a_carrier_paid_by_hand_carried_is_free_again(double: StripeDouble) -> None:
    parties = make_parties()
    carried, invoice = small(parties, "0.30"), make_issued(parties=parties)
    begin(invoice)
    collect(invoice, gateway_of(double))
    pay_by_hand(invoice, "123.45")
    assert collect(invoice, gateway_of(double), now=LATER).state == State.PAID
    assert CarriedDue.objects.get().released_at is not None
    assert Invoice.objects.get(pk=carried.pk).state == InvoiceState.ISSUED
    assert len(take_up(invoice=make_issued(parties=parties), now=LATER)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("currency", "amount", "minor", "state"),
    [
        ("JPY", "1234", 1_234, State.WAIT),
        ("BHD", "5.120", 5_120, State.WAIT),
        ("BHD", "5.124", None, State.BY_HAND),
        ("JPY", "49", None, State.BELOW_MINIMUM),
    ],
)
def test_currencies_without_and_with_three_decimals(
    double: StripeDouble, currency: str, amount: str, minor: int | None, state: State
) -> None:
    invoice = make_issued([Line(amount)], currency=currency)
    begin(invoice)
    assert collect(invoice, gateway_of(double)).state == state
    assert [each["total"] for each in invoices_at(double, invoice)] == ([] if minor is None else [minor])
