"""A close that takes up late usage and is killed before a write leaves nothing behind, and the next one does all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from billing.closing import CloseState, close_period
from billing.models import Adjustment, Charge, Invoice, PeriodCarry, PeriodState
from tests.billing.adjusting.late import MAY, late_world
from tests.billing.adjusting.test_restatements import MILLION, wrong
from tests.billing.killed import Killed, at_write, counts_in, die
from tests.billing.world import APRIL


@pytest.mark.django_db
def test_an_exception_before_any_write_leaves_nothing_behind() -> None:
    late = late_world()
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, stored_at=APRIL + timedelta(days=9))
    late.use(MILLION, at=APRIL)
    period_id, now = late.world.period(APRIL).pk, MAY + timedelta(days=1)
    tables = (Adjustment, Charge, Invoice, PeriodCarry)
    before = counts_in(tables)
    place = 1
    while True:
        try:
            with connection.execute_wrapper(at_write(place, die)):
                closed = close_period(period_id=period_id, now=now)
        except Killed:
            assert counts_in(tables) == before
            period = late.world.period()
            assert (late.world.period(APRIL).state, period.restated_at) == (PeriodState.OPEN, None)
        else:
            break
        place += 1
    assert closed.state is CloseState.CLOSED
    assert place > 18
    assert [each.amount for each in Adjustment.objects.all()] == [1]
    assert wrong() == []
