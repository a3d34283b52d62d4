from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.charging import charge_period, ensure_periods, unresolved
from billing.closing import Closed, CloseState, close_period, due_periods
from billing.ledger import balance
from billing.models import AccountKind, BillingPeriod, Charge, ContractState, Invoice, PeriodState
from billing.pricing import publish_price_version
from metering.event_models import EventCall, WaitingEvents
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept
from tests.metering.stored import store_event

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.60", (MODEL, "output"): "0.80"}


def close(world: World, now: datetime = APRIL) -> Closed:
    ensure_periods(contract=world.contract, now=MARCH)
    return close_period(period_id=world.period().id, now=now)


@kept
def world() -> World:
    return make_world(tokens=PRICES)


world_made = kept(make_world)


def test_eight_leased_cards_from_the_tenth_cost_what_their_seconds_cost(world_made: World) -> None:
    world = world_made
    world.lease(8, from_at=datetime(2026, 3, 10, 6, tzinfo=UTC), rolled_to_at=APRIL)

    closed = close(world)

    assert closed.state is CloseState.CLOSED
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("9813.60")
    line = closed.invoice.lines.get()
    assert line.quantity == 8 * 522 * 3600
    assert line.unit == "gpu_seconds"
    assert line.sublines.count() == 22
    owed = balance(organization_id=world.tenant.id, kind=AccountKind.TENANT_RECEIVABLE, currency="USD")
    assert owed == Decimal("9813.60")


def test_a_share_of_the_azure_conversation_trace_is_five_dollars_and_one_cent(world: World) -> None:
    shared = world.share(percent="30", rolled_to_at=APRIL)
    shared.use({"input": 22_361_870, "output": 4_088_665}, at=datetime(2026, 3, 16, 18, tzinfo=UTC))

    closed = close(world)

    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("5.01")
    line = closed.invoice.lines.get()
    assert line.base_amount == Decimal("16.6880540")
    assert line.exact_amount == Decimal("5.0064162")


def test_a_thousand_charges_of_a_third_of_a_cent_are_rounded_once() -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    shared = world.share(percent="100", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    for number in range(20):
        shared.use({"output": 50 * 3_000}, at=MARCH + number * HOUR)
        charge_period(period_id=world.period().id, up_to=MARCH + number * HOUR + HOUR, now=MARCH)
    assert Charge.objects.count() == 20
    closed = close(world)
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("3.00")


def test_closing_waits_for_every_node_that_served_the_contract(world: World) -> None:
    shared = world.share(rolled_to_at=APRIL - HOUR)
    world.lease(1, rolled_to_at=None)
    shared.use({"output": 1_000_000}, at=NOON)

    waiting = close(world)

    assert waiting.state is CloseState.WAITING
    assert [row["needed_to_at"] for row in waiting.waiting_for] == [APRIL.isoformat()] * 2
    assert world.period().state == PeriodState.OPEN
    for node in world.nodes:
        world.rolled(node, APRIL)
    assert close(world).state is CloseState.CLOSED
    assert world.period().accepted_gaps == []


def test_after_the_grace_it_closes_with_the_gap_on_record(world_made: World) -> None:
    world = world_made
    world.lease(1, rolled_to_at=NOON)
    assert close(world, APRIL + 47 * HOUR).state is CloseState.WAITING
    closed = close(world, APRIL + 48 * HOUR)
    assert closed.state is CloseState.CLOSED
    [gap] = world.period().accepted_gaps
    assert (gap["kind"], gap["name"], gap["rolled_to_at"]) == ("node", world.nodes[0].name, NOON.isoformat())


def test_closing_waits_for_events_of_before_the_end_that_are_not_rolled_up(world: World) -> None:
    shared = world.share(rolled_to_at=APRIL)
    for at in (APRIL + HOUR, APRIL - HOUR):
        store_event(shared.tenant, at, model=MODEL, deployment=shared.deployment)
    assert close(world).waiting_for == ({"kind": "events", "waiting": 1},)
    WaitingEvents.objects.filter(call__in=EventCall.objects.filter(first_at__lt=APRIL).values("id")).delete()
    assert close(world).state is CloseState.CLOSED


def test_usage_without_a_price_blocks_closing_until_grace_and_stays_visible(world: World) -> None:
    shared = world.share(rolled_to_at=APRIL)
    shared.use({"input": 1_000_000}, at=NOON)
    shared.use({"input": 7}, at=NOON, model="unknown-model")
    waiting = close(world)
    assert waiting.state is CloseState.WAITING
    assert waiting.waiting_for == (
        {"kind": "unpriced", "usage": f"{shared.term.ref} unknown-model input tokens", "quantity": "7"},
    )
    closed = close(world, APRIL + 48 * HOUR)
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("0.18")
    assert len(unresolved(period=world.period())) == 1
    assert '"unpriced":{"' in closed.invoice.evidence.document
    assert [row["kind"] for row in world.period().accepted_gaps] == ["unpriced"]


def test_a_price_that_comes_within_the_grace_bills_what_waited(world: World) -> None:
    shared = world.share(percent="100", rolled_to_at=APRIL)
    shared.use({"input": 1_000_000}, at=NOON, model="late-model")
    assert close(world).state is CloseState.WAITING
    assert world.book is not None
    prices = {key: Decimal(price) for key, price in {**PRICES, ("late-model", "input"): "3"}.items()}
    publish_price_version(book=world.book, effective_at=NOON, token_prices=prices, gpu_prices={}, now=APRIL)
    closed = close(world, APRIL + HOUR)
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("3.00")


def test_usage_that_comes_late_but_before_closing_is_on_the_invoice(world: World) -> None:
    shared = world.share(percent="100", rolled_to_at=NOON)
    shared.use({"input": 1_000_000}, at=NOON)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL)
    shared.use({"input": 500_000}, at=NOON, version=2)
    world.rolled(world.nodes[0], APRIL)
    closed = close(world)
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("0.90")


