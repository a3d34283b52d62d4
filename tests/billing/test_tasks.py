from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from billing.charging import charge_period, ensure_periods
from billing.closing import CloseState, close_period
from billing.models import BillingPeriod, Charge, Contract, Invoice, PeriodState, SettlementState
from billing.tasks import charge_usage, close_periods
from tests.billing.world import World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db


def make_running() -> tuple[World, datetime]:
    """A lease that began in the period before this one, so that one period is over and one is open."""
    now = datetime.now(UTC)
    last_month = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)).replace(day=1)
    world = make_world(from_at=last_month)
    world.lease(1, from_at=last_month, price="1", rolled_to_at=now)
    return world, last_month


world_and_last_month = kept(make_running)


@kept
def charged(world_and_last_month: tuple[World, datetime]) -> tuple[World, datetime]:
    """The same after a sweep that charges, day by day, what was never charged."""
    charge_usage()
    return world_and_last_month


def test_the_sweeps_store_periods_charge_full_hours_close_and_invoice(
    charged: tuple[World, datetime],
) -> None:
    world, last_month = charged
    assert BillingPeriod.objects.count() == 2
    over = world.period(last_month)
    hours = (over.to_at - over.from_at) // timedelta(hours=1)
    assert sum(Charge.objects.filter(period=over).values_list("amount", flat=True)) == hours
    close_periods(unknown_argument_of_a_later_version=1)
    invoice = Invoice.objects.get()
    assert invoice.total == hours
    assert invoice.settlement.state == SettlementState.BY_HAND
    over.refresh_from_db()
    assert over.state == PeriodState.CLOSED


def test_sweeping_again_changes_nothing(charged: tuple[World, datetime]) -> None:
    world, last_month = charged
    close_periods()
    assert world.period(last_month).state == PeriodState.CLOSED
    charges, invoices = Charge.objects.count(), Invoice.objects.count()
    charge_usage()
    close_periods()
    assert (Charge.objects.count(), Invoice.objects.count()) == (charges, invoices)


def test_with_stripe_set_up_collection_begins_there(settings: Settings, charged: tuple[World, datetime]) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_sample"
    close_periods()
    assert Invoice.objects.get().settlement.state == SettlementState.CUSTOMER


def test_a_row_that_fails_is_logged_and_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture, world_and_last_month: tuple[World, datetime]
) -> None:
    broken, _ = world_and_last_month
    sound, last_month = make_running()
    Contract.objects.filter(pk=broken.contract.pk).update(time_zone="Mars/Olympus")
    charge_usage()
    assert f"periods of contract {broken.contract.number}" in caplog.text
    assert sound.period(last_month).rated_at is not None
    ensure = sound.contract.periods
    BillingPeriod.objects.create(
        contract=broken.contract, from_at=last_month, to_at=ensure.order_by("from_at")[0].to_at
    )
    charge_usage()
    close_periods()
    assert "charging period" in caplog.text
    assert "closing period" in caplog.text
    assert Invoice.objects.get().contract_id == sound.contract.id


@pytest.mark.django_db(transaction=True)
def test_a_sweep_leaves_what_another_worker_is_at() -> None:
    world, last_month = make_running()
    now = datetime.now(UTC)
    ensure_periods(contract=world.contract, now=now)
    period = world.period(last_month)
    found: list[object] = []

    def sweep() -> None:
        found.append(charge_period(period_id=period.id, up_to=now, now=now, wait=False).charges)
        found.append(close_period(period_id=period.id, now=now, wait=False).state)
        connection.close()

    with transaction.atomic():
        list(Contract.objects.select_for_update())
        list(BillingPeriod.objects.select_for_update())
        thread = threading.Thread(target=sweep)
        thread.start()
        thread.join()
    assert found == [0, CloseState.BUSY]
    assert Charge.objects.count() == 0
    assert close_period(period_id=period.id, now=now, wait=False).invoice is not None
    assert Invoice.objects.get().total > Decimal(0)
