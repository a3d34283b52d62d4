"""Periods charged together are charged what each is charged by itself; one that fails holds up no other."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing import charging
from billing.charging import charge_batch, charge_due, charge_period, charge_together, ensure_periods
from billing.models import BillingPeriod, Charge, UnpricedUsage
from metering.models import Witness
from tenants.ids import new_id
from tests.billing.world import APRIL, HOUR, MODEL, Shared, World, make_world
from tests.factories import make_organization

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}


def several(count: int) -> list[tuple[World, Shared]]:
    """Contracts of one provider in different zones, with usage on two days, and with a lease."""
    found: list[tuple[World, Shared]] = []
    for number in range(count):
        parties = (found[0][0].provider, make_organization(f"tenant-{new_id()}")) if found else None
        zone = ("UTC", "America/New_York", "Asia/Kathmandu")[number % 3]
        world = make_world(tokens=PRICES, parties=parties, time_zone=zone)
        world.lease(1, from_at=NOON, to_at=NOON + 5 * HOUR, price="1.25")
        shared = world.share(percent="12.5", witness=Witness.ENGINE)
        shared.use({"input": 1_000_000 + number, "output": 333}, at=NOON)
        shared.use({"input": 7_777}, at=NOON + 30 * HOUR)
        ensure_periods(contract=world.contract, now=NOON)
        found.append((world, shared))
    return found


def ids(made: list[tuple[World, Shared]]) -> list[UUID]:
    periods = BillingPeriod.objects.filter(contract__in=[world.contract for world, _ in made], to_at__gt=NOON)
    return list(periods.order_by("contract_id").values_list("pk", flat=True))


def booked() -> list[tuple[object, ...]]:
    columns = ("period_id", "line_key", "seq", "day", "from_at", "to_at", "quantity", "base_amount", "amount")
    return sorted(Charge.objects.values_list(*columns), key=str)


def test_together_they_are_charged_what_each_is_by_itself_at_any_instant() -> None:
    made = several(4)
    with transaction.atomic():
        for up_to in (NOON + HOUR, NOON + 40 * HOUR, APRIL):
            for period_id in ids(made):
                charge_period(period_id=period_id, up_to=up_to, now=up_to)
        apart = booked()
        transaction.set_rollback(True)
    for up_to in (NOON + HOUR, NOON + 40 * HOUR, APRIL):
        charge_together(period_ids=ids(made), up_to=up_to, now=up_to)
    assert booked() == apart
    # Again, and for less of the period than before, there is nothing to book.
    assert charge_together(period_ids=ids(made), up_to=NOON, now=APRIL) == 0
    assert charge_together(period_ids=ids(made)[:0], up_to=NOON, now=APRIL) == 0
    assert booked() == apart


def test_queries_do_not_grow_with_periods() -> None:
    asked = []
    for count in (1, 3, 6):
        chosen = ids(several(count))
        with CaptureQueriesContext(connection) as captured:
            charge_together(period_ids=chosen, up_to=APRIL, now=APRIL)
        asked.append(len(captured))
    # A contract in New York and one in Kathmandu end their March at instants of their own.
    assert asked[1] == asked[2]
    assert asked[1] - asked[0] <= 3


def test_one_that_fails_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    made = several(3)
    made[1][0].contract.time_zone = "Nowhere/City"
    made[1][0].contract.save()
    with caplog.at_level(logging.WARNING, logger=charging.__name__):
        assert charge_batch(period_ids=ids(made), up_to=APRIL, now=APRIL)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    charged = set(Charge.objects.values_list("period__contract", flat=True))
    assert charged == {made[0][0].contract.pk, made[2][0].contract.pk}


def test_a_sweep_charges_day_by_day_whatever_is_due_and_then_nothing() -> None:
    made = several(2)
    late = make_world(tokens=PRICES, from_at=NOON)
    late.share(percent="100", witness=Witness.ENGINE, now=NOON).use({"cache_write": 5}, at=NOON + HOUR)
    ensure_periods(contract=late.contract, now=NOON)
    now = NOON + 50 * HOUR
    assert charge_due(now=now) > 3
    assert {row.rated_at for row in BillingPeriod.objects.filter(to_at__gt=NOON)} == {now}
    days = Charge.objects.filter(period__contract=made[0][0].contract).values_list("day").annotate(owed=Sum("amount"))
    assert len(days) >= 2
    assert UnpricedUsage.objects.get().quantity == Decimal(5)
    assert charge_due(now=now) == 0
    made[0][1].use({"output": 1_000_000}, at=NOON + 51 * HOUR)
    before = Charge.objects.count()
    assert charge_due(now=now + 3 * HOUR) == 3
    assert Charge.objects.count() > before
