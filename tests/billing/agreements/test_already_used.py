"""A new balance pays whole lines of bills: what it would pay for of the time before it is said beforehand."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from billing.agreements.already_used import AlreadyUsed, already_used
from billing.charging import charge_period, ensure_periods
from billing.models import BillingPeriod, PeriodState
from billing.rating.credit import CreditWording, Grant
from billing.rating.lease_wording import LeaseWording
from tests.billing.agreements.agreed import DAY, NOON, PRICES
from tests.billing.world import APRIL, H100, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOW = NOON + DAY
OWED = 24 * Decimal("2.35")


@kept
def world() -> World:
    """A lease that begins at noon, charged for a day."""
    made = make_world(tokens=PRICES, gpus={H100: "2"})
    ensure_periods(contract=made.contract, now=MARCH)
    made.lease(1, from_at=NOON)
    charge_period(period_id=made.period().id, up_to=NOW, now=NOW)
    return made


def credit(from_at: datetime = NOW, **more: object) -> CreditWording:
    return CreditWording(grants=(Grant(name="first", amount=Decimal(100), from_at=from_at, **more),))  # type: ignore[arg-type]


def test_a_balance_within_a_running_period_pays_for_all_of_it(world: World) -> None:
    assert already_used(world.contract, None, credit(), NOW) == AlreadyUsed(MARCH, APRIL, OWED)
    assert already_used(world.contract, None, credit(MARCH - DAY), NOW) == AlreadyUsed(MARCH, APRIL, OWED)


def test_a_balance_of_the_next_period_pays_for_later_use_alone(world: World) -> None:
    assert already_used(world.contract, None, credit(APRIL), NOW) is None
    assert already_used(world.contract, None, credit(MARCH - 2 * DAY, expires_at=MARCH), NOW) is None


def test_a_balance_pays_for_its_own_terms_alone(world: World) -> None:
    [lease] = world.contract.terms.filter(kind="lease")
    assert already_used(world.contract, None, credit(terms=("S-0001",)), NOW) is None
    assert already_used(world.contract, None, credit(terms=(lease.ref,)), NOW) == AlreadyUsed(MARCH, APRIL, OWED)


def test_a_balance_pays_for_nothing_that_is_over_before_it_begins(world: World) -> None:
    world.lease(1, from_at=NOON - DAY, to_at=NOON)
    charge_period(period_id=world.period().id, up_to=NOW, now=NOW)
    assert already_used(world.contract, None, credit(NOON), NOW) == AlreadyUsed(MARCH, APRIL, OWED)
    assert already_used(world.contract, None, credit(NOON - DAY / 2), NOW) == AlreadyUsed(MARCH, APRIL, 2 * OWED)


def test_a_balance_that_was_there_before_and_other_terms_are_not_asked_about(world: World) -> None:
    assert already_used(world.contract, credit(), credit(), NOW) is None
    assert already_used(world.contract, None, LeaseWording(), NOW) is None
    assert already_used(world.contract, None, None, NOW) is None


def test_a_period_that_is_closed_or_cost_nothing_is_paid_by_no_new_balance(world: World) -> None:
    BillingPeriod.objects.filter(pk=world.period().pk).update(state=PeriodState.CLOSED)
    assert already_used(world.contract, None, credit(), NOW) is None
    assert already_used(make_world(gpus={H100: "2"}).contract, None, credit(), NOW) is None
