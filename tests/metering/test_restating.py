"""Bindings, leases and cuts that are stored after the usage was rolled up: a sweep moves the usage."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from clusters.models import Binding, Deployment, Endpoint, Slice
from metering.adjustment_models import RollupOwners, UsageAdjustment
from metering.models import UsageCut, UsageHour
from metering.rebuild import node_differences
from metering.restating import nodes_to_check, restate_node
from metering.tasks import restate_usage
from metering.wire import AcceleratorSeen
from tests.factories import make_allocation, make_deployment
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON, NOON_MS, FakeAgent, column, energy, make_agent, meter, roll_up, total

if TYPE_CHECKING:
    from tests.factories import Cast

MINUTE = timedelta(minutes=1)
STEP_MS = 10_000
LATER = NOON + timedelta(hours=2)


@kept
def agent(cast: Cast) -> FakeAgent:
    """A node with 361 readings of a register that rises by 1,000 a reading, rolled up."""
    agent = make_agent(cast.provider)
    agent.ship(
        column(meter(), [1_000 * tick for tick in range(361)], [NOON_MS + STEP_MS * tick for tick in range(361)])
    )
    roll_up(agent.node)
    return agent


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def bind(deployment: Deployment, minute: int = 0) -> None:
    Binding.objects.create(
        deployment=deployment, endpoint=Endpoint.objects.get(), model=MODEL, from_at=NOON + minute * MINUTE
    )


def test_a_binding_stored_late_moves_the_usage_once(agent: FakeAgent, deployment: Deployment) -> None:
    bind(deployment, minute=15)
    assert restate_usage(hint="ignored") == 2
    assert (total(deployment=deployment), total(deployment=None)) == (270_000, 90_000)
    assert restate_usage() == 0
    assert restate_node(node_id=agent.node.id, now=LATER) == 0
    assert node_differences(node=agent.node, from_at=None, to_at=None) == []


@pytest.mark.parametrize("place", [1, 2])
def test_a_binding_stored_while_a_chunk_is_rolled_up_is_not_lost(
    agent: FakeAgent, deployment: Deployment, place: int
) -> None:
    """It is committed just before one of the reads of bindings of that rollup."""
    reads = 0

    def execute(run: Any, sql: str, *others: Any) -> Any:
        nonlocal reads
        if sql.startswith("SELECT") and 'FROM "clusters_binding"' in sql:
            reads += 1
            if reads == place:
                bind(deployment, minute=60)
        return run(sql, *others)

    times = [NOON_MS + 3_600_000 + STEP_MS * tick for tick in range(1, 4)]
    agent.ship(column(meter(), [360_000 + 1_000 * tick for tick in range(1, 4)], times, first_seq=362))
    with connection.execute_wrapper(execute):
        roll_up(agent.node)
        assert reads >= 2
    restate_node(node_id=agent.node.id, now=LATER)
    assert total(deployment=deployment) == 3_000


def test_a_price_cut_stored_late_parts_the_hour_there(agent: FakeAgent, deployment: Deployment) -> None:
    bind(deployment)
    restate_node(node_id=agent.node.id, now=LATER)
    instant = NOON + 17 * MINUTE + timedelta(seconds=5)
    UsageCut.objects.create(deployment=deployment, at=instant)
    restate_node(node_id=agent.node.id, now=LATER)
    rows = UsageHour.objects.filter(deployment=deployment)
    before, after = (sum(row.value for row in rows if row.from_at == at) for at in (NOON, instant))
    assert (before, after) == (102_500, 257_500)


def test_a_deployment_that_ends_in_the_past_gives_its_usage_back(agent: FakeAgent, deployment: Deployment) -> None:
    bind(deployment)
    restate_node(node_id=agent.node.id, now=LATER)
    Deployment.objects.filter(pk=deployment.pk).update(to_at=NOON + 50 * MINUTE)
    restate_node(node_id=agent.node.id, now=LATER)
    assert (total(deployment=deployment), total(deployment=None)) == (300_000, 60_000)
    assert UsageAdjustment.objects.count() == 2


def test_a_change_noticed_by_rollup_waits_for_the_sweep(agent: FakeAgent, deployment: Deployment) -> None:
    bind(deployment, minute=30)
    agent.ship(column(meter(), [361_000], [NOON_MS + 361 * STEP_MS], first_seq=362))
    roll_up(agent.node)
    assert RollupOwners.objects.get().restate_from_at == NOON + 30 * MINUTE
    assert total(deployment=deployment) == 1_000
    assert list(nodes_to_check(now=NOON)) == [agent.node.id]
    restate_usage()
    assert total(deployment=deployment) == 181_000


def test_a_binding_from_now_on_moves_nothing(agent: FakeAgent, deployment: Deployment) -> None:
    bind(deployment, minute=60)
    assert restate_usage() == 0
    assert UsageAdjustment.objects.count() == 0
    assert RollupOwners.objects.get().restate_from_at is None


def test_a_stop_that_is_told_ten_minutes_late_gives_ten_minutes_back(cast: Cast) -> None:
    """G4, as the energy of a lease: what was counted past its end is taken away, linked to what it was counted in."""
    agent = make_agent(cast.provider)
    agent.ship(accelerators=[AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_559, None, False, [], None)])
    lease = make_allocation(Slice.objects.get(), cast.tenant, NOON, None)
    times = [NOON_MS + STEP_MS * tick for tick in range(181)]
    agent.ship(column(energy("GPU-1"), [10_000 * tick for tick in range(181)], times))
    roll_up(agent.node)
    lease.to_at = NOON + 20 * MINUTE
    lease.save(update_fields=["to_at"])
    restate_usage()
    original = UsageHour.objects.get(tenant=cast.tenant, adjustment=None, quality="A")
    (back,) = UsageHour.objects.filter(tenant=cast.tenant).exclude(adjustment=None)
    assert (original.value, back.value, back.adjusts_id) == (1_800_000, -600_000, original.id)
