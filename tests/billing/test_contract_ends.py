"""A contract ends after what is billed of it, and not before what was put on its next invoice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.contract_ends import earliest_end
from billing.corrections.debits import add_debit, take_back_debit
from billing.models import Invoice
from billing.terminating import TerminationTooEarly, terminate_contract
from tests.billing.corrections.test_debits import MAY, NOW, debit
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@kept
def world() -> World:
    """A card at 1.00 an hour; March is issued with 744.00, April runs."""
    made = make_world()
    made.lease(1, price="1", rolled_to_at=MAY)
    ensure_periods(contract=made.contract, now=MARCH)
    assert close_period(period_id=made.period().id, now=APRIL).invoice is not None
    return made


def test_it_ends_after_its_latest_period_began(world: World) -> None:
    assert earliest_end(world.contract) == APRIL + SECOND


def test_an_end_takes_nothing_off_the_next_invoice_that_was_put_there(world: World) -> None:
    made = debit()
    assert earliest_end(world.contract) == NOW + SECOND
    with pytest.raises(TerminationTooEarly):
        terminate_contract(contract=world.contract, at=NOW, now=NOW + timedelta(days=1))
    take_back_debit(debit_id=made.pk, reason="It was not", by="petra", now=NOW + SECOND)
    assert earliest_end(world.contract) == APRIL + SECOND


def test_it_stands_on_the_last_invoice_where_the_contract_ends_right_behind_it(world: World) -> None:
    add_debit(
        invoice_id=Invoice.objects.get().pk, amount=debit().amount, reason="More", by="petra", now=NOW + 5 * SECOND
    )
    terminate_contract(contract=world.contract, at=NOW + 6 * SECOND, now=NOW + timedelta(days=1))
    last = close_period(period_id=world.period(APRIL).id, now=NOW + timedelta(days=1)).invoice
    assert last is not None
    assert [line.amount for line in last.lines.filter(rule="debit_correction")] == [30, 30]