def test_a_period_that_is_not_over_or_has_an_open_one_before_it_stays_open(world_made: World) -> None:
    world = world_made
    ensure_periods(contract=world.contract, now=APRIL)
    may = datetime(2026, 5, 1, tzinfo=UTC)
    assert close(world, APRIL - timedelta(seconds=1)).state is CloseState.NOT_OVER
    assert due_periods(now=APRIL - timedelta(seconds=1)) == []
    later = world.period(APRIL)
    blocked = close_period(period_id=later.id, now=may)
    assert (blocked.state, blocked.waiting_for) == (CloseState.WAITING, ({"kind": "earlier_period"},))
    assert due_periods(now=may) == [world.period().id, later.id]
    assert [close_period(period_id=key, now=may).state for key in due_periods(now=may)] == [CloseState.CLOSED] * 2


def test_a_period_without_charges_closes_without_an_invoice_and_the_next_is_stored(world_made: World) -> None:
    world = world_made
    closed = close(world)
    assert (closed.state, closed.invoice) == (CloseState.CLOSED, None)
    assert (world.period().closed_at, world.period().rated_at) == (APRIL, APRIL)
    assert world.period(APRIL).state == PeriodState.OPEN
    assert close(world).state is CloseState.ALREADY_CLOSED


def test_the_last_period_ends_the_contract() -> None:
    world = make_world(to_at=NOON)
    world.lease(1, to_at=NOON, rolled_to_at=NOON)
    closed = close(world)
    assert closed.invoice is not None
    world.contract.refresh_from_db()
    assert world.contract.state == ContractState.ENDED
    assert BillingPeriod.objects.count() == 1


def test_closing_again_answers_with_the_same_invoice(world_made: World) -> None:
    world = world_made
    world.lease(1, rolled_to_at=APRIL)
    first, second = close(world), close(world, APRIL + HOUR)
    assert second.state is CloseState.ALREADY_CLOSED
    assert first.invoice == second.invoice
    assert Invoice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_close_at_once_issue_one_invoice() -> None:
    world = make_world(gpus={H100: "2"})
    world.lease(2, price=None, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    period_id = world.period().id
    ready = threading.Barrier(3)
    states: list[CloseState] = []

    def run() -> None:
        ready.wait()
        states.append(close_period(period_id=period_id, now=APRIL).state)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == [CloseState.ALREADY_CLOSED, CloseState.ALREADY_CLOSED, CloseState.CLOSED]
    assert Invoice.objects.get().total == 2 * 2 * 31 * 24
