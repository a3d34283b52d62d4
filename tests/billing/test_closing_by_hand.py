"""Closing when a person asks: what the sweep does, and who asked is kept with it or not at all."""

from __future__ import annotations

import pytest
from django.db import DataError

from billing.charging import ensure_periods
from billing.closing import CloseState
from billing.closing_by_hand import close_now
from billing.models import Invoice, PeriodState
from tenants.models import AuditEntry
from tests.billing.world import APRIL, MARCH, make_world

pytestmark = pytest.mark.django_db
UNWRITABLE = "petra\x00"
"""PostgreSQL keeps no text with a zero in it."""


def test_a_period_does_not_close_where_it_cannot_be_kept_who_asked() -> None:
    world = make_world()
    world.lease(1, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    period = world.period()
    with pytest.raises(DataError, match="NUL"):
        close_now(period_id=period.pk, actor=UNWRITABLE, now=APRIL, stripe_ready=False)
    assert world.period().state == PeriodState.OPEN
    assert not Invoice.objects.exists()
    closed = close_now(period_id=period.pk, actor="petra", now=APRIL, stripe_ready=False)
    assert closed.state is CloseState.CLOSED
    assert closed.invoice is not None
    [entry] = AuditEntry.objects.filter(action="period.closed")
    assert (entry.actor, entry.after) == ("petra", {"period": MARCH.isoformat(), "invoice": closed.invoice.number})
