"""Periods closed together end as each closed by itself would; one that cannot be closed holds up none of the others."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import closing
from billing.adjusting.rules import set_issuing_rule
from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import Closed, CloseState, TooLarge, close_batch, close_due, close_period, close_together
from billing.models import BillingPeriod, Invoice, InvoiceLine, IssuerSequence, LedgerEntry, PeriodState, TaxSettings
from billing.proving import alone
from billing.tax_rules.deciding import Method
from billing.usage_spans import Span
from billing.verifying import verify
from metering.models import Witness
from tenants.ids import new_id
from tests.billing.killed import Killed, at_statement, die
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}


def contract_of(tokens: int, parties: World | None = None) -> World:
    """A contract with a lease of two hours and a share of all that its tokens are worth."""
    world = make_world(
        tokens=PRICES, parties=(parties.provider, make_organization(f"tenant-{new_id()}")) if parties else None
    )
    world.lease(1, from_at=NOON, to_at=NOON + 2 * HOUR, price="3.335", rolled_to_at=APRIL)
    shared = world.share(percent="100", witness=Witness.ENGINE, rolled_to_at=APRIL)
    shared.use({"input": tokens, "output": tokens // 3}, at=NOON)
    ensure_periods(contract=world.contract, now=MARCH)
    return world


def several(count: int) -> list[World]:
    """Contracts of one provider with tenants of their own, and of another."""
    first = contract_of(5_000_000)
    return [first, *(contract_of(1_000_000 * number, first) for number in range(1, count))]


def ids(worlds: list[World]) -> list[UUID]:
    return [world.period().pk for world in worlds]


def numbers(world: World) -> list[str]:
    return [str(one.number) for one in Invoice.objects.filter(issuer=world.provider).order_by("number")]


def bills(worlds: list[World]) -> list[tuple[Decimal, list[tuple[str, Decimal, Decimal]]]]:
    """What each is billed, without numbers and ids."""
    found = []
    for world in worlds:
        invoice = Invoice.objects.get(contract=world.contract)
        lines = InvoiceLine.objects.filter(invoice=invoice).order_by("position")
        found.append((invoice.total, list(lines.values_list("description", "quantity", "amount"))))
    return found


def sound() -> bool:
    assert [f"{check.name}: {check.wrong}" for check in check_books() if not check.holds] == []
    return all(verify(one.evidence.document, one.evidence.sha256) == [] for one in Invoice.objects.all())


@kept
def worlds() -> list[World]:
    return several(3)


def test_together_they_come_to_what_each_comes_to_by_itself() -> None:
    worlds = [*several(3), contract_of(7_000_001)]
    with transaction.atomic():
        for period_id in ids(worlds):
            assert close_period(period_id=period_id, now=APRIL).state is CloseState.CLOSED
        apart = bills(worlds)
        booked = sorted(LedgerEntry.objects.values_list("account__kind", "amount"))
        transaction.set_rollback(True)
    closed = close_together(period_ids=ids(worlds), now=APRIL)
    assert [one.state for one in closed.values()] == [CloseState.CLOSED] * 4
    assert bills(worlds) == apart
    assert sorted(LedgerEntry.objects.values_list("account__kind", "amount")) == booked
    assert numbers(worlds[0]) == ["INV-0001", "INV-0002", "INV-0003"]
    assert sorted(IssuerSequence.objects.values_list("next_number", flat=True)) == [2, 4]
    assert [world.period(APRIL).state for world in worlds] == [PeriodState.OPEN] * 4
    assert sound()
    assert [one.state for one in close_together(period_ids=ids(worlds), now=APRIL).values()] == [
        CloseState.ALREADY_CLOSED
    ] * 4


def test_a_contract_more_costs_a_few_statements_not_a_close() -> None:
    asked = {}
    for count in (2, 6):
        chosen = ids(several(count))
        with CaptureQueriesContext(connection) as captured:
            assert len(close_together(period_ids=chosen, now=APRIL)) == count
        asked[count] = len(captured)
    # Its evidence, which goes by itself.
    assert asked[6] - asked[2] == 4


def test_one_that_fails_is_left_and_the_others_are_closed(
    caplog: pytest.LogCaptureFixture, worlds: list[World]
) -> None:
    worlds[1].contract.operator_fee_percent = Decimal(50)
    worlds[1].contract.save()
    with caplog.at_level(logging.WARNING, logger=closing.__name__):
        closed = close_batch(period_ids=ids(worlds), now=APRIL)
    assert [one.state for one in closed] == [CloseState.CLOSED] * 2
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert [world.period().state for world in worlds] == [PeriodState.CLOSED, PeriodState.OPEN, PeriodState.CLOSED]
    assert numbers(worlds[0]) == ["INV-0001", "INV-0002"]
    assert sound()


def test_each_waits_for_what_it_waits_for() -> None:
    worlds = several(5)
    waits, approves, empty = worlds[1], contract_of(9_000), make_world(parties=(worlds[0].provider, worlds[0].tenant))
    for node in waits.nodes:
        waits.rolled(node, APRIL - HOUR)
    set_issuing_rule(provider=approves.provider, back_billing_months=6, approves=True, actor="petra", now=MARCH)
    ensure_periods(contract=empty.contract, now=MARCH)
    TaxSettings.objects.create(provider=approves.provider, version=1, method=Method.NONE, created_at=MARCH)
    # Another sweep was here before.
    close_period(period_id=worlds[4].period().pk, now=APRIL)
    later = BillingPeriod.objects.get(contract=worlds[3].contract)
    later.to_at = APRIL + HOUR
    later.save()
    closed = close_together(period_ids=ids([*worlds, approves, empty]), now=APRIL)
    assert [one.state for one in closed.values()] == [
        CloseState.CLOSED,
        CloseState.WAITING,
        CloseState.CLOSED,
        CloseState.NOT_OVER,
        CloseState.ALREADY_CLOSED,
        CloseState.AWAITING_APPROVAL,
        CloseState.CLOSED,
    ]
    assert closed[waits.period().pk].waiting_for[0]["kind"] == "node"
    assert closed[worlds[4].period().pk].invoice == Invoice.objects.get(contract=worlds[4].contract)
    assert closed[empty.period().pk] == Closed(CloseState.CLOSED)
    assert Invoice.objects.count() == 3
    assert sound()


def test_killed_at_a_statement_it_leaves_nothing_behind() -> None:
    worlds = several(2)
    for statement in range(5, 200, 9):
        try:
            with transaction.atomic(), connection.execute_wrapper(at_statement(statement, die)):
                close_together(period_ids=ids(worlds), now=APRIL)
        except Killed:
            assert not Invoice.objects.exists()
            assert not IssuerSequence.objects.exists()
            assert [world.period().state for world in worlds] == [PeriodState.OPEN] * 2
            continue
        break
    assert statement > 40
    assert numbers(worlds[0]) == ["INV-0001", "INV-0002"]
    assert sound()


def test_what_is_too_large_is_closed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = several(2)
    monkeypatch.setattr(closing, "TOGETHER_ROWS", 1)
    with pytest.raises(TooLarge):
        close_together(period_ids=ids(worlds), now=APRIL)
    assert [one.state for one in close_batch(period_ids=ids(worlds), now=APRIL)] == [CloseState.CLOSED] * 2
    assert sound()


def test_a_sweep_closes_each_of_what_is_due_in_order(worlds: list[World]) -> None:
    short = make_world(from_at=MARCH + timedelta(days=9))
    ensure_periods(contract=short.contract, now=APRIL)
    ensure_periods(contract=worlds[0].contract, now=APRIL + timedelta(days=31))
    at = APRIL + timedelta(days=31)
    worlds[0].rolled(worlds[0].nodes[0], at)
    # A sweep that begins with the later month finds the earlier one open, and the next closes both.
    for sweep in (at + timedelta(microseconds=2), at + timedelta(microseconds=3)):
        close_due(now=sweep, stripe_ready=False)
    assert not BillingPeriod.objects.filter(state=PeriodState.OPEN, to_at__lte=APRIL).exists()
    assert numbers(worlds[0]) == ["INV-0001", "INV-0002", "INV-0003"]


def test_windows_that_have_usage_of_one_deployment_stand_alone() -> None:
    one = Span(new_id(), new_id(), 0, Witness.ENGINE, ("input",), Decimal(1), MARCH, NOON)
    other = replace(one, deployment_id=new_id(), window=1)
    assert alone([one, other, replace(one, from_at=NOON, to_at=APRIL)]) == set()
    assert alone([one, other, replace(one, window=2)]) == {0, 2}
