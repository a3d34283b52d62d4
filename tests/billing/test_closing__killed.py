"""A close that is killed before any of its writes leaves nothing behind, and the next one does all of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, connections

from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.models import (
    BillingPeriod,
    Charge,
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    IssuerSequence,
    LedgerEntry,
    LedgerPosting,
    PeriodState,
    Settlement,
)
from metering.models import Witness
from tests.billing.killed import Killed, at_write, counts_in, die
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.factories import make_organization

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
TABLES = (
    Charge,
    Invoice,
    InvoiceLine,
    InvoiceEvidence,
    LedgerPosting,
    LedgerEntry,
    Settlement,
    IssuerSequence,
    BillingPeriod,
)


def full_world() -> World:
    """A contract with a lease, a share and an operator's fee, in its first period."""
    make_organization("operator", is_operator=True)
    world = make_world(tokens={(MODEL, "input"): "0.60", (MODEL, "output"): "0.80"})
    world.contract.operator_fee_percent = Decimal("2.5")
    world.contract.save()
    world.lease(2, rolled_to_at=APRIL)
    world.share(witness=Witness.ENGINE, rolled_to_at=APRIL).use({"input": 5_000_000, "output": 3_000_000}, at=NOON)
    ensure_periods(contract=world.contract, now=MARCH)
    return world


def counts() -> dict[str, int]:
    return counts_in(TABLES)


def assert_closed_as_undisturbed(world: World) -> None:
    invoice = Invoice.objects.get()
    assert invoice.total == 2 * 744 * Decimal("2.35") + Decimal("1.62")
    assert invoice.number == "INV-0001"
    assert IssuerSequence.objects.get().next_number == 2
    assert [check.name for check in check_books() if not check.holds] == []
    assert world.period(APRIL).state == PeriodState.OPEN


@pytest.mark.unmeasured
@pytest.mark.django_db
def test_an_exception_before_any_write_of_a_close_leaves_nothing_behind() -> None:
    world = full_world()
    before, period_id = counts(), world.period().id
    place = 0
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                closed = close_period(period_id=period_id, now=APRIL)
        except Killed:
            assert counts() == before
            assert world.period().state == PeriodState.OPEN
        else:
            break
    assert closed.state is CloseState.CLOSED
    assert place > 20
    assert_closed_as_undisturbed(world)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", [1, 5, 10, 15, 20])
def test_a_server_process_that_is_ended_inside_a_close_costs_one_attempt(place: int) -> None:
    world = full_world()
    before, period_id = counts(), world.period().id

    def end_backend() -> None:
        pid = connection.connection.info.backend_pid
        other = connections["default"].copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        other.close()

    with (
        pytest.raises(OperationalError),
        connection.execute_wrapper(at_write(place, end_backend)),
    ):
        close_period(period_id=period_id, now=APRIL)
    connection.close()
    assert counts() == before
    assert close_period(period_id=period_id, now=APRIL).state is CloseState.CLOSED
    assert_closed_as_undisturbed(world)
