"""What the meter says of held cards, and the period after this one: read only where a wording asks."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.bases import read_basis
from billing.basis import rate
from billing.contracting import open_contract
from billing.leasing import hold_lease_over
from billing.models import Term
from billing.rating.availability import AvailabilityWording, Step
from billing.rating.held_time import Outage
from billing.rating.inputs import Carried, facts_of
from billing.rating.lease_wording import Billed, LeaseAgreed, LeaseWording, NextPeriod
from billing.rating.rated import TermKind
from billing.rating.wording import Wording
from billing.term_versions import TermChange, add_version, said_over
from billing.usage_spans import Window
from metering.control_models import Silence
from metering.models import UsageGap
from tests.billing.let import DAY, END, FIXED, NOW, START, fresh, make_floor, reserved, wish
from tests.billing.world import APRIL, MARCH, World
from tests.kept import kept

pytestmark = pytest.mark.django_db
MAY = APRIL + 30 * DAY
FAULT = LeaseWording(price_per_gpu_hour=Decimal(2), provider_fault=("node_silent", "card_lost"))
LADDER = AvailabilityWording(
    ladder=(Step(below_percent=Decimal(99), credit_percent=Decimal(25)),), causes=("node_silent", "card_lost")
)


@kept
def world() -> World:
    return make_floor()


def march(world: World) -> Window:
    world.contract.refresh_from_db()
    return Window(world.contract, MARCH, APRIL, APRIL)


def add(world: World, wording: Wording, kind: TermKind, ref: str) -> Term:
    term = Term(contract=world.contract, kind=kind, ref=ref, title="", from_at=MARCH, created_at=MARCH)
    add_version(
        contract=world.contract,
        changes=[TermChange(term, said_over(wording, MARCH, None), {})],
        effective_at=MARCH,
        now=MARCH,
    )
    return term


def silence(world: World, hours: int, end: str = "missed") -> None:
    Silence.objects.create(
        node=world.nodes[0], from_at=START, to_at=START + timedelta(hours=hours), end=end, found_at=START
    )


def test_a_silent_nodes_time_is_not_billed_where_the_lease_says_so(world: World) -> None:
    reserved(world, wording=FAULT)
    silence(world, 6)
    rated = rate(read_basis(march(world)))
    by_rule = {line.rule: line.amount for line in rated.lines if line.rule == "lease_provider_fault"}
    assert by_rule == {"lease_provider_fault": Decimal(-24)}
    assert rated.exact_total == 2 * 2 * (14 * 24 - 6)


def test_a_silence_that_the_spool_filled_is_no_outage(world: World) -> None:
    reserved(world, wording=FAULT)
    silence(world, 6, "filled")
    assert rate(read_basis(march(world))).exact_total == 2 * 2 * 14 * 24


def test_a_lost_card_is_that_card_alone(world: World) -> None:
    lease = reserved(world, wording=FAULT)
    held = lease.allocations.select_related("allocation__slice__accelerator").first()
    assert held is not None
    UsageGap.objects.create(
        node=world.nodes[0],
        subject="accelerator",
        subject_id=held.allocation.slice.accelerator.uuid,
        from_at=START,
        to_at=START + timedelta(hours=3),
        reason="gpu_lost",
    )
    assert rate(read_basis(march(world))).exact_total == 2 * 2 * 14 * 24 - 6


def test_a_ladder_credits_what_the_meter_measured(world: World) -> None:
    reserved(world, wording=FIXED)
    add(world, LADDER, TermKind.AVAILABILITY, "A-1")
    silence(world, 24)
    rated = rate(read_basis(march(world)))
    (credit,) = (line for line in rated.lines if line.rule == "availability_credit")
    assert credit.amount == -Decimal(2 * 2 * 14 * 24) / 4


def test_nothing_is_read_that_no_wording_asks_for(world: World) -> None:
    reserved(world, wording=FIXED)
    window = march(world)
    with CaptureQueriesContext(connection) as plain:
        (term,) = read_basis(window).terms
    assert facts_of(term.facts, Outage) == []
    assert not any("silence" in query["sql"] or "usagegap" in query["sql"] for query in plain.captured_queries)


def test_a_lease_in_advance_is_told_of_the_next_period_and_its_holds(world: World) -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2), billed=Billed.ADVANCE)
    reserved(world, wish(1, MARCH + 30 * DAY, APRIL + 10 * DAY), wording)
    basis = read_basis(march(world))
    (term,) = basis.terms
    assert facts_of(term.facts, NextPeriod) == [NextPeriod(from_at=APRIL, to_at=MAY, whole_seconds=30 * 86_400)]
    first = rate(basis)
    assert first.exact_total == 2 * 24 + 2 * 240
    assert [(carry.name, carry.value) for carry in first.carries] == [("paid_in_advance_amount", Decimal(480))]
    early = read_basis(Window(world.contract, MARCH, APRIL - DAY / 2, APRIL))
    assert facts_of(early.terms[0].facts, NextPeriod) == []


def test_the_last_period_of_a_contract_has_no_next(world: World) -> None:
    wording = LeaseWording(price_per_gpu_hour=Decimal(2), billed=Billed.ADVANCE)
    reserved(world, wish(1, START, END), wording)
    type(world.contract).objects.filter(pk=world.contract.pk).update(to_at=APRIL)
    (term,) = read_basis(march(world)).terms
    assert facts_of(term.facts, NextPeriod) == []


def test_what_was_agreed_holds_in_every_later_period(world: World) -> None:
    lease = reserved(world, wording=LeaseWording(price_per_gpu_hour=Decimal(2), holdover_percent=Decimal(150)))
    hold_lease_over(lease=lease, to_at=APRIL + DAY, by="petra", now=END)
    assert fresh(lease).to_at == APRIL + DAY
    (term,) = read_basis(Window(world.contract, APRIL, MAY, MAY)).terms
    assert facts_of(term.facts, LeaseAgreed) == [LeaseAgreed(to_at=END)]
    assert facts_of(term.facts, Carried) == []
    (line,) = rate(read_basis(Window(world.contract, APRIL, MAY, MAY))).lines
    assert (line.rule, line.amount) == ("lease_holdover", Decimal(2 * 24 * 3))


def test_the_number_of_queries_does_not_grow_with_contracts(world: World) -> None:
    from billing.bases import read_bases

    reserved(world, wish(1), FAULT)
    other = open_contract(
        provider=world.provider, tenant=world.tenant, currency="USD", time_zone="UTC", from_at=MARCH, now=NOW
    )
    with CaptureQueriesContext(connection) as one:
        read_bases([march(world)])
    with CaptureQueriesContext(connection) as two:
        read_bases([march(world), Window(other, MARCH, APRIL, APRIL)])
    assert len(one) == len(two)
