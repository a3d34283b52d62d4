"""What the demo waits for, read from rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.models import BillingPeriod, Invoice, InvoiceState, Settlement, SettlementState
from forecourt.demo.plan import instant
from forecourt.demo.waiting import all_are_paid, due_periods_are_closed, everything_is_rolled_up, invoices_to_pay
from metering.models import NodeCursor, RollupCursor
from tests.billing.world import APRIL
from tests.factories import EPOCH, make_cluster, make_node
from tests.filled import fill
from tests.forecourt.demo.worlds import small_plan
from tests.metering.stored import store_event

if TYPE_CHECKING:
    from forecourt.demo.plan import Plan
    from tests.factories import Cast


@pytest.fixture
def plan() -> Plan:
    return small_plan(requests=10)


def reported(cast: Cast, plan: Plan) -> None:
    """Every node of the plan reported to the end and is rolled up."""
    cluster = make_cluster(cast.provider)
    for planned in plan.nodes:
        node = make_node(cluster, planned.name)
        NodeCursor.objects.filter(node=node).update(last_seq=3, metered_to_at=instant(plan.end_ms))
        RollupCursor.objects.filter(node=node).update(rolled_seq=3)


def test_everything_is_rolled_up_once_nothing_waits(cast: Cast, plan: Plan) -> None:
    assert not everything_is_rolled_up(plan)
    reported(cast, plan)
    assert everything_is_rolled_up(plan)


def test_a_batch_behind_is_waited_for(cast: Cast, plan: Plan) -> None:
    reported(cast, plan)
    RollupCursor.objects.filter(node__name=plan.nodes[0].name).update(rolled_seq=2)
    assert not everything_is_rolled_up(plan)


def test_a_node_that_is_silent_before_the_end_is_waited_for(cast: Cast, plan: Plan) -> None:
    reported(cast, plan)
    early = instant(plan.month_from_ms)
    NodeCursor.objects.filter(node__name=plan.nodes[0].name).update(metered_to_at=early)
    assert not everything_is_rolled_up(plan)


def test_an_event_in_the_queue_is_waited_for(cast: Cast, plan: Plan) -> None:
    reported(cast, plan)
    store_event(cast.tenant, EPOCH, model="sample-model")
    assert not everything_is_rolled_up(plan)


def test_only_periods_that_have_ended_are_due(cast: Cast) -> None:
    filled = fill(cast)
    assert due_periods_are_closed(APRIL)
    contract = filled.invoice.contract
    BillingPeriod.objects.filter(contract=contract, from_at__gte=APRIL).delete()
    BillingPeriod.objects.create(contract=contract, from_at=APRIL, to_at=APRIL + timedelta(days=30))
    assert due_periods_are_closed(APRIL)
    assert not due_periods_are_closed(APRIL + timedelta(days=30))


def test_an_invoice_is_paid_once_it_is_at_stripe(cast: Cast) -> None:
    invoice = fill(cast).invoice
    assert not all_are_paid()
    assert list(invoices_to_pay()) == []
    Settlement.objects.filter(invoice=invoice).update(state=SettlementState.WAIT, stripe_invoice_id="in_1")
    assert list(invoices_to_pay()) == ["in_1"]
    assert Invoice.objects.filter(state=InvoiceState.ISSUED).count() == 1


def test_what_is_too_small_to_collect_is_not_waited_for(cast: Cast) -> None:
    invoice = fill(cast).invoice
    Settlement.objects.filter(invoice=invoice).update(state=SettlementState.BELOW_MINIMUM)
    assert all_are_paid()
