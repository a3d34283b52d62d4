"""Facts of the meter come where a wording goes by them, in a number of queries that does not grow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.bases import read_basis
from billing.basis import rate
from billing.rating.availability import MeasuredAvailability
from billing.rating.inputs import Fact
from billing.rating.share_facts import InterruptedCounts, WitnessCounts
from billing.usage_spans import Window
from clusters.models import Binding
from metering.control_models import Silence, SilenceEnd
from metering.models import UsageHour, Witness
from tests.billing.sharing import agree, share
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept
from tests.metering.forging import forge

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_world(tokens={(MODEL, name): "1" for name in ("input", "output")})


def facts_of_term(shared: Shared, **window: Any) -> tuple[Fact, ...]:
    (found,) = read_basis(Window(shared.term.contract, MARCH, APRIL, **window)).terms
    return found.facts


def test_a_wording_that_goes_by_one_witness_reads_no_other(world: World) -> None:
    shared = world.share()
    shared.use({"output": 5})
    assert facts_of_term(shared) == ()


@pytest.mark.parametrize("witness", [Witness.GATEWAY, Witness.ENGINE])
def test_both_counts_are_facts_where_the_tolerance_decides(world: World, witness: Witness) -> None:
    shared = share(world, witness, outside_tolerance="bill_lower")
    shared.use({"output": 100, "input": 50, "reasoning": 7}, witness=Witness.GATEWAY)
    shared.use({"output": 90, "input": 50}, witness=Witness.ENGINE)
    facts = facts_of_term(shared)
    assert [type(fact) for fact in facts] == [WitnessCounts, WitnessCounts]
    counts = {fact.token_class: fact for fact in facts if isinstance(fact, WitnessCounts)}
    assert (counts["output"].engine, counts["output"].gateway) == (90, 100)
    assert (counts["input"].engine, counts["input"].gateway) == (50, 50)
    rated = rate(read_basis(Window(shared.term.contract, MARCH, APRIL)))
    assert sum(int(line.quantity) for line in rated.lines if line.token_class == "output") == 90


def test_what_is_held_waits_as_unpriced(world: World) -> None:
    shared = share(world, Witness.GATEWAY, outside_tolerance="hold_and_ask")
    shared.use({"output": 100}, witness=Witness.GATEWAY)
    shared.use({"output": 90}, witness=Witness.ENGINE)
    rated = rate(read_basis(Window(shared.term.contract, MARCH, APRIL)))
    assert [(each.reason.value, int(each.quantity)) for each in rated.unpriced] == [("witnesses_differ", 10)]


def test_interrupted_answers_of_an_engine_are_what_it_made_beyond_what_reached_the_client(world: World) -> None:
    shared = share(world, Witness.ENGINE, interrupted_streams="as_delivered")
    shared.use({"output": 1_000, "finished_output": 700}, witness=Witness.ENGINE)
    shared.use({"output": 700}, witness=Witness.GATEWAY)
    shared.use({"output": 120}, at=MARCH + HOUR, witness=Witness.GATEWAY)
    forge(UsageHour.objects.filter(from_at=MARCH + HOUR), marks="batch+interrupted")
    (fact,) = facts_of_term(shared)
    assert isinstance(fact, InterruptedCounts)
    assert (fact.measured, fact.delivered) == (120 + 180, 120)
    rated = rate(read_basis(Window(shared.term.contract, MARCH, APRIL)))
    assert sum(int(line.quantity) for line in rated.lines) == 1_000 - 180


def test_availability_is_of_the_nodes_that_a_share_ran_on(world: World) -> None:
    shared = share(world, Witness.GATEWAY, guarantee={"amount_per_span": "2880"})
    node = shared.endpoint.node
    Binding.objects.filter(deployment=shared.deployment).update(from_at=MARCH + 24 * HOUR)
    for start, hours, end in ((10, 6, SilenceEnd.FILLED), (12, 12, SilenceEnd.MISSED), (-5, 1, SilenceEnd.MISSED)):
        at = MARCH + timedelta(days=start)
        Silence.objects.create(node=node, from_at=at, to_at=at + hours * HOUR, end=end, found_at=at)
    Silence.objects.create(node=node, from_at=APRIL - 3 * HOUR, found_at=APRIL)
    (fact,) = facts_of_term(shared)
    hour_ms = 3_600_000
    assert fact == MeasuredAvailability(held_gpu_ms=30 * 24 * hour_ms, lost_gpu_ms=15 * hour_ms)
    whole = Window(shared.term.contract, MARCH, APRIL)
    assert rate(read_basis(whole)).exact_total == 2_880 - 2_880 * 15 // (30 * 24)


def test_a_guarantee_without_proration_measures_nothing(world: World) -> None:
    shared = share(world, Witness.GATEWAY, guarantee={"amount_per_span": "5", "prorated_by_availability": False})
    assert facts_of_term(shared) == ()


def test_each_stretch_is_compared_by_itself(world: World) -> None:
    shared = world.share()
    agree(shared.term, at=MARCH + 24 * HOUR, outside_tolerance="bill_lower")
    for hour in (1, 25):
        shared.use({"output": 100}, at=MARCH + hour * HOUR, witness=Witness.GATEWAY)
        shared.use({"output": 50}, at=MARCH + hour * HOUR, witness=Witness.ENGINE)
    (fact,) = facts_of_term(shared)
    assert isinstance(fact, WitnessCounts)
    assert (fact.from_at, fact.engine, fact.gateway) == (MARCH + 24 * HOUR, 50, 100)


def test_more_shares_and_usage_need_no_more_queries(world: World) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            read_basis(Window(world.contract, MARCH, APRIL))
        return len(caught)

    document: dict[str, Any] = {"outside_tolerance": "bill_lower", "guarantee": {"amount_per_span": "5"}}
    share(world, Witness.GATEWAY, **document).use({"output": 5})
    before = queries()
    for hour in range(3):
        more = share(world, Witness.GATEWAY, **document)
        more.use({"output": 5, "input": 3}, at=MARCH + hour * HOUR)
        more.use({"output": 5}, at=MARCH + hour * HOUR, witness=Witness.ENGINE)
    assert queries() == before
