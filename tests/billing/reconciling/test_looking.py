"""Planted differences are found, each has its way out, and a later look says that it is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction

from billing.books import check_books
from billing.dues import dues_of
from billing.ledger import balance
from billing.models import (
    AccountKind,
    Collection,
    CreditMovement,
    Difference,
    Invoice,
    InvoiceState,
    Payment,
    Payout,
    PayoutMethod,
    PayoutState,
    Reconciliation,
    Settlement,
    StripeCustomer,
    StripeEvent,
    StripeIntent,
    StripeMovement,
    StripePayee,
    TopUp,
)
from billing.models import SettlementState as State
from billing.payments import PaymentMethod, record_payment
from billing.reconciling.booking import NothingToBook
from billing.reconciling.looking import begin, look
from billing.reconciling.settling import AlreadySettled, NoSuchWay, settle_difference
from billing.stripe_answers import StripeUnavailable
from tests.billing.collected import add_card, collect, gateway_of, only_invoice_at
from tests.billing.collected import begin as begin_settlement
from tests.billing.issued import make_issued
from tests.billing.stripe_gateway.paid import charged
from tests.billing.test_credits import prepaid_world
from tests.billing.topups.prepaid import bought
from tests.billing.world import MARCH
from tests.factories import make_organization
from tests.fakes.stripe_double.inbox import webhook_inbox

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
BY = "owen@operator.example"


def clock() -> datetime:
    """Beyond what may still be on its way; the double has the real clock."""
    return datetime.now(UTC) + timedelta(minutes=15)


@pytest.fixture
def operator() -> Organization:
    return make_organization("operator", is_operator=True, is_tenant=False, is_provider=False)


def paid(double: StripeDouble, currency: str = "USD") -> Invoice:
    """An invoice that was pushed and paid by card, now."""
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY, issued_at=datetime.now(UTC), currency=currency)
    add_card(double, invoice)
    begin_settlement(invoice)
    collect(invoice, gateway_of(double), now=datetime.now(UTC))
    invoice.refresh_from_db()
    return invoice


def pushed(double: StripeDouble) -> Invoice:
    invoice = make_issued(issued_at=datetime.now(UTC))
    begin_settlement(invoice)
    collect(invoice, gateway_of(double), now=datetime.now(UTC))
    return invoice


def looked(double: StripeDouble) -> dict[str, Difference]:
    """What differs now, by kind."""
    now = clock()
    run = begin(by=BY, now=now)
    assert run is not None
    look(run=run, gateway=gateway_of(double), now=now)
    return {one.kind: one for one in Difference.objects.filter(settled_at__isnull=True)}


def settle(double: StripeDouble, difference: Difference, way: str, note: str = "") -> Difference:
    return settle_difference(
        difference_id=difference.pk, way=way, note=note, by=BY, gateway=gateway_of(double), now=clock()
    )


def plant(table: str, sql: str) -> None:
    """Plant a bug behind the guards."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled = 'O'"
            " AND tgname NOT LIKE '%%no_truncate'",
            [table],
        )
        guards = [name for (name,) in cursor.fetchall()]
        for guard in guards:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
        cursor.execute(f"UPDATE {table} SET {sql}")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for guard in guards:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {guard}")


def test_sound_books_differ_in_nothing_and_fees_are_booked(double: StripeDouble, operator: Organization) -> None:
    double.funds(fee_basis_points=150, fee_fixed=25)
    invoice = paid(double)
    assert looked(double) == {}
    (movement,) = StripeMovement.objects.all()
    assert (movement.kind, movement.amount, movement.fee, movement.net) == (
        "charge",
        Decimal("123.45"),
        Decimal("2.11"),
        Decimal("121.34"),
    )
    fees = balance(organization_id=operator.pk, kind=AccountKind.STRIPE_FEES, currency=invoice.currency)
    assert fees == Decimal("2.11")
    double.pay_out("usd")
    assert looked(double) == {}
    bank = balance(organization_id=operator.pk, kind=AccountKind.BANK_CLEARING, currency=invoice.currency)
    assert bank == Decimal("121.34")
    run = Reconciliation.objects.latest("started_at")
    assert (run.found, run.looked_at["invoices"], run.looked_at["movements"]) == (0, 1, 2)
    double.funds(fee_basis_points=0, fee_fixed=0)


