from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.contracting import ContractNotActive
from billing.holding import WrongTerms
from billing.models import ContractState
from billing.terminating import TerminationTooEarly, terminate_contract
from clusters.models import Allocation
from metering.models import UsageCut
from tenants.models import AuditEntry
from tenants.sentences import Sentence
from tests.billing.world import APRIL, MODEL, make_world

pytestmark = pytest.mark.django_db

TENTH = datetime(2026, 3, 10, tzinfo=UTC)
TWENTIETH = datetime(2026, 3, 20, 12, tzinfo=UTC)


def test_termination_ends_what_is_held_and_cuts_the_open_period() -> None:
    world = make_world(tokens={(MODEL, "input"): "1"})
    shared = world.share()
    running = world.lease(1, from_at=TENTH)
    later = world.lease(1, from_at=datetime(2026, 3, 25, tzinfo=UTC))
    later_slice = Allocation.objects.get(term_allocation__term=later).slice
    ensure_periods(contract=world.contract, now=TENTH)
    at = TWENTIETH + timedelta(minutes=20)

    terminate_contract(contract=world.contract, at=at, now=TWENTIETH, actor="alice@example.com")

    world.contract.refresh_from_db()
    assert (world.contract.state, world.contract.to_at) == (ContractState.TERMINATED, at)
    assert world.period().to_at == at
    running.refresh_from_db()
    shared.term.refresh_from_db()
    assert running.to_at == shared.term.to_at == at
    assert set(Allocation.objects.values_list("to_at", flat=True)) == {at}
    later.refresh_from_db()
    assert (later.from_at, later.stretches()) == (later.to_at, ())
    assert not Allocation.objects.filter(slice=later_slice).exists()
    assert UsageCut.objects.filter(deployment=shared.deployment, at=at).exists()
    assert AuditEntry.objects.get().actor == "alice@example.com"
    with pytest.raises(ContractNotActive):
        terminate_contract(contract=world.contract, at=at, now=TWENTIETH)


def test_a_terminated_lease_is_billed_to_the_second_it_ended_even_when_charged_further() -> None:
    world = make_world()
    world.lease(1, from_at=TENTH, price="3600")
    ensure_periods(contract=world.contract, now=TENTH)
    charge_period(period_id=world.period().id, up_to=TWENTIETH, now=TWENTIETH)
    at = TENTH + timedelta(hours=1, seconds=1)
    terminate_contract(contract=world.contract, at=at, now=TWENTIETH)
    closed = close_period(period_id=world.period().id, now=TWENTIETH + timedelta(days=3))
    assert closed.invoice is not None
    assert closed.invoice.total == Decimal("3601.00")
    world.contract.refresh_from_db()
    assert world.contract.state == ContractState.TERMINATED


def test_a_contract_cannot_end_in_a_period_that_is_over() -> None:
    world = make_world(to_at=datetime(2026, 6, 1, tzinfo=UTC))
    ensure_periods(contract=world.contract, now=APRIL)
    for at in (TENTH, APRIL):
        with pytest.raises(TerminationTooEarly, match="2026-04-01"):
            terminate_contract(contract=world.contract, at=at, now=APRIL)
    with pytest.raises(WrongTerms, match="by itself") as refused:
        terminate_contract(contract=world.contract, at=datetime(2026, 7, 1, tzinfo=UTC), now=APRIL)
    assert isinstance(refused.value.said, Sentence)
    assert refused.value.extra == {"field": "ends_at", "example": "2026-06-01T00:00:00+00:00"}
