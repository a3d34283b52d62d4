"""A contract that is over gets a last bill for what came late, and none where nothing is to be adjusted."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.adjusting.last_bills import bill_late, contracts_with_late_usage
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period, due_periods
from billing.ledger import balances
from billing.models import AccountKind, BillingPeriod, Contract, ContractState, PeriodState
from billing.rating.late import RULE_LATE
from billing.tenant_balances import balance_of
from tests.billing.adjusting.late import JUNE, MAY, Late, late_world
from tests.billing.adjusting.test_restatements import MILLION, wrong
from tests.billing.world import APRIL
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

LATER = APRIL + timedelta(days=9)


def ended_world(fee_percent: int = 0) -> Late:
    """A contract of March alone, closed at 36.00."""
    late = late_world()
    late.use(25 * MILLION)
    Contract.objects.filter(pk=late.world.contract.pk).update(to_at=APRIL, operator_fee_percent=fee_percent)
    late.world.contract.refresh_from_db()
    late.close()
    late.world.contract.refresh_from_db()
    assert late.world.contract.state == ContractState.ENDED
    return late


late = kept(ended_world)


def test_what_comes_after_the_last_period_is_billed_once_at_the_end_of_the_month_it_came_in(late: Late) -> None:
    late.use(MILLION, stored_at=LATER)
    assert contracts_with_late_usage() == [late.world.contract.pk]
    assert bill_late(contract_id=late.world.contract.pk, now=LATER)
    late.use(MILLION, stored_at=LATER + timedelta(days=1))
    assert bill_late(contract_id=late.world.contract.pk, now=LATER + timedelta(days=2))
    last = late.world.period(APRIL)
    assert (last.to_at, last.state) == (MAY, PeriodState.OPEN)
    assert due_periods(now=MAY) == [last.pk]

    closed = close_period(period_id=last.pk, now=MAY)

    assert closed.state is CloseState.CLOSED
    assert closed.invoice is not None
    assert [(line.rule, line.amount) for line in closed.invoice.lines.all()] == [(RULE_LATE, Decimal(2))]
    assert ensure_periods(contract=late.world.contract, now=JUNE) == []
    assert BillingPeriod.objects.filter(state=PeriodState.OPEN).count() == 0
    assert wrong() == []


def test_usage_that_changes_nothing_makes_no_bill(late: Late) -> None:
    late.use(0, stored_at=LATER)
    assert not bill_late(contract_id=late.world.contract.pk, now=LATER + timedelta(hours=1))
    assert BillingPeriod.objects.count() == 1
    assert contracts_with_late_usage() == []


def test_a_contract_that_goes_on_shows_it_in_its_draft() -> None:
    late = late_world()
    late.use(25 * MILLION)
    late.close()
    late.use(MILLION, stored_at=LATER)
    assert bill_late(contract_id=late.world.contract.pk, now=LATER)
    assert [row.amount for row in late.world.period(APRIL).adjusted_by.all()] == [1]
    assert BillingPeriod.objects.count() == 2


def test_credit_that_the_last_bill_leaves_goes_to_the_balance_of_the_tenant() -> None:
    make_organization("operator", is_operator=True, is_tenant=False)
    late = ended_world(fee_percent=10)
    late.use(-25 * MILLION, stored_at=LATER)
    assert bill_late(contract_id=late.world.contract.pk, now=LATER)
    closed = close_period(period_id=late.world.period(APRIL).pk, now=MAY)
    assert closed.invoice is not None
    assert closed.invoice.total == 0
    world = late.world
    kept = balance_of(tenant_id=world.tenant.pk, issuer_id=world.provider.pk, currency="USD")
    assert kept == 36
    payable = {kind: amount for (kind, _), amount in balances(organization_id=world.provider.pk).items()}
    assert payable[AccountKind.PROVIDER_PAYABLE] == 0
    late.use(25 * MILLION, stored_at=MAY + timedelta(days=2))
    assert bill_late(contract_id=world.contract.pk, now=MAY + timedelta(days=3))
    again = close_period(period_id=world.period(MAY).pk, now=JUNE)
    assert again.invoice is not None
    assert again.invoice.total == 36
    assert wrong() == []
