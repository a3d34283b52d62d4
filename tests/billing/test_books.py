from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.agreeing import add_adjustment
from billing.books import CHECKS, FINDINGS_MAX, check_books
from billing.charging import ensure_periods
from billing.checkpoints import take_checkpoint
from billing.closing import close_period
from billing.collecting.movements import keep_movements
from billing.collective.gathering import due_groups, gather
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.debits import add_debit
from billing.corrections.refunds import Order, request_refund
from billing.corrections.weighing import Scope
from billing.models import (
    BalanceAccount,
    CreditReason,
    Invoice,
    IssuerSequence,
    RefundMethod,
    Settlement,
    SettlementState,
)
from billing.payments import PaymentMethod, record_payment
from billing.rating.credit import CreditWording, Grant
from billing.refilling.checks import CHECKS as REFILLING
from billing.statements.paying_out import make_payout
from billing.statements.stating import make_statement
from billing.write_offs import write_off
from metering.event_models import WaitingEvents
from metering.models import Witness
from tests.billing.banking.statements import Movement, make_account, take
from tests.billing.issued import Line, make_issued, make_parties
from tests.billing.moved import movement
from tests.billing.statements.stated import pay
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept
from tests.metering.stored import store_event

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 4, tzinfo=UTC)


def make_books(*, late: bool = False) -> World:
    """Two invoices of one issuer, with a lease, an engine's and a gateway's share; a third with late usage."""
    world = make_world(tokens={(MODEL, "input"): "0.60", (MODEL, "output"): "0.80"})
    world.lease(2, rolled_to_at=APRIL)
    engine = world.share(witness=Witness.ENGINE, rolled_to_at=APRIL)
    engine.use({"input": 5_000_000, "output": 3_000_000}, at=NOON)
    gateway = world.share(rolled_to_at=APRIL)
    store_event(gateway.tenant, NOON, model=MODEL, deployment=gateway.deployment)
    WaitingEvents.objects.all().delete()
    gateway.use({"input": 10, "output": 1}, at=NOON)
    add_adjustment(
        contract=world.contract,
        wording=CreditWording(grants=(Grant(name="gift", amount=Decimal(100), from_at=MARCH),)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Prepaid",
    )
    other = make_world(parties=(world.provider, world.tenant))
    other.lease(1, rolled_to_at=APRIL)
    for each in (world, other):
        ensure_periods(contract=each.contract, now=MARCH)
        close_period(period_id=each.period().id, now=APRIL)
    assert make_statement(provider_id=world.provider.id, currency="USD", month=MARCH.date(), now=APRIL + timedelta(1))
    if late:
        engine.use({"output": 1_000_000}, at=NOON, version=2, stored_at=APRIL + HOUR)
        close_period(period_id=world.period(APRIL).id, now=MAY)
    take_checkpoint(now=datetime.now(UTC), margin=-timedelta(seconds=5))
    keep_movements([movement("charge", 10_000, source="ch_1")], now=APRIL)
    make_account(world.provider)
    take(world.provider, Movement("5.00", "nothing known"))
    return world


books = kept(make_books)


def forge(statement: str) -> None:
    """Do what only the owner of the tables could, past the guards; the test's transaction is rolled back."""
    table = next(word for word in statement.split() if word.startswith(("billing_", "metering_")))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)
        assert cursor.rowcount > 0
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def broken() -> list[str]:
    return [check.name for check in check_books() if not check.holds]


