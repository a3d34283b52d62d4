"""Invoices put together: once, whole, gapless, one collection at Stripe, one transfer at the bank."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, connection, transaction

from billing.asking import asked_for
from billing.banking.candidates import proposals_for
from billing.banking.matching import Rule
from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.collective.gathering import WAITS_MAX, due_groups, gather
from billing.collective.tasks import gather_invoices
from billing.corrections.voiding import void_invoice
from billing.documents.making import make_documents
from billing.dues import dues_of
from billing.models import (
    BankAccount,
    BillingPeriod,
    CarriedDue,
    Collection,
    Collective,
    CollectivePart,
    DocumentFile,
    Invoice,
    InvoiceState,
    PeriodState,
    Settlement,
)
from billing.models import SettlementState as State
from billing.payment_references import payment_reference
from billing.settlement import settle
from tenants.models import AuditEntry, Organization
from tests.billing.banking.statements import Movement, make_account, take_one
from tests.billing.collected import add_card, collect, gateway_of, invoices_at, only_invoice_at, pay_by_hand
from tests.billing.collective.gathered import LATER, asks_together, gathered, state_of, waits
from tests.billing.issued import ISSUED_AT, TO_AT, make_parties
from tests.billing.world import APRIL, MARCH, make_world
from tests.factories import make_contract, make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble


def names(holds: str) -> list[str]:
    return [check.name for check in check_books() if holds in check.name and not check.holds]


parties = kept(make_parties)


@kept
def account(cast: Cast) -> BankAccount:
    return make_account(cast.provider)


@pytest.mark.django_db
def test_invoices_of_two_contracts_are_asked_for_once_with_one_number_sum_and_day(
    parties: tuple[Organization, Organization],
) -> None:
    first, second = waits(parties, "100.00"), waits(parties, "23.45", minutes=5)
    waits(make_parties(), "5.00")
    waits(parties, "70", currency="JPY")
    for group in due_groups(now=LATER):
        gather(group=group, now=LATER, stripe_ready=False)
    made = Collective.objects.get()
    assert (made.number[:3], made.total, made.currency, made.issued_at) == ("COL", Decimal("123.45"), "USD", LATER)
    assert made.due_at == second.due_at
    assert list(made.parts.order_by("position").values_list("invoice_id", "amount")) == [
        (first.pk, Decimal("100.00")),
        (second.pk, Decimal("23.45")),
    ]
    assert set(Settlement.objects.values_list("state", flat=True)) == {State.BY_HAND}
    assert not CarriedDue.objects.exists()
    assert due_groups(now=LATER) == []
    assert AuditEntry.objects.get(action="collective.made").after == {
        "invoices": [first.number, second.number],
        "total": "123.45",
        "currency": "USD",
    }
    assert names("collective") == []


@pytest.mark.django_db
def test_a_second_one_has_the_next_number_and_takes_only_what_came_since(
    parties: tuple[Organization, Organization],
) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    first = gathered()
    waits(parties, "3.00"), waits(parties, "4.00")
    second = gathered()
    assert (first.number[-4:], second.number[-4:]) == ("0001", "0002")
    assert second.total == Decimal("7.00")


@pytest.mark.django_db
def test_what_still_closes_is_waited_for_but_not_for_ever(parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    contract = make_contract(*parties, make_price_book(parties[0]))
    open_one = BillingPeriod.objects.create(contract=contract, from_at=TO_AT - timedelta(days=31), to_at=TO_AT)
    assert due_groups(now=LATER) == []
    assert len(due_groups(now=ISSUED_AT + WAITS_MAX)) == 1
    BillingPeriod.objects.filter(pk=open_one.pk).update(state=PeriodState.CLOSED)
    assert len(due_groups(now=LATER)) == 1


@pytest.mark.django_db
def test_one_alone_is_collected_by_itself_and_what_was_paid_or_voided_is_left_out(
    parties: tuple[Organization, Organization],
) -> None:
    paid, voided, alone = (waits(parties, amount) for amount in ("1.00", "2.00", "3.00"))
    pay_by_hand(paid, "1.00")
    void_invoice(invoice_id=voided.pk, reason="wrong", by="petra", now=LATER)
    [group] = due_groups(now=LATER)
    assert gather(group=group, now=LATER, stripe_ready=True) is None
    assert [state_of(one) for one in (paid, voided, alone)] == [State.PAID, State.BY_HAND, State.CUSTOMER]
    assert due_groups(now=LATER) == []


@pytest.mark.django_db
def test_a_period_that_closes_waits_only_where_it_was_said_so(cast: Cast) -> None:
    worlds = [make_world(parties=(cast.provider, cast.tenant)) for _ in range(2)]
    asks_together(cast.provider, cast.tenant)
    for world in worlds:
        world.lease(1, price="1", rolled_to_at=APRIL)
        ensure_periods(contract=world.contract, now=MARCH)
        invoice = close_period(period_id=world.period().id, now=APRIL).invoice
        assert invoice is not None
        assert state_of(invoice) == State.GATHERING
    gather_invoices()
    made = Collective.objects.get()
    assert (made.total, made.parts.count()) == (Decimal("1488.00"), 2)
    assert [check.name for check in check_books() if not check.holds] == []


@pytest.mark.django_db
def test_the_paper_names_every_invoice_and_one_reference(parties: tuple[Organization, Organization]) -> None:
    waits(parties, "100.00"), waits(parties, "23.45")
    made = gathered()
    assert make_documents(subject_id=made.pk, public_url="https://bills.example", now=LATER)
    file = DocumentFile.objects.get(step_id=made.pk)
    assert (file.name, bytes(file.body)[:5]) == (f"collective-{made.number}.pdf", b"%PDF-")


@pytest.mark.django_db
def test_one_transfer_that_names_it_pays_all_of_its_invoices(cast: Cast, account: BankAccount) -> None:
    first, second = (waits((cast.provider, cast.tenant), amount) for amount in ("100.00", "23.45"))
    made = gathered()
    for text in (made.number, payment_reference(made.number), f"Rechnung {made.number.lower()} danke"):
        line = take_one(account.provider, Movement("123.45", text, f"A{text[:9]}"))
        proposals = proposals_for(line, line.amount)
        assert [one.rule for one in proposals] == [Rule.NAMED], text
        assert {part.invoice_id for part in proposals[0].parts} == {first.pk, second.pk}


@pytest.mark.django_db
def test_its_number_names_no_invoice_of_the_same_digits(cast: Cast, account: BankAccount) -> None:
    waits((cast.provider, cast.tenant), "100.00"), waits((cast.provider, cast.tenant), "23.45")
    made = gathered()
    other = waits((cast.provider, cast.tenant), "7.00")
    assert str(other.number) not in made.number
    line = take_one(account.provider, Movement("7.00", made.number, "A1"))
    assert other.pk not in {part.invoice_id for one in proposals_for(line, line.amount) for part in one.parts}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_collective SET total = total + 1",
        "DELETE FROM billing_collectivepart",
        "UPDATE billing_collectivepart SET amount = amount / 2",
    ],
)
def test_what_was_asked_for_does_not_change(sql: str, parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    gathered()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db
def test_the_database_refuses_parts_of_others(parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    made = gathered()
    for stranger in (waits(make_parties(), "3.00"), waits(parties, "3", currency="JPY")):
        with pytest.raises(IntegrityError, match="is no part of collective invoice"), transaction.atomic():
            CollectivePart.objects.create(collective=made, invoice=stranger, position=3, amount=Decimal(1))


@pytest.mark.django_db
def test_a_sum_that_does_not_fit_its_parts_is_found(parties: tuple[Organization, Organization]) -> None:
    waits(parties, "1.00"), waits(parties, "2.00")
    gathered()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_collective DISABLE TRIGGER USER")
        cursor.execute("UPDATE billing_collective SET total = 4, number = number || '9'")
    assert names("collective") == [
        "collective invoices are their parts",
        "numbers of collective invoices have no gap",
    ]


@pytest.mark.django_db(transaction=True)
def test_stripe_is_asked_once_and_its_payment_pays_every_part(double: StripeDouble) -> None:
    parties = make_parties()
    by_card = Collection.CHARGE_AUTOMATICALLY
    first = waits(parties, "100.00", collection=by_card)
    last = waits(parties, "23.45", minutes=5, collection=by_card)
    made = gathered(stripe=True)
    assert (state_of(first), state_of(last)) == (State.TOGETHER, State.CUSTOMER)
    add_card(double, last)
    assert collect(last, gateway_of(double), now=LATER).state == State.PAID
    at_stripe = only_invoice_at(double, last)
    assert (at_stripe["total"], at_stripe["status"]) == (12_345, "paid")
    assert invoices_at(double, first) == []
    descriptions = [each["description"] for each in double.state()["line_item"] if each["invoice"] == at_stripe["id"]]
    assert f"Invoice {first.number}, of collective invoice {made.number}" in descriptions
    assert set(Invoice.objects.values_list("state", flat=True)) == {InvoiceState.PAID}
    assert (state_of(first), state_of(last)) == (State.PAID, State.PAID)
    assert names("receivables") == []


@pytest.mark.django_db(transaction=True)
def test_what_was_paid_by_transfer_meanwhile_is_asked_for_no_more(double: StripeDouble) -> None:
    parties = make_parties()
    first, last = waits(parties, "100.00"), waits(parties, "23.45", minutes=5)
    gathered(stripe=True)
    gateway = gateway_of(double)
    collect(last, gateway, now=LATER)
    assert only_invoice_at(double, last)["amount_remaining"] == 12_345
    pay_by_hand(first, "60.00")
    Settlement.objects.filter(pk=last.pk).update(next_try_at=LATER)
    settle(invoice_id=last.pk, gateway=gateway, now=LATER)
    assert only_invoice_at(double, last)["amount_remaining"] == 6_345
    assert asked_for(last).total == Decimal("63.45")
    pay_by_hand_again = dues_of(first).left
    assert pay_by_hand_again == Decimal("40.00")


@pytest.mark.django_db(transaction=True)
def test_where_the_latest_is_paid_by_hand_the_others_are_asked_for_by_themselves(double: StripeDouble) -> None:
    parties = make_parties()
    first, last = waits(parties, "100.00"), waits(parties, "23.45", minutes=5)
    gathered(stripe=True)
    gateway = gateway_of(double)
    collect(last, gateway, now=LATER)
    pay_by_hand(last, "23.45")
    assert collect(last, gateway, now=LATER).state == State.PAID
    assert state_of(first) == State.CUSTOMER
    collect(first, gateway, now=LATER)
    assert only_invoice_at(double, first)["amount_remaining"] == 10_000
