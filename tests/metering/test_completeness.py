"""How far usage is known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from clusters.models import Node
from metering.completeness import freshness, nodes_of, pending_events, reported_to
from metering.models import RollupCursor
from metering.rollup_events import roll_up_events
from tests.factories import (
    make_accelerator,
    make_allocation,
    make_cluster,
    make_deployment,
    make_endpoint,
    make_node,
    make_slice,
)
from tests.metering.fleet import NOON, NOON_MS, URL, column, make_agent, meter, roll_up
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization
    from tests.factories import Cast


def rolled_to(node: Node, at: datetime | None) -> None:
    RollupCursor.objects.filter(node=node).update(rolled_to_at=at)


def test_a_node_is_reported_to_where_rollup_stands(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    other = make_node(agent.node.cluster)
    agent.ship(column(meter(), [0], [NOON_MS]))
    assert reported_to([agent.node.id]) == {agent.node.id: None}
    roll_up(agent.node)
    assert reported_to([agent.node.id, other.id]) == {agent.node.id: NOON, other.id: None}


def test_events_that_wait_are_counted_by_deployment_tenant_and_instant(cast: Cast) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, event("1"), event("2", occurred_at="2026-03-10T12:00:01Z"))
    send(cast.outsider, event("3"))
    later = NOON + timedelta(seconds=1)
    assert pending_events(before=later, deployment_ids=[deployment.id]) == 1
    assert pending_events(before=later + timedelta(seconds=1), tenant=cast.tenant) == 2
    assert pending_events(before=NOON, tenant=cast.tenant) == 0
    assert pending_events(before=later) == 0
    roll_up_events(now=NOON)
    assert pending_events(before=later, deployment_ids=[deployment.id], tenant=cast.tenant) == 0


def test_nodes_that_should_report_for_an_organization(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    make_node(agent.node.cluster, "without an agent")
    assert known_nodes(cast.provider) == {agent.node}
    assert known_nodes(cast.tenant) == set()
    make_deployment(cast.provider, cast.tenant, make_endpoint(agent.node, url=URL))
    assert known_nodes(cast.tenant) == {agent.node}
    leased = make_agent(cast.provider, "leased")
    make_allocation(make_slice(make_accelerator(leased.node)), cast.tenant, NOON)
    ended = make_agent(cast.provider, "ended")
    make_allocation(make_slice(make_accelerator(ended.node)), cast.tenant, NOON, NOON + timedelta(hours=1))
    assert known_nodes(cast.tenant) == {agent.node, leased.node}
    Node.objects.filter(id=leased.node.id).update(revoked_at=NOON)
    assert known_nodes(cast.tenant) == {agent.node}


def known_nodes(organization: Organization) -> set[Node]:
    """The nodes that should report; what is as fresh as they are follows each of them, and no other.

    However it looks for them, as a provider's or as anybody else's.
    """
    found = set(nodes_of(organization))
    now = timezone.now()
    for node in Node.objects.filter(public_key__isnull=False):
        RollupCursor.objects.update_or_create(node=node, defaults={"rolled_to_at": now})
    for node in Node.objects.filter(public_key__isnull=False):
        rolled_to(node, now - timedelta(hours=1))
        for organization.is_provider in (True, False):
            is_late = freshness(organization) == ("late", now - timedelta(hours=1))
            assert is_late == (node in found), (node, organization.is_provider)
        rolled_to(node, now)
    return found


def test_freshness_follows_the_node_that_is_furthest_behind(cast: Cast) -> None:
    assert freshness(cast.provider) == ("never", None)
    first, second = make_agent(cast.provider, "first"), make_agent(cast.provider, "second")
    assert freshness(cast.provider) == ("never", None)
    now = timezone.now()
    rolled_to(first.node, now)
    rolled_to(second.node, now - timedelta(minutes=1))
    assert freshness(cast.provider) == ("fresh", now - timedelta(minutes=1))
    rolled_to(first.node, now - timedelta(minutes=6))
    assert freshness(cast.provider) == ("late", now - timedelta(minutes=6))


def test_a_node_that_never_reported_makes_the_others_late(cast: Cast) -> None:
    first = make_agent(cast.provider, "first")
    make_agent(cast.provider, "second")
    now = timezone.now()
    rolled_to(first.node, now)
    assert freshness(cast.provider) == ("late", now)


def test_without_nodes_the_newest_hour_of_events_says(cast: Cast) -> None:
    assert freshness(cast.tenant) == ("never", None)
    send(cast.tenant, event("1"), event("2", occurred_at="2026-03-10T11:00:01Z"))
    assert freshness(cast.tenant) == ("never", None)
    roll_up_events(now=NOON + timedelta(minutes=2))
    assert freshness(cast.tenant) == ("fresh", NOON + timedelta(minutes=2))
    send(cast.tenant, event("3"))
    roll_up_events(now=NOON + timedelta(days=1))
    assert freshness(cast.tenant) == ("fresh", NOON + timedelta(hours=1))


def test_others_nodes_say_nothing(cast: Cast) -> None:
    node = make_node(make_cluster(cast.outsider), "elsewhere", b"\1" * 32)
    rolled_to(node, timezone.now())
    assert freshness(cast.provider) == ("never", None)
