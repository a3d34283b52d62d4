"""Debits: on the next invoice once, linked, taxed by what they are, proved, and taken back while on none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, connection, transaction

from billing.adjusting.rules import set_issuing_rule
from billing.books import check_books
from billing.charging import charge_period, ensure_periods
from billing.closing import CloseState, close_period
from billing.corrections.debits import DebitBilled, NoNextInvoice, WrongDebit, add_debit, is_billed, take_back_debit
from billing.evidence import differences
from billing.models import (
    BillingPeriod,
    Charge,
    Debit,
    DebitCause,
    Invoice,
    InvoiceLine,
    InvoiceTax,
    PeriodState,
)
from billing.money import exact_sum
from billing.terminating import terminate_contract
from tenants.models import AuditEntry
from tests.billing.adjusting.back_billed import always_back_billed
from tests.billing.issued import make_issued
from tests.billing.pages.reading import text_of
from tests.billing.tax.taxed import charges_tax, stands
from tests.billing.test_closing_api import client_of, get, send
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOW = APRIL + timedelta(days=9, hours=5, minutes=3)
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@kept
def world(cast: Cast) -> World:
    """A card at 1.00 an hour; March is issued with 744.00, April runs."""
    made = make_world(parties=(cast.provider, cast.tenant))
    made.lease(1, price="1", rolled_to_at=MAY)
    ensure_periods(contract=made.contract, now=MARCH)
    assert close_period(period_id=made.period().id, now=APRIL).invoice is not None
    return made


def first() -> Invoice:
    return Invoice.objects.order_by("issued_at", "number")[0]


def debit(amount: str = "30.00", **more: object) -> Debit:
    given = {"invoice_id": first().pk, "amount": Decimal(amount), "reason": "Two hours were left out", "by": "petra"}
    return add_debit(**{**given, "now": NOW, **more})  # type: ignore[arg-type]  # named as there


def bill(world: World) -> Invoice:
    invoice = close_period(period_id=world.period(APRIL).id, now=MAY).invoice
    assert invoice is not None
    return invoice


def wrong() -> list[str]:
    return [check.name for check in check_books() if not check.holds]


def test_it_is_a_line_of_the_next_invoice_that_names_the_first(world: World) -> None:
    made = debit(position=1)
    charge_period(period_id=world.period(APRIL).id, up_to=NOW + timedelta(hours=2), now=NOW + timedelta(hours=2))
    assert Charge.objects.filter(term_ref=made.term.ref).count() == 1
    invoice = bill(world)
    line = InvoiceLine.objects.get(invoice=invoice, term_ref=made.term.ref)
    assert (line.amount, line.rule) == (Decimal("30.0000"), "debit_correction")
    assert str(first().number) in line.description
    assert invoice.subtotal == Decimal("750.0000")
    assert differences(json.loads(invoice.evidence.document)) == []
    assert wrong() == []
    audit = AuditEntry.objects.get(action="debit.added")
    assert audit.after == {"amount": "30.00", "currency": "USD", "cause": "correction", "reason": made.reason}
    assert made.line == InvoiceLine.objects.get(invoice=first(), position=1)


def test_a_late_fee_bears_no_tax_and_a_correction_does(cast: Cast) -> None:
    charges_tax(cast.provider)
    for organization in (cast.provider, cast.tenant):
        stands(organization, "DE")
    world = make_world(parties=(cast.provider, cast.tenant), currency="EUR")
    world.lease(1, price="1", rolled_to_at=MAY)
    ensure_periods(contract=world.contract, now=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    debit("30.00")
    debit("40.00", cause=DebitCause.LATE_FEE, reason="Not paid")
    invoice = bill(world)
    rates = {rate.category: rate.taxable for rate in InvoiceTax.objects.filter(invoice=invoice)}
    assert rates == {"S": Decimal("750.0000"), "E": Decimal("40.0000")}
    assert invoice.tax == Decimal("142.5000")
    assert wrong() == []


def test_it_is_taken_back_while_it_is_on_no_invoice(world: World) -> None:
    made = debit()
    later = NOW + timedelta(hours=3)
    charge_period(period_id=world.period(APRIL).id, up_to=later, now=later)
    take_back_debit(debit_id=made.pk, reason="It was not", by="petra", now=later)
    with pytest.raises(DebitBilled):
        take_back_debit(debit_id=made.pk, reason="Again", by="petra", now=later)
    invoice = bill(world)
    assert invoice.subtotal == Decimal("720.0000")
    booked = Charge.objects.filter(term_ref=made.term.ref).values_list("amount", flat=True)
    assert exact_sum(booked) == 0
    assert wrong() == []


def test_one_that_is_billed_is_given_back_by_a_credit_note_alone(world: World) -> None:
    made = debit()
    bill(world)
    with pytest.raises(DebitBilled, match="credit note"):
        take_back_debit(debit_id=made.pk, reason="It was not", by="petra", now=MAY)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "Infinity"])
def test_an_amount_that_cannot_be_is_refused(world: World, amount: str) -> None:
    with pytest.raises(WrongDebit, match="amount: expected more than 0"):
        debit(amount)
    assert not Debit.objects.exists()


def test_a_reason_and_a_line_must_be_there(world: World) -> None:
    for more in ({"reason": " "}, {"reason": "x" * 201}, {"position": 99}):
        with pytest.raises(WrongDebit):
            debit(**more)
    assert not Debit.objects.exists()


def over(world: World) -> None:
    """April closes with 720.00, and with it the contract is over."""
    terminate_contract(contract=world.contract, at=MAY, now=NOW)
    assert close_period(period_id=world.period(APRIL).id, now=MAY).invoice is not None


def test_a_correction_of_a_contract_that_is_over_is_on_a_last_invoice(world: World) -> None:
    over(world)
    at = MAY + timedelta(days=9, hours=5, minutes=3)
    made = debit(now=at)
    debit("12.00", now=at + timedelta(days=1), reason="And one more")
    last = world.period(MAY)
    assert (last.to_at, last.state) == (JUNE, PeriodState.OPEN)
    closed = close_period(period_id=last.id, now=JUNE)
    assert closed.invoice is not None
    lines = closed.invoice.lines.order_by("position")
    assert [(line.rule, line.amount) for line in lines] == [
        ("debit_correction", Decimal(30)),
        ("debit_correction", Decimal(12)),
    ]
    assert differences(json.loads(closed.invoice.evidence.document)) == []
    assert str(first().number) in lines[0].description
    assert is_billed(made)
    assert ensure_periods(contract=world.contract, now=JUNE) == []
    assert not BillingPeriod.objects.filter(state=PeriodState.OPEN).exists()
    assert wrong() == []


def test_one_of_a_contract_that_is_over_can_be_taken_back_and_then_no_invoice_comes(world: World) -> None:
    over(world)
    made = debit(now=MAY + timedelta(days=9))
    take_back_debit(debit_id=made.pk, reason="It was not", by="petra", now=MAY + timedelta(days=10))
    closed = close_period(period_id=world.period(MAY).id, now=JUNE)
    assert (closed.state, closed.invoice) == (CloseState.CLOSED, None)
    assert wrong() == []


def test_a_correction_stands_on_the_last_invoice_too_while_the_contracts_own_last_one_waits(world: World) -> None:
    terminate_contract(contract=world.contract, at=MAY, now=NOW)
    debit(now=MAY + timedelta(hours=3))
    own = close_period(period_id=world.period(APRIL).id, now=MAY + timedelta(hours=4)).invoice
    assert own is not None
    assert own.subtotal == Decimal("720.0000")
    closed = close_period(period_id=world.period(MAY).id, now=JUNE)
    assert closed.invoice is not None
    assert closed.invoice.subtotal == Decimal("30.0000")
    assert wrong() == []


def test_a_correction_of_a_contract_that_is_terminated_and_runs_is_on_its_next_invoice(world: World) -> None:
    terminate_contract(contract=world.contract, at=MAY, now=NOW)
    debit(now=NOW + timedelta(hours=1))
    assert bill(world).subtotal == Decimal("750.0000")


def test_a_late_fee_on_a_contract_that_is_over_is_refused(world: World) -> None:
    over(world)
    with pytest.raises(NoNextInvoice, match="is not in force"):
        debit(cause=DebitCause.LATE_FEE, now=MAY + timedelta(days=9))
    assert not Debit.objects.exists()
    assert not BillingPeriod.objects.filter(from_at=MAY).exists()


def test_more_of_a_period_long_over_is_not_billed_but_a_late_fee_of_it_is(world: World, cast: Cast) -> None:
    set_issuing_rule(provider=cast.provider, back_billing_months=0, approves=False, actor="petra", now=APRIL)
    with pytest.raises(NoNextInvoice):
        debit()
    assert debit(cause=DebitCause.LATE_FEE).cause == DebitCause.LATE_FEE


def test_a_draft_bears_none() -> None:
    voided = make_issued()
    Invoice.objects.filter(pk=voided.pk).update(state="void")
    with pytest.raises(NoNextInvoice):
        debit(invoice_id=voided.pk)


@pytest.mark.parametrize("table", ["billing_debit", "billing_debittakenback"])
def test_what_was_said_does_not_change(world: World, table: str) -> None:
    made = debit()
    take_back_debit(debit_id=made.pk, reason="It was not", by="petra", now=NOW)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET reason = 'other'")


def test_a_debit_that_no_bill_has_is_found(world: World) -> None:
    debit()
    bill(world)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_debit DISABLE TRIGGER USER")
        cursor.execute("UPDATE billing_debit SET amount = amount + 1")
    assert wrong() == ["debits are billed as they stand"]


def test_the_issuer_adds_and_takes_back_over_http_and_both_read(world: World) -> None:
    always_back_billed(world.provider)
    provider, tenant = client_of(world.provider), client_of(world.tenant)
    address, body = f"invoices/{first().pk}/debits", {"amount": "30.00", "reason": "Two hours", "line": 1}
    send(tenant, "post", address, body, 404)
    made = send(provider, "post", address, body, 201)
    assert (made["amount"], made["state"], made["line"], made["cause"]) == ("30.00", "open", 1, "correction")
    assert send(provider, "post", address, {**body, "line": 9}, 422)["code"] == "wrong_debit"
    for client in (provider, tenant):
        assert [one["id"] for one in get(client, "debits")["debits"]] == [made["id"]]
    back = f"debits/{made['id']}/take-back"
    send(tenant, "post", back, {"reason": "No"}, 404)
    assert send(provider, "post", back, {"reason": "It was not"})["state"] == "taken_back"
    assert send(provider, "post", back, {"reason": "Again"}, 409)["code"] == "debit_billed"


def test_the_page_of_corrections_puts_it_on_the_draft(cast: Cast, client: Client, world: World) -> None:
    always_back_billed(world.provider)
    client.force_login(cast.petra)
    address = f"/p/invoices/{first().number}/correct/"
    assert client.get(address).status_code == 200
    answer = client.post(address, {"action": "debit", "debit": "30", "reason": "Two hours"}, follow=True)
    shown = text_of(answer)
    assert "It stands on the draft of the contract of" in shown
    assert "$30.00, Two hours on the draft" in shown
    assert client.post(address, {"action": "debit", "debit": "", "reason": "Two hours"}).status_code == 422
