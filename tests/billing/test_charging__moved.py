"""Gateways' usage that moves because a deployment was entered, or ended, late is charged where it belongs by then."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.charging import charge_period, ensure_periods
from billing.closing import CloseState, close_period
from billing.models import Charge, Invoice
from clusters.models import Deployment
from metering.event_models import EventCall
from metering.restating_events import note_changes, restate_events, tenants_to_restate
from metering.rollup_events import roll_up_events
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept
from tests.metering.stored import store_event

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PRICES = {(MODEL, "input"): "1000000", (MODEL, "output"): "0"}
"""Ten input tokens an event cost ten dollars."""


def used(world: World, *days: int) -> None:
    for day in days:
        store_event(world.tenant, MARCH + day * DAY, model=MODEL)
    while roll_up_events(now=APRIL):
        continue


def moved(now: datetime) -> int:
    note_changes(now=now)
    return sum(restate_events(tenant_id=tenant_id, now=now) or 0 for tenant_id in tenants_to_restate())


def charged(world: World, now: datetime = APRIL) -> Decimal:
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=APRIL, now=now)
    return sum((one.amount for one in Charge.objects.all()), Decimal(0))


@kept
def world() -> World:
    return make_world(tokens=PRICES)


def test_events_from_before_their_deployment_was_entered_are_charged(world: World) -> None:
    used(world, 3, 4)
    world.share(percent="100", rolled_to_at=APRIL)
    assert charged(world) == 0
    assert moved(APRIL + HOUR)
    assert charged(world) == 20
    assert moved(APRIL + 2 * HOUR) == 0
    assert charged(world) == 20


def test_a_deployment_that_ended_before_gives_back_what_was_charged(world: World) -> None:
    shared = world.share(percent="100", rolled_to_at=APRIL)
    used(world, 3, 4, 5)
    assert charged(world) == 30
    Deployment.objects.filter(id=shared.deployment.id).update(to_at=MARCH + 4 * DAY)
    assert moved(APRIL + HOUR)
    assert charged(world) == 10


def test_what_was_issued_stays_as_it_is(world: World) -> None:
    shared = world.share(percent="100", rolled_to_at=APRIL)
    used(world, 3, 4)
    ensure_periods(contract=world.contract, now=MARCH)
    assert close_period(period_id=world.period().id, now=APRIL).state is CloseState.CLOSED
    Deployment.objects.filter(id=shared.deployment.id).update(to_at=MARCH + 4 * DAY)
    assert moved(APRIL + HOUR)
    assert charged(world, APRIL + HOUR) == 20
    assert Invoice.objects.get().total == 20


def test_closing_waits_for_events_that_belong_to_a_deployment_that_was_entered_late(world: World) -> None:
    store_event(world.tenant, MARCH + DAY, model=MODEL)
    world.share(percent="100", rolled_to_at=APRIL)
    assert EventCall.objects.get().deployments == []
    ensure_periods(contract=world.contract, now=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.waiting_for == ({"kind": "events", "waiting": 1},)