def test_a_lost_payment_is_found_and_booked(double: StripeDouble, operator: Organization) -> None:
    invoice = pushed(double)
    double.pay(Settlement.objects.get().stripe_invoice_id)
    found = looked(double)
    assert set(found) == {"invoice_paid", "charge_unbooked", "balance"}
    assert found["invoice_paid"].invoice_id == invoice.pk
    settle(double, found["charge_unbooked"], "book")
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.PAID
    assert looked(double) == {}
    ways = dict(Difference.objects.values_list("kind", "way"))
    assert ways == {"invoice_paid": "gone", "charge_unbooked": "book", "balance": "gone"}


def test_a_charge_of_nothing_of_ours_is_accepted_with_a_reason(double: StripeDouble, operator: Organization) -> None:
    gateway = gateway_of(double)
    charged(gateway, gateway.create_customer("someone", "Someone", "a@b.example", "cust:someone"))
    found = looked(double)
    assert set(found) == {"charge_unbooked", "balance"}
    with pytest.raises(NoSuchWay, match="book it by hand"):
        settle(double, found["charge_unbooked"], "book")
    with pytest.raises(NoSuchWay, match="say why"):
        settle(double, found["charge_unbooked"], "accept", "  ")
    with pytest.raises(NoSuchWay, match="Expected one of book, accept"):
        settle(double, found["charge_unbooked"], "push")
    settle(double, found["charge_unbooked"], "accept", "a test of the shop")
    with pytest.raises(AlreadySettled):
        settle(double, found["charge_unbooked"], "accept", "again")
    assert set(looked(double)) == {"balance"}


def test_an_accepted_difference_that_changes_opens_again(double: StripeDouble, operator: Organization) -> None:
    double.top_up(500, "usd")
    assert looked(double) == {}
    gateway = gateway_of(double)
    customer = gateway.create_customer("someone", "Someone", "a@b.example", "cust:someone")
    double.client().v1.customers.update(customer, {"balance": -700})
    settle(double, looked(double)["customer_balance"], "accept", "known")
    assert looked(double) == {}
    double.client().v1.customers.update(customer, {"balance": -800})
    again = looked(double)["customer_balance"]
    assert (again.ours, again.theirs) == ("0 minor units", "-800 minor units"), "Stripe names no currency of it"
    assert again.their_side == {"number": "", "state": "", "amount_minor": -800, "total_minor": None, "currency": ""}


def test_a_payment_without_a_charge_is_found_and_taken_back(double: StripeDouble, operator: Organization) -> None:
    invoice = make_issued(issued_at=datetime.now(UTC))
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.STRIPE,
        reference="inpay_invented",
        amount=invoice.total,
        currency=invoice.currency,
        received_at=datetime.now(UTC),
        now=datetime.now(UTC),
    )
    found = looked(double)
    assert set(found) == {"payment_gone", "balance"}
    settle(double, found["payment_gone"], "take_back")
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.ISSUED
    assert "balance" not in looked(double)


def test_a_payment_booked_twice_is_found(double: StripeDouble, operator: Organization) -> None:
    invoice = paid(double)
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.STRIPE,
        reference="inpay_again",
        amount=Decimal("123.45"),
        currency="USD",
        received_at=datetime.now(UTC),
        now=datetime.now(UTC),
    )
    assert set(looked(double)) == {"payment_gone", "balance"}


def test_an_invoice_that_is_gone_is_pushed_again(double: StripeDouble, operator: Organization) -> None:
    invoice = pushed(double)
    double.reset()
    StripeCustomer.objects.all().delete()
    StripeIntent.objects.all().delete()
    found = looked(double)
    assert set(found) == {"invoice_gone"}
    settle(double, found["invoice_gone"], "push")
    assert collect(invoice, gateway_of(double), now=clock()).state == State.WAIT
    assert only_invoice_at(double, invoice)["status"] == "open"
    assert looked(double) == {}