def correct() -> None:
    """Give something of a part-paid invoice back, beyond what it has left, and write the other one off."""
    first, second = Invoice.objects.order_by("number")[:2]
    left = first.total - 1
    for invoice, amount in ((first, left), (second, Decimal(1))):
        record_payment(
            invoice_id=invoice.pk,
            method=PaymentMethod.BANK_TRANSFER,
            reference=f"of {invoice.number}",
            amount=amount,
            currency=invoice.currency,
            received_at=APRIL,
            now=APRIL,
        )
    issue_credit_note(
        invoice_id=first.pk,
        scope=Scope(amount=Decimal(3)),
        reason=CreditReason.SERVICE,
        note="Slow on two days.",
        by="petra",
        now=APRIL,
    )
    write_off(invoice_id=second.pk, reason="Insolvent", by="petra", now=APRIL)
    request_refund(
        account_id=BalanceAccount.objects.get().pk,
        order=Order(Decimal(1), RefundMethod.BANK_TRANSFER, "It was asked for."),
        by="petra",
        now=APRIL,
    )


def ask_together() -> None:
    """Ask for the first two invoices at once, as if they had waited for each other."""
    for invoice in Invoice.objects.order_by("number")[:2]:
        Settlement.objects.filter(pk=invoice.pk).update(state=SettlementState.GATHERING)
    for group in due_groups(now=MAY):
        assert gather(group=group, now=MAY, stripe_ready=False) is not None


def test_sound_books_hold_and_every_check_looked_at_something() -> None:
    world = make_books(late=True)
    ask_together()
    add_debit(
        invoice_id=Invoice.objects.order_by("number")[0].pk,
        amount=Decimal(2),
        reason="Two hours were left out",
        by="petra",
        now=MAY,
    )
    correct()
    for unpaid in Invoice.objects.filter(state="issued"):
        pay(unpaid)
    make_payout(provider_id=world.provider.id, currency="USD", by="sam", now=MAY)
    checks = check_books()
    assert [check.name for check in checks] == list(CHECKS)
    assert [check.wrong for check in checks] == [()] * len(checks)
    # Credit that is bought by itself needs Stripe, none left between two closes, and nothing was put on paper or into a
    # file for the bank: their own tests look.
    unlooked = {
        "credit that left between closes says where it went",
        "files of payouts are what they order",
        "papers are unchanged",
        *(REFILLING.keys() - {"credit that moved is booked"}),
    }
    assert {check.name for check in checks if not check.looked_at} == unlooked


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE billing_collective SET total = total + 1", "collective invoices are their parts"),
        (
            "UPDATE billing_collectivepart SET amount = amount - 1 WHERE position = 1",
            "collective invoices are their parts",
        ),
        ("UPDATE billing_collective SET number = number || '7'", "numbers of collective invoices have no gap"),
    ],
)
def test_a_planted_fault_of_a_collective_invoice_is_found(books: World, statement: str, name: str) -> None:
    ask_together()
    assert broken() == []
    forge(statement)
    assert broken() == [name]


