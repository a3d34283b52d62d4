from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.ledger import balance
from billing.models import AccountKind
from tests.billing.world import APRIL, MARCH, MODEL, make_world

pytestmark = pytest.mark.django_db


def test_eight_leased_cards_from_the_tenth_cost_what_their_seconds_cost() -> None:
    world = make_world()
    world.lease(8, from_at=datetime(2026, 3, 10, 6, tzinfo=UTC), rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)

    closed = close_period(period_id=world.period().id, now=APRIL)

    assert closed.state is CloseState.CLOSED
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("9813.60")
    line = closed.invoice.lines.get()
    assert line.quantity == 8 * 522 * 3600
    assert line.unit == "gpu_seconds"
    assert line.sublines.count() == 22
    owed = balance(organization_id=world.tenant.id, kind=AccountKind.TENANT_RECEIVABLE, currency="USD")
    assert owed == Decimal("9813.60")


def test_a_share_of_the_azure_conversation_trace_is_five_dollars_and_one_cent() -> None:
    world = make_world(tokens={(MODEL, "input"): "0.60", (MODEL, "output"): "0.80"})
    shared = world.share(percent="30", rolled_to_at=APRIL)
    shared.use({"input": 22_361_870, "output": 4_088_665}, at=datetime(2026, 3, 16, 18, tzinfo=UTC))
    ensure_periods(contract=world.contract, now=MARCH)

    closed = close_period(period_id=world.period().id, now=APRIL)

    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("5.01")
    line = closed.invoice.lines.get()
    assert line.base_amount == Decimal("16.6880540")
    assert line.exact_amount == Decimal("5.0064162")
