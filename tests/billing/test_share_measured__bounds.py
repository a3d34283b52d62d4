"""What facts of the meter are of: a share's own deployments and time, and marks as whole words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.bases import read_basis
from billing.rating.availability import MeasuredAvailability
from billing.rating.inputs import Fact
from billing.rating.share_facts import InterruptedCounts, WitnessCounts
from billing.usage_spans import Window
from clusters.models import Binding
from metering.control_models import Silence, SilenceEnd
from metering.models import UsageHour, Witness
from tests.billing.sharing import share
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept
from tests.metering.forging import forge

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
HOUR_MS = 3_600_000


@kept
def world() -> World:
    return make_world(tokens={(MODEL, name): "1" for name in ("input", "output")})


def facts_of(shared: Shared, **window: Any) -> tuple[Fact, ...]:
    terms = read_basis(Window(shared.term.contract, MARCH, APRIL, **window)).terms
    (found,) = (each for each in terms if each.ref == shared.term.ref)
    return found.facts


@kept
def shared(world: World) -> Shared:
    return share(world, Witness.GATEWAY, guarantee={"amount_per_span": "2880"})


@kept
def shared_made(world: World) -> Shared:
    return share(world, Witness.ENGINE, interrupted_streams="as_delivered")


def test_each_share_is_compared_by_its_own_deployments(world: World) -> None:
    first, second = (share(world, Witness.GATEWAY, outside_tolerance="bill_lower") for _ in range(2))
    for shared, engine in ((first, 90), (second, 40)):
        shared.use({"output": engine}, witness=Witness.ENGINE)
    for shared, engine in ((first, 90), (second, 40)):
        (fact,) = facts_of(shared)
        assert isinstance(fact, WitnessCounts)
        assert (fact.deployment, fact.engine, fact.gateway) == (str(shared.deployment.id), engine, 0)


def test_counts_of_other_months_are_not_compared(world: World) -> None:
    shared = share(world, Witness.GATEWAY, outside_tolerance="bill_lower")
    shared.use({"output": 10}, witness=Witness.GATEWAY)
    shared.use({"output": 7}, at=APRIL, witness=Witness.ENGINE)
    shared.use({"output": 5}, at=APRIL - HOUR, witness=Witness.ENGINE)
    (fact,) = facts_of(shared)
    assert isinstance(fact, WitnessCounts)
    assert (fact.engine, fact.gateway) == (5, 10)


@pytest.mark.parametrize(("marks", "delivered"), [("interrupted", 120), ("uninterrupted", 0), ("", 0)])
def test_a_mark_is_a_whole_word(marks: str, delivered: int, shared_made: Shared) -> None:
    shared = shared_made
    shared.use({"output": 1_000, "finished_output": 700}, witness=Witness.ENGINE)
    shared.use({"output": 700}, witness=Witness.GATEWAY)
    shared.use({"output": 120}, at=MARCH + HOUR, witness=Witness.GATEWAY)
    forge(UsageHour.objects.filter(from_at=MARCH + HOUR), marks=marks)
    assert sum(fact.delivered for fact in facts_of(shared) if isinstance(fact, InterruptedCounts)) == delivered


def test_silences_that_overlap_count_once_and_of_other_nodes_not_at_all(world: World, shared: Shared) -> None:
    Binding.objects.filter(deployment=shared.deployment).update(from_at=MARCH)
    for node, start, hours in (
        (shared.endpoint.node, 10, 6),
        (shared.endpoint.node, 10, 9),
        (world.make_node(), 12, 48),
    ):
        at = MARCH + start * DAY
        Silence.objects.create(node=node, from_at=at, to_at=at + hours * HOUR, end=SilenceEnd.MISSED, found_at=at)
    assert facts_of(shared) == (MeasuredAvailability(held_gpu_ms=31 * 24 * HOUR_MS, lost_gpu_ms=9 * HOUR_MS),)


def test_a_node_that_serves_no_more_is_neither_held_nor_lost(shared: Shared) -> None:
    Binding.objects.filter(deployment=shared.deployment).update(from_at=MARCH, to_at=MARCH + 10 * DAY)
    at = MARCH + 9 * DAY
    Silence.objects.create(
        node=shared.endpoint.node, from_at=at, to_at=at + 3 * DAY, end=SilenceEnd.MISSED, found_at=at
    )
    assert facts_of(shared) == (MeasuredAvailability(held_gpu_ms=240 * HOUR_MS, lost_gpu_ms=24 * HOUR_MS),)
