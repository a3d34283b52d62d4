"""Certified revenue: kept as it came, the base of its period, trued up later, and never changed."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.charging import ensure_periods
from billing.closing import Closed, CloseState, close_period
from billing.evidence import differences
from billing.models import InvoiceEvidence, InvoiceLine, RevenueStatement, TermFact
from billing.revenue_statements import StatementTooLate, WrongStatement, state_revenue
from metering.models import Witness
from tenants.models import AuditEntry
from tests.billing.sharing import share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MAY = datetime(2026, 5, 1, tzinfo=APRIL.tzinfo)
CERTIFIED: dict[str, Any] = {"base": "certified_revenue", "statements": {"due_days": 21}}


@kept
def shared() -> Shared:
    """A share of 30 % of certified revenue, with 100 USD of tokens in March."""
    world = make_world(tokens={(MODEL, "output"): "1"})
    made = share(world, Witness.GATEWAY, **CERTIFIED)
    made.use({"output": 100_000_000})
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], MAY + 30 * DAY)
    return made


def file(amount: str) -> bytes:
    return f"item,amount,currency\nsample,{amount},USD\n".encode()


def state(shared: Shared, amount: str = "95", **changed: Any) -> RevenueStatement:
    given: dict[str, Any] = {
        "contract": shared.term.contract,
        "term_ref": shared.term.ref,
        "period_from_at": MARCH,
        "document": file(amount),
        "certified_by": " Ada Example ",
        "by": "alice@example.com",
        "now": APRIL + DAY,
    }
    return state_revenue(**{**given, **changed})[0]


def close(shared: Shared, now: datetime, from_at: datetime = MARCH) -> Closed:
    period = shared.term.contract.periods.get(from_at=from_at)
    return close_period(period_id=period.id, now=now)


statement = kept(state)


def test_a_statement_is_kept_as_it_came_and_is_the_base(shared: Shared, statement: RevenueStatement) -> None:
    assert bytes(statement.document) == file("95")
    assert statement.sha256 == hashlib.sha256(file("95")).hexdigest()
    assert (statement.certified_by, statement.uploaded_by) == ("Ada Example", "alice@example.com")
    closed = close(shared, APRIL + 2 * DAY)
    assert closed.state is CloseState.CLOSED
    assert closed.invoice is not None
    assert str(closed.invoice.total) == "28.5000"
    lines = {line.rule: str(line.amount) for line in InvoiceLine.objects.filter(invoice=closed.invoice)}
    assert lines["share_of_base"] == "28.5000"
    evidence = InvoiceEvidence.objects.get(invoice=closed.invoice)
    assert differences(json.loads(evidence.document)) == []
    noted = AuditEntry.objects.get(action="revenue.stated").after
    assert noted is not None
    assert noted["net_revenue_amount"] == "95"


def test_the_same_file_again_changes_nothing_and_another_counts_from_then_on(
    shared: Shared, statement: RevenueStatement
) -> None:
    first = statement
    assert state(shared) == first
    assert RevenueStatement.objects.count() == TermFact.objects.count() == 1
    state(shared, "80")
    state(shared, "95")
    assert RevenueStatement.objects.count() == 3
    invoice = close(shared, APRIL + 2 * DAY).invoice
    assert invoice is not None
    assert str(invoice.total) == "28.5000"


def test_a_period_waits_for_its_statement_until_that_is_due_and_is_then_estimated(shared: Shared) -> None:
    waiting = close(shared, APRIL + 20 * DAY)
    assert waiting.state is CloseState.WAITING
    due_at = (APRIL + 21 * DAY).isoformat()
    assert waiting.waiting_for == ({"kind": "revenue_statement", "term": shared.term.ref, "due_at": due_at},)
    closed = close(shared, APRIL + 21 * DAY)
    assert closed.state is CloseState.CLOSED
    assert closed.invoice is not None
    assert str(closed.invoice.total) == "30.0000"
    assert closed.invoice.period.accepted_gaps[0]["kind"] == "revenue_statement"


def test_a_late_statement_is_trued_up_in_the_open_period_and_once(shared: Shared) -> None:
    close(shared, APRIL + 21 * DAY)
    state(shared, "120", now=APRIL + 25 * DAY)
    state(shared, "0", period_from_at=APRIL, now=MAY + DAY)
    closed = close(shared, MAY + 2 * DAY, APRIL)
    assert closed.invoice is not None
    assert str(closed.invoice.total) == "6.0000"
    state(shared, "0", period_from_at=MAY, now=MAY + 40 * DAY)
    again = close(shared, MAY + 41 * DAY, MAY)
    assert again.state is CloseState.CLOSED
    assert again.invoice is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"certified_by": " "}, "certified_by"),
        ({"term_ref": "S-9999"}, "term"),
        ({"period_from_at": MARCH + DAY}, "period_from"),
        ({"period_from_at": APRIL}, "period_from"),
        ({"document": b"nothing"}, "document line 1"),
    ],
)
def test_a_wrong_statement_is_refused_with_its_field_and_nothing_is_kept(
    shared: Shared, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(WrongStatement) as refused:
        state(shared, **changed)
    assert refused.value.extra["field"] == field
    assert not TermFact.objects.exists()


def test_a_share_of_list_price_takes_no_statement() -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    made = world.share()
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    with pytest.raises(WrongStatement, match="not taken of certified revenue"):
        state(made)


def test_a_closed_period_without_an_open_one_after_it_takes_none(shared: Shared) -> None:
    close(shared, APRIL + 21 * DAY)
    shared.term.contract.periods.filter(from_at__gt=MARCH).delete()
    with pytest.raises(StatementTooLate):
        state(shared, now=APRIL + 25 * DAY)


def test_statements_never_change(statement: RevenueStatement) -> None:
    for sql in ("UPDATE billing_revenuestatement SET net_revenue_amount = 1", "DELETE FROM billing_revenuestatement"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    assert RevenueStatement.objects.get() == statement
