"""A deposit is held, not earned: it stands in an account of its own until it goes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.ledger import balances
from billing.models import AccountKind, Invoice
from billing.rating.lease_wording import LeaseWording
from tests.billing.let import DAY, make_floor, reserved, wish
from tests.billing.world import APRIL, World
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db
MAY = APRIL + 30 * DAY
START = APRIL - 2 * DAY
HELD, PAYABLE, FEE = AccountKind.DEPOSIT_HELD, AccountKind.PROVIDER_PAYABLE, AccountKind.OPERATOR_FEE


def let_with_deposit(end_at_days: int) -> World:
    """One card at 2.00 from two days before April on, with a deposit of 500; its node is rolled up far ahead."""
    world = make_floor()
    world.rolled(world.nodes[0], MAY + 40 * DAY)
    said = LeaseWording(price_per_gpu_hour=Decimal(2), deposit_amount=Decimal(500))
    reserved(world, wish(1, START, START + end_at_days * DAY), said)
    return world


def close(world: World, from_at: datetime) -> Invoice:
    ensure_periods(contract=world.contract, now=MAY + DAY)
    period = world.contract.periods.get(from_at=from_at)
    closed = close_period(period_id=period.id, now=period.to_at + timedelta(days=3))
    assert closed.invoice is not None
    return closed.invoice


def provider_books(world: World) -> dict[AccountKind, Decimal]:
    return {kind: amount for (kind, _), amount in balances(organization_id=world.provider.id).items()}


def wrong() -> list[str]:
    return [found for check in check_books() for found in check.wrong]


@kept
def world() -> World:
    return let_with_deposit(22)


def test_a_deposit_is_held_from_the_first_bill_to_the_last(world: World) -> None:
    first = close(world, world.contract.from_at)
    assert first.total == Decimal("596.00")
    assert provider_books(world) == {PAYABLE: Decimal(-96), HELD: Decimal(-500)}
    assert wrong() == []
    last = close(world, APRIL)
    assert last.total == Decimal("460.00")
    assert provider_books(world) == {PAYABLE: Decimal(-1056), HELD: Decimal(0)}
    assert wrong() == []


def test_a_deposit_that_goes_back_by_a_bill_of_nothing_is_booked() -> None:
    world = let_with_deposit(3)
    close(world, world.contract.from_at)
    last = close(world, APRIL)
    assert last.total == Decimal(0)
    assert provider_books(world) == {PAYABLE: Decimal("-596.00"), HELD: Decimal(0)}
    owed = balances(organization_id=world.tenant.id)
    assert owed == {(AccountKind.TENANT_RECEIVABLE, "USD"): Decimal("596.00")}
    assert wrong() == []


def test_no_fee_is_taken_of_a_deposit() -> None:
    operator = make_organization("operator", is_operator=True)
    world = let_with_deposit(22)
    world.contract.operator_fee_percent = Decimal(10)
    world.contract.save()
    close(world, world.contract.from_at)
    assert provider_books(world) == {PAYABLE: Decimal("-86.40"), HELD: Decimal(-500)}
    assert balances(organization_id=operator.id) == {(FEE, "USD"): Decimal("-9.60")}
    close(world, APRIL)
    assert balances(organization_id=operator.id) == {(FEE, "USD"): Decimal("-105.60")}
    assert wrong() == []


def test_a_deposit_that_was_booked_as_earned_is_found(world: World) -> None:
    close(world, world.contract.from_at)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE billing_ledgeraccount DISABLE TRIGGER USER")
        cursor.execute("UPDATE billing_ledgeraccount SET kind = 'write_off' WHERE kind = 'deposit_held'")
    names = [check.name for check in check_books() if not check.holds]
    assert names == [
        "deposits are held until they go back",
        "fees are those that were agreed",
        "write-offs are booked",
    ]