def test_an_invoice_of_nobody_is_closed_at_stripe(double: StripeDouble, operator: Organization) -> None:
    client = double.client()
    customer = client.v1.customers.create({"name": "Someone"})
    made = client.v1.invoices.create({"customer": customer.id, "currency": "usd", "number": "X-1"})
    client.v1.invoices.add_lines(made.id, {"lines": [{"amount": 900}]})
    client.v1.invoices.finalize_invoice(made.id)
    found = looked(double)
    assert set(found) == {"invoice_unknown"}
    assert found["invoice_unknown"].theirs == "X-1, open, 0.00 of 9.00 USD paid"
    settle(double, found["invoice_unknown"], "close")
    assert client.v1.invoices.retrieve(made.id).status == "void"
    assert looked(double) == {}


def test_what_is_settled_here_and_open_there_is_closed_there(double: StripeDouble, operator: Organization) -> None:
    invoice = pushed(double)
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference="bank 1",
        amount=invoice.total,
        currency="USD",
        received_at=datetime.now(UTC),
        now=datetime.now(UTC),
    )
    Settlement.objects.update(state=State.PAID)
    found = looked(double)
    assert set(found) == {"invoice_open"}
    settle(double, found["invoice_open"], "close")
    collect(invoice, gateway_of(double), now=clock())
    assert only_invoice_at(double, invoice)["status"] == "paid"
    assert looked(double) == {}


def test_another_amount_of_a_charge_and_another_number_are_found(double: StripeDouble, operator: Organization) -> None:
    invoice = paid(double)
    plant("billing_payment", "amount = amount - 1")
    plant("billing_invoice", "number = 'S-999999'")
    found = looked(double)
    assert set(found) == {"charge_amount", "invoice_amount"}
    assert (found["charge_amount"].ours, found["charge_amount"].invoice_id) == ("122.45 USD", invoice.pk)


def test_refunds_and_transfers_that_nobody_booked_are_found(double: StripeDouble, operator: Organization) -> None:
    invoice = paid(double)
    gateway = gateway_of(double)
    (intent,) = [one["id"] for one in double.state()["payment_intent"]]
    gateway.refund(payment_intent_id=intent, amount_minor=100, reference="by hand", idempotency_key="r")
    account = gateway.create_account(organization_id="x", country="US", email="a@b.example", idempotency_key="a").id
    double.onboard(account)
    gateway.transfer(
        account_id=account, amount_minor=50, currency="USD", group="g", reference="by hand", idempotency_key="t"
    )
    found = looked(double)
    assert set(found) == {"refund_unbooked", "transfer_unbooked", "balance"}
    balance_off = found["balance"]
    assert (balance_off.ours, balance_off.theirs, balance_off.stripe_id) == ("123.45 USD", "121.95 USD", "USD -1.50")
    settle(double, found["refund_unbooked"], "book")
    with pytest.raises(NothingToBook, match="no provider's here"):
        settle(double, found["transfer_unbooked"], "book")
    StripePayee.objects.create(provider=invoice.issuer, account_id=account, created_at=clock(), seen_at=clock())
    settle(double, found["transfer_unbooked"], "book")
    assert looked(double) == {}
    invoice.refresh_from_db()
    assert (invoice.state, dues_of(invoice).left) == (InvoiceState.ISSUED, Decimal("1.00"))
    payout = Payout.objects.get()
    assert (payout.state, payout.amount, payout.method) == (PayoutState.PAID, Decimal("0.50"), PayoutMethod.STRIPE)


def test_a_refund_by_hand_of_bought_credit_is_booked_and_differs_no_more(
    double: StripeDouble, operator: Organization
) -> None:
    gateway = gateway_of(double)
    customer = gateway.create_customer("someone", "Someone", "a@b.example", "cust:someone")
    intent = charged(gateway, customer, currency="USD").id
    _, _, term = prepaid_world()
    bought(term, "100", at=MARCH, intent=intent)
    TopUp.objects.update(charge_id=double.state()["charge"][0]["id"])
    assert looked(double) == {}
    gateway.refund(payment_intent_id=intent, amount_minor=100, reference="by hand", idempotency_key="r")
    found = looked(double)
    assert set(found) == {"refund_unbooked", "balance"}
    settle(double, found["refund_unbooked"], "book")
    assert CreditMovement.objects.get().amount == Decimal("1.00")
    assert looked(double) == {}
    assert "credit that left between closes says where it went" not in {
        one.name for one in check_books() if not one.holds
    }


