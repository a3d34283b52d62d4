"""Whose usage it is, over spans."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, transaction

from clusters.models import Binding, Deployment, Endpoint
from metering.attribution import (
    NodeTimelines,
    cuts_of,
    node_owners,
)
from metering.hours import unix_ms_of
from metering.models import UsageCut
from metering.owners import Owners, timelines
from metering.timeline import NOBODY, Owner
from tests.factories import (
    EPOCH,
    make_accelerator,
    make_allocation,
    make_cluster,
    make_deployment,
    make_endpoint,
    make_node,
    make_slice,
)
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON, NOON_MS

if TYPE_CHECKING:
    from clusters.models import Node
    from tests.factories import Cast

HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000


@kept
def node(cast: Cast) -> Node:
    return make_node(make_cluster(cast.provider))


def bind(deployment: Deployment, endpoint: Any, from_at: Any = EPOCH, to_at: Any = None) -> Binding:
    return Binding.objects.create(deployment=deployment, endpoint=endpoint, model=MODEL, from_at=from_at, to_at=to_at)


endpoint = kept(make_endpoint)


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_a_binding_holds_within_its_deployments_span(cast: Cast, node: Node, endpoint: Endpoint) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    bind(deployment, endpoint, NOON, NOON + 4 * HOUR)
    Deployment.objects.filter(id=deployment.id).update(from_at=NOON + HOUR, to_at=NOON + 2 * HOUR)
    (timeline,) = timelines(node_owners(node, NOON_MS)).values()
    owner = Owner(deployment.id, cast.tenant.id)
    at = [NOON_MS, NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS - 1, NOON_MS + 2 * HOUR_MS]
    assert [timeline.owner_at(one) for one in at] == [NOBODY, owner, owner, NOBODY]


def test_spans_that_never_meet_claim_nothing(node: Node, deployment: Deployment) -> None:
    bind(deployment, make_endpoint(node), NOON, NOON + HOUR)
    Deployment.objects.filter(id=deployment.id).update(from_at=NOON + 2 * HOUR)
    assert node_owners(node, NOON_MS) == Owners()


def test_only_the_nodes_own_endpoints_and_cards_count(cast: Cast, node: Node) -> None:
    other = make_node(node.cluster)
    bind(make_deployment(cast.provider, cast.tenant), make_endpoint(other))
    make_allocation(make_slice(make_accelerator(other)), cast.tenant, EPOCH)
    assert node_owners(node, NOON_MS) == Owners()


def test_spans_that_ended_before_are_not_read(cast: Cast, node: Node) -> None:
    bind(make_deployment(cast.provider, cast.tenant), make_endpoint(node), EPOCH, NOON - 2 * HOUR)
    assert node_owners(node, NOON_MS) == Owners()
    known = NodeTimelines(node, NOON_MS)
    endpoint = node.endpoints.get()
    assert known.of("endpoint", endpoint.id, MODEL).owner_at(NOON_MS - 3 * HOUR_MS) is NOBODY
    known.reach(NOON_MS - 3 * HOUR_MS)
    assert known.of("endpoint", endpoint.id, MODEL).owner_at(NOON_MS - 3 * HOUR_MS) is not NOBODY


def test_a_lease_of_a_whole_card_owns_its_energy_and_one_of_a_part_does_not(cast: Cast, node: Node) -> None:
    whole, part = make_accelerator(node, 0), make_accelerator(node, 1)
    make_allocation(make_slice(whole), cast.tenant, NOON, NOON + HOUR)
    make_allocation(make_slice(part, 500), cast.tenant, NOON)
    ((card, timeline),) = timelines(node_owners(node, NOON_MS)).items()
    assert card == f"card:{whole.id}"
    assert timeline.owner_at(NOON_MS) == Owner(None, cast.tenant.id)
    assert timeline.owner_at(NOON_MS + HOUR_MS) is NOBODY


def test_cuts_are_read_for_their_deployments(deployment: Deployment) -> None:
    for at in (NOON - HOUR, NOON, NOON + HOUR):
        UsageCut.objects.create(deployment=deployment, at=at)
    assert cuts_of([deployment.id, None], NOON) == {deployment.id: [unix_ms_of(NOON), unix_ms_of(NOON + HOUR)]}


def test_the_database_refuses_two_deployments_of_one_model_on_one_endpoint(cast: Cast, endpoint: Endpoint) -> None:
    bind(make_deployment(cast.provider, cast.tenant), endpoint)
    with pytest.raises(DatabaseError), transaction.atomic():
        bind(make_deployment(cast.provider, cast.outsider), endpoint, NOON)
