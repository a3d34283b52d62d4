"""Making statements: when, of what, once, and frozen."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.ledger import Entry, balance, post
from billing.models import AccountKind, Invoice, LedgerEntry, ProviderStatement, StatementEntry, StatementSequence
from billing.payments import PaymentMethod, record_payment
from billing.statements.document import differences
from billing.statements.months import over_at
from billing.statements.stating import WAIT, Due, due_statements, make_statement
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.billing.statements.stated import (
    APRIL_MONTH,
    MARCH_MONTH,
    STATED_AT,
    broken,
    close_march,
    make_month,
    state_march,
    stated_march,
)
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db


def correct(world: World, amount: str, *, key: str = "correction", at: object = APRIL) -> None:
    """Take something back of what the provider earned, as a credit note does."""
    sides = (
        Entry(world.provider.id, AccountKind.PROVIDER_PAYABLE, "USD", Decimal(amount)),
        Entry(world.tenant.id, AccountKind.TENANT_RECEIVABLE, "USD", -Decimal(amount)),
    )
    post(key=key, cause="credit_note", cause_id=new_id(), memo="Correction", at=at, entries=sides)  # type: ignore[arg-type]


world = kept(make_month)
march = kept(close_march)


@kept
def stated(world: World, march: Invoice) -> ProviderStatement:
    statement = state_march(world)
    assert march.total
    assert statement is not None
    return statement


def test_a_statement_says_what_was_earned_and_is_owed(world: World, stated: ProviderStatement) -> None:
    statement = stated
    assert statement.number == "STM-0001"
    assert (statement.opening, statement.earned, statement.closing) == (
        Decimal(0),
        Decimal("1663.83"),
        Decimal("1663.83"),
    )
    assert statement.closing == -balance(
        organization_id=world.provider.id, kind=AccountKind.PROVIDER_PAYABLE, currency="USD"
    )
    document = json.loads(statement.document)
    (earned,) = document["earned"]
    assert (earned["total"], earned["fee"], earned["tax"], earned["net"]) == ("1751.40", "87.57", "0.00", "1663.83")
    assert differences(document) == []
    assert broken() == []


def test_the_waterfall_of_a_share_stands_in_its_sections(stated: ProviderStatement) -> None:
    document = json.loads(stated.document)
    share, lease = sorted(document["terms"], key=lambda term: str(term["kind"]), reverse=True)
    assert share["kind"] == "token_share"
    assert share["sections"]["gross"] == {"base": "10", "exact": "3"}
    assert {row["class"]: (row["quantity"], row["base"]) for row in share["rows"]} == {
        "input": ("10000000", "6"),
        "output": ("5000000", "4"),
    }
    assert (lease["amount"], lease["sections"]["sales"]["exact"]) == ("1748.40", "1748.4")


def test_the_reconciliation_compares_both_witnesses_where_both_saw_something(stated: ProviderStatement) -> None:
    document = json.loads(stated.document)
    found = {row["class"]: row for row in document["reconciliation"]}
    assert (found["output"]["billed"], found["output"]["control"], found["output"]["residual"]) == (
        "5000000",
        "4990000",
        "10000",
    )
    assert (found["output"]["residual_percent"], found["output"]["tolerance_percent"]) == ("0.2", "1")
    assert found["output"]["within"] is True
    assert (found["input"]["compared"], found["input"]["within"]) == ("0", None)


def test_it_is_made_once_whoever_asks_and_noted(world: World, stated: ProviderStatement) -> None:
    assert state_march(world, now=STATED_AT + timedelta(days=9)) == stated
    assert ProviderStatement.objects.count() == 1
    assert AuditEntry.objects.filter(action="statement.made").count() == 1
    assert due_statements(now=STATED_AT) == []


@pytest.mark.usefixtures("march")
def test_nothing_is_stated_before_the_month_is_over_everywhere(world: World) -> None:
    assert state_march(world, now=over_at(MARCH_MONTH) - timedelta(seconds=1)) is None
    assert due_statements(now=over_at(MARCH_MONTH) - timedelta(seconds=1)) == []
    due = Due(world.provider.id, "USD", MARCH_MONTH)
    assert due_statements(now=over_at(MARCH_MONTH)) == [due]
    assert state_march(world, now=over_at(MARCH_MONTH)) is not None


def test_it_waits_for_every_contract_of_the_month_but_not_for_ever(world: World) -> None:
    other = make_month(parties=(world.provider, make_organization("slow-tenant")))
    close_march(world)
    assert due_statements(now=STATED_AT) == []
    assert state_march(world) is None
    late = over_at(MARCH_MONTH) + WAIT
    assert due_statements(now=late) == [Due(world.provider.id, "USD", MARCH_MONTH)]
    statement = state_march(world, now=late)
    assert statement is not None
    (missing,) = json.loads(statement.document)["missing"]
    assert missing["contract"] == other.contract.number
    close_march(other, now=late)
    assert state_march(world, now=late + timedelta(days=1)) == statement
    following = make_statement(
        provider_id=world.provider.id, currency="USD", month=APRIL_MONTH, now=over_at(APRIL_MONTH) + WAIT
    )
    assert following is not None
    assert (following.opening, following.closing) == (Decimal("1663.83"), 2 * Decimal("1663.83"))
    assert broken() == []


@pytest.mark.usefixtures("march")
def test_a_contract_whose_periods_are_not_stored_yet_is_waited_for(world: World) -> None:
    make_world(parties=(world.provider, make_organization("new-tenant")), from_at=MARCH)
    assert state_march(world) is None


def test_what_is_booked_later_stands_on_the_next_one(world: World, stated: ProviderStatement) -> None:
    correct(world, "63.83")
    assert due_statements(now=STATED_AT) == []
    now = over_at(APRIL_MONTH) + WAIT
    assert due_statements(now=now) == [Due(world.provider.id, "USD", APRIL_MONTH)]
    following = make_statement(provider_id=world.provider.id, currency="USD", month=APRIL_MONTH, now=now)
    assert following is not None
    assert (following.number, following.opening, following.moved) == ("STM-0002", stated.closing, Decimal("-63.83"))
    assert following.closing == Decimal(1600)
    (moved,) = json.loads(following.document)["moved"]
    assert (moved["cause"], moved["memo"], moved["amount"]) == ("credit_note", "Correction", "-63.83")


@pytest.mark.usefixtures("stated")
def test_what_was_booked_in_march_backdated_after_its_statement_is_not_lost(world: World) -> None:
    correct(world, "3.83", at=MARCH)
    now = over_at(APRIL_MONTH) + WAIT
    assert due_statements(now=now) == [Due(world.provider.id, "USD", APRIL_MONTH)]


@pytest.mark.usefixtures("march")
def test_no_month_is_stated_after_a_later_one(world: World) -> None:
    april = make_statement(
        provider_id=world.provider.id, currency="USD", month=APRIL_MONTH, now=over_at(APRIL_MONTH) + WAIT
    )
    assert april is not None
    assert april.closing == Decimal("1663.83")
    assert state_march(world, now=over_at(APRIL_MONTH) + WAIT) is None
    assert StatementSequence.objects.get().next_number == 2


def test_a_month_without_anything_has_no_statement(world: World) -> None:
    assert state_march(world, now=over_at(MARCH_MONTH) + WAIT) is None
    assert not ProviderStatement.objects.exists()


def test_numbers_run_on_over_currencies_and_providers_have_their_own() -> None:
    first, second = make_month(), make_month()
    assert [stated_march(first).number, stated_march(second).number] == ["STM-0001", "STM-0001"]


def test_payments_of_tenants_change_no_statement(world: World, march: Invoice) -> None:
    record_payment(
        invoice_id=march.id, method=PaymentMethod.STRIPE, reference="pi_1", amount=march.total, currency="USD",
        received_at=APRIL, now=APRIL,
    )  # fmt: skip
    statement = state_march(world)
    assert statement is not None
    assert statement.closing == Decimal("1663.83")
    assert broken() == []


@pytest.mark.usefixtures("stated")
@pytest.mark.parametrize("table", ["billing_providerstatement", "billing_statemententry"])
@pytest.mark.parametrize("what", ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}"])
def test_the_database_refuses_every_change(table: str, what: str) -> None:
    column = "sha256" if table == "billing_providerstatement" else "statement_id"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(what.format(table=table, column=column))


def test_the_database_refuses_an_entry_on_two_statements_and_a_statement_that_does_not_add_up(
    stated: ProviderStatement,
) -> None:
    entry = LedgerEntry.objects.filter(statement_entry__statement=stated).get()
    with pytest.raises(DatabaseError), transaction.atomic():
        StatementEntry.objects.create(entry=entry, statement=stated)
    row = ProviderStatement.objects.values().get()
    with pytest.raises(DatabaseError, match="statement_adds_up"), transaction.atomic():
        ProviderStatement.objects.create(
            **{**row, "id": new_id(), "sequence": 2, "number": "STM-0002", "month": APRIL_MONTH, "closing": 1}
        )