def test_a_balance_that_is_off_as_before_stays_accepted_while_money_moves(
    double: StripeDouble, operator: Organization
) -> None:
    gateway = gateway_of(double)
    charged(gateway, gateway.create_customer("someone", "Someone", "a@b.example", "cust:someone"))
    for difference in looked(double).values():
        settle(double, difference, "accept", "a test of the shop")
    accepted = Difference.objects.get(kind="balance")
    paid(double, "EUR")
    assert looked(double) == {}
    moved = Difference.objects.get(kind="balance")
    assert (moved.way, moved.stripe_id) == ("accept", accepted.stripe_id)
    assert (moved.ours, moved.theirs) != (accepted.ours, accepted.theirs), "money moved on both sides of it"
    charged(gateway, gateway.create_customer("another", "Another", "a@b.example", "cust:another"))
    assert set(looked(double)) == {"charge_unbooked", "balance"}


def test_lost_webhooks_are_fetched_and_lost_disputes_booked(double: StripeDouble, operator: Organization) -> None:
    with webhook_inbox() as inbox:
        double.deliver_to(inbox.url, "whsec_x", "held")
        invoice = paid(double)
        (charge,) = [one["id"] for one in double.state()["charge"] if one["paid"]]
        double.dispute(charge)
        looked(double)
        assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.ISSUED
        missed = set(StripeEvent.objects.values_list("type", flat=True))
        assert {"invoice.paid", "charge.dispute.created"} <= missed
        assert looked(double) == {}
        double.reset()


@pytest.mark.parametrize("fault", [{"kind": "drop", "times": 9}, {"status": 500, "times": 9}])
def test_a_look_that_finds_stripe_away_settles_nothing(
    double: StripeDouble, operator: Organization, fault: dict[str, Any]
) -> None:
    invoice = pushed(double)
    double.pay(Settlement.objects.get().stripe_invoice_id)
    before = set(looked(double))
    double.faults(fault)
    run = begin(by=BY, now=clock())
    assert run is not None
    with pytest.raises(StripeUnavailable):
        look(run=run, gateway=gateway_of(double), now=clock())
    run.refresh_from_db()
    assert (run.finished_at, bool(run.error)) == (None, True)
    assert set(Difference.objects.filter(settled_at__isnull=True).values_list("kind", flat=True)) == before
    double.clear_faults()
    assert set(looked(double)) == before
    assert not Payment.objects.filter(invoice=invoice).exists()


def test_a_night_has_one_look_and_a_killed_one_is_taken_over() -> None:
    now = datetime(2026, 4, 3, 3, tzinfo=UTC)
    first = begin(by="night", now=now, day=now.date())
    assert first is not None
    assert begin(by="night", now=now + timedelta(minutes=20), day=now.date()) is None
    again = begin(by="night", now=now + timedelta(hours=2), day=now.date())
    assert again is not None
    assert (again.pk, again.started_at) == (first.pk, now + timedelta(hours=2))
    Reconciliation.objects.update(finished_at=now)
    assert begin(by="night", now=now + timedelta(hours=9), day=now.date()) is None
    assert begin(by="night", now=now + timedelta(days=1), day=now.date() + timedelta(days=1)) is not None


def test_looks_go_back_to_the_oldest_open_difference() -> None:
    now = datetime(2026, 4, 3, 3, tzinfo=UTC)
    long_ago = now - timedelta(days=90)
    Difference.objects.create(
        kind="balance", stripe_id="EUR", object_at=long_ago, first_seen_at=long_ago, last_seen_at=long_ago
    )
    run = begin(by=BY, now=now)
    assert run is not None
    assert run.from_at == long_ago
