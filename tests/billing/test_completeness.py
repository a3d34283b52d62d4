from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.charging import ensure_periods
from billing.completeness import missing_reports, serving_nodes
from billing.models import Contract
from clusters.models import Allocation, Binding, Node
from metering.control_models import GatewaySource
from metering.models import Witness
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

TENTH = datetime(2026, 3, 10, tzinfo=UTC)


def waited_for(world: World) -> list[str]:
    ensure_periods(contract=world.contract, now=MARCH)
    return sorted(row["name"] for row in missing_reports(period=world.period()))


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "input"): "1"})


world_made = kept(make_world)


def test_nodes_of_leased_slices_and_of_bound_endpoints_must_report_past_the_end(world: World) -> None:
    world.lease(1)
    world.share()
    world.make_node()
    leased, bound, _ = world.nodes
    assert waited_for(world) == sorted([leased.name, bound.name])
    world.rolled(leased, APRIL - timedelta(seconds=1))
    world.rolled(bound, APRIL)
    assert waited_for(world) == [leased.name]


def test_a_node_is_needed_up_to_the_end_of_what_it_served(world: World) -> None:
    world.lease(1, to_at=TENTH)
    world.share()
    Binding.objects.update(to_at=TENTH + HOUR)
    ensure_periods(contract=world.contract, now=MARCH)
    assert set(serving_nodes(period=world.period()).values()) == {TENTH, TENTH + HOUR}
    for node in world.nodes:
        world.rolled(node, TENTH + HOUR)
    assert waited_for(world) == []


def test_what_was_held_before_or_is_held_after_the_period_is_not_waited_for(world_made: World) -> None:
    world = world_made
    world.lease(1, from_at=APRIL)
    assert waited_for(world) == []
    Allocation.objects.update(from_at=MARCH - HOUR, to_at=MARCH)
    assert waited_for(world) == []


def test_a_node_without_an_agent_or_revoked_before_is_not_expected_to_report(world_made: World) -> None:
    world = world_made
    world.lease(1)
    [node] = world.nodes
    Node.objects.filter(pk=node.pk).update(revoked_at=TENTH)
    assert waited_for(world) == [node.name]
    Node.objects.filter(pk=node.pk).update(revoked_at=MARCH)
    assert waited_for(world) == []
    Node.objects.filter(pk=node.pk).update(revoked_at=None, public_key=None)
    assert waited_for(world) == []


def behind(world: World, now: datetime) -> list[tuple[str, str | None]]:
    ensure_periods(contract=world.contract, now=MARCH)
    rows = missing_reports(period=world.period(), now=now)
    return [(row["source"], row["complete_to_at"]) for row in rows if row["kind"] == "source"]


def test_a_gateway_that_bills_must_have_sent_everything_before_the_end(world: World) -> None:
    shared = world.share(rolled_to_at=APRIL)
    shared.use({"input": 10}, at=APRIL - 2 * HOUR)
    assert behind(world, APRIL) == []
    source = GatewaySource.objects.create(
        reporter=world.tenant, source="sample", complete_to_at=APRIL - HOUR, told_at=APRIL
    )
    assert behind(world, APRIL) == [("sample", (APRIL - HOUR).isoformat())]
    GatewaySource.objects.filter(pk=source.pk).update(complete_to_at=APRIL)
    assert behind(world, APRIL) == []


def test_a_gateway_that_never_tells_is_given_the_time_of_the_contract(world: World) -> None:
    world.share(rolled_to_at=APRIL).use({"input": 10}, at=APRIL - 2 * HOUR)
    Contract.objects.filter(pk=world.contract.pk).update(event_grace_minutes=15)
    assert behind(world, APRIL + timedelta(minutes=14)) == [("sample", None)]
    assert behind(world, APRIL + timedelta(minutes=15)) == []


def test_a_gateway_that_tells_but_sent_nothing_is_waited_for_until_it_has_retired(world: World) -> None:
    world.share(rolled_to_at=APRIL)
    GatewaySource.objects.create(
        reporter=world.tenant, source="cut off", complete_to_at=APRIL - HOUR, told_at=APRIL - HOUR
    )
    assert behind(world, APRIL) == [("cut off", (APRIL - HOUR).isoformat())]
    GatewaySource.objects.update(told_at=APRIL - timedelta(hours=49))
    assert behind(world, APRIL) == []


def test_where_the_engine_bills_no_gateway_is_waited_for(world: World) -> None:
    world.share(witness=Witness.ENGINE, rolled_to_at=APRIL)
    GatewaySource.objects.create(reporter=world.tenant, source="control", complete_to_at=MARCH, told_at=APRIL)
    assert behind(world, APRIL) == []