def test_empty_books_hold() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE billing_ledgerentry SET amount = amount + 0.01 WHERE amount > 0", "every posting balances"),
        ("UPDATE billing_ledgerentry SET amount = amount + 0.01 WHERE amount > 0", "the ledger nets to zero"),
        ("UPDATE billing_ledgerposting SET provider_id = NULL", "every posting stands in one provider's book"),
        (
            "UPDATE billing_ledgerposting SET provider_id = (SELECT tenant_id FROM billing_invoice LIMIT 1)",
            "every posting stands in one provider's book",
        ),
        ("UPDATE billing_checkpointbalance SET debit = debit + 1", "checkpoints are the sums of their entries"),
        (
            "DELETE FROM billing_ledgerentry WHERE id NOT IN (SELECT entry_id FROM billing_statemententry)",
            "every posting balances",
        ),
        (
            "DELETE FROM billing_ledgerentry WHERE id NOT IN (SELECT entry_id FROM billing_statemententry)",
            "invoices are booked as receivable",
        ),
        ("UPDATE billing_invoice SET total = total + 1", "invoices are the sum of their lines"),
        ("UPDATE billing_invoice SET total = total + 1", "receivables are invoices less payments"),
        ("UPDATE billing_invoiceline SET amount = amount + 0.01", "lines are their sublines, rounded once"),
        ("UPDATE billing_invoicesubline SET quantity = quantity + 1", "lines are their sublines, rounded once"),
        (
            "UPDATE billing_invoicesubline SET exact_amount = exact_amount + 1e-18",
            "lines are their sublines, rounded once",
        ),
        ("UPDATE billing_charge SET amount = amount + 1e-18", "lines are the charges of their period"),
        ("DELETE FROM billing_charge WHERE term_kind = 'lease'", "lines are the charges of their period"),
        ("UPDATE billing_invoice SET number = 'INV-0007'  WHERE number = 'INV-0002'", "invoice numbers have no gap"),
        ("UPDATE billing_issuersequence SET next_number = 4", "invoice numbers have no gap"),
        (
            "UPDATE billing_invoiceevidence SET document = replace(document, '5000000', '5000001')",
            "evidence is unchanged and recomputes",
        ),
        ("DELETE FROM billing_invoiceevidence", "evidence is unchanged and recomputes"),
        (
            "UPDATE billing_invoice SET number = 'INV-0003' WHERE number = 'INV-0002'",
            "evidence is unchanged and recomputes",
        ),
        (
            "UPDATE billing_invoiceevidence SET document = replace(document, '5000000', '5000001'), "
            "sha256 = encode(sha256(convert_to(replace(document, '5000000', '5000001'), 'UTF8')), 'hex')",
            "evidence is unchanged and recomputes",
        ),
        ("DELETE FROM metering_eventcall", "gateway usage is the sum of its events"),
        (
            "UPDATE metering_usagehour SET value = value + 1 WHERE witness = 'gateway'",
            "gateway usage is the sum of its events",
        ),
        ("DELETE FROM metering_usagehour WHERE witness = 'gateway'", "gateway usage is the sum of its events"),
        (
            "UPDATE metering_usagehour SET value = value + 1 WHERE witness = 'engine'",
            "metered usage is the difference of its registers",
        ),
        ("UPDATE metering_meterstate SET value = value + 1", "metered usage is the difference of its registers"),
    ],
)
def test_a_forged_row_is_found(books: World, statement: str, name: str) -> None:
    forge(statement)
    assert name in broken()


def test_a_slice_with_two_holders_is_found_where_the_constraint_is_gone(books: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE clusters_allocation DROP CONSTRAINT one_slice_one_holder")
        cursor.execute(
            "INSERT INTO clusters_allocation (id, slice_id, tenant_id, from_at, to_at, created_at) "
            "SELECT gen_random_uuid(), slice_id, tenant_id, from_at + interval '1 hour', NULL, created_at "
            "FROM clusters_allocation"
        )
    assert broken() == ["no slice has two holders"]


def test_an_event_in_the_queue_is_not_expected_in_the_usage_yet(books: World) -> None:
    shared = books.share()
    store_event(shared.tenant, NOON, model=MODEL, deployment=shared.deployment)
    assert broken() == []


def test_findings_are_cut_off_and_counted() -> None:
    parties = make_parties()
    for _ in range(FINDINGS_MAX + 3):
        make_issued([Line("1.00")], parties=parties)
    forge("DELETE FROM billing_ledgerentry")
    found = next(check for check in check_books() if check.name == "invoices are booked as receivable")
    assert found.looked_at == FINDINGS_MAX + 3
    assert (len(found.wrong), found.wrong[-1]) == (FINDINGS_MAX + 1, "and 3 more")


def test_a_fee_and_a_free_invoice_leave_the_books_sound(books: World) -> None:
    free = make_world(parties=(books.provider, books.tenant))
    free.lease(1, price="0", rolled_to_at=APRIL)
    ensure_periods(contract=free.contract, now=MARCH)
    closed = close_period(period_id=free.period().id, now=APRIL)
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal(0)
    assert IssuerSequence.objects.get().next_number == 4
    assert broken() == []
