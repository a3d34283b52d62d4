"""A lease's availability is that by which billing credits and leaves out time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from billing.charging import ensure_periods
from billing.contracting import add_term
from billing.models import TermFact
from billing.queries.availability import availability_of
from billing.rating.availability import AvailabilityWording, Step
from billing.rating.held_time import Outage
from billing.rating.kinds import write_fact
from billing.rating.lease_wording import LeaseWording
from metering.control_models import Silence, SilenceEnd
from tests.billing.let import DAY, END, FIXED, START, fresh, make_floor, reserved
from tests.billing.world import MARCH, World
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Term

pytestmark = pytest.mark.django_db

HELD_MS = 2 * 14 * 86_400_000
LOST = 6 * 3_600_000 * 2
STEPS = (Step(below_percent=Decimal(99), credit_percent=Decimal(25)),)


@kept
def world() -> World:
    """Four cards of a node that did not look for six hours from the start of the lease on."""
    made = make_floor()
    ensure_periods(contract=made.contract, now=MARCH)
    Silence.objects.create(
        node=made.nodes[0], from_at=START, to_at=START + timedelta(hours=6), end=SilenceEnd.MISSED, found_at=START
    )
    return made


def ladder(world: World, *causes: str, refs: tuple[str, ...] = ()) -> Term:
    wording = AvailabilityWording(ladder=STEPS, causes=causes, refs=refs)
    return add_term(contract=world.contract, wording=wording, from_at=MARCH, to_at=None, now=MARCH, title="")


def test_what_the_meter_tells_counts_where_no_term_says_what_does(world: World) -> None:
    lease = reserved(world, wording=FIXED)
    found = availability_of(fresh(lease), END + DAY)
    assert found is not None
    assert (found.from_at, found.to_at, found.lost_gpu_ms) == (START, END, LOST)
    assert found.fraction == 1 - Fraction(LOST, HELD_MS)
    assert availability_of(fresh(lease), START) is None
    half = availability_of(fresh(lease), START + timedelta(hours=12))
    assert half is not None
    assert half.fraction == Fraction(1, 2)


def test_the_causes_of_a_lease_count_and_those_of_its_ladders_before_them(world: World) -> None:
    plain = LeaseWording(price_per_gpu_hour=Decimal(2), provider_fault=("card_lost",))
    lease = fresh(reserved(world, wording=plain))
    assert getattr(availability_of(lease, END), "lost_gpu_ms", None) == 0
    ladder(world, "card_lost", refs=("L-another",))
    assert getattr(availability_of(lease, END), "lost_gpu_ms", None) == 0
    ladder(world, "node_silent", refs=(lease.ref,))
    assert getattr(availability_of(lease, END), "lost_gpu_ms", None) == LOST


def test_what_the_provider_stated_counts_too(world: World) -> None:
    lease = fresh(reserved(world, wording=FIXED))
    term = ladder(world, "maintenance")
    held = lease.allocations.select_related("allocation__slice").first()
    assert held is not None
    out = Outage(
        subject=str(held.allocation.slice.accelerator_id), cause="maintenance", from_at=START, to_at=START + DAY
    )
    TermFact.objects.create(term=term, at=START, document=write_fact(out), recorded_by="petra", recorded_at=START)
    found = availability_of(lease, END)
    assert found is not None
    assert found.lost_gpu_ms == 86_400 * 1_000
