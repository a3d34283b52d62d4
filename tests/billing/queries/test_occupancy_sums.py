"""What the database adds up of a floor is what its rows come to, one by one."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from billing.queries.occupancy import OccupancyView, occupancy_view
from billing.queries.occupancy_sums import FloorSums, floor_sums, nodes_in_view
from clusters.models import Accelerator, Allocation, Cluster, Node, Slice
from clusters.occupancy import WHOLE_PERMILLE
from metering.fleet_figures import ClusterFigures, cluster_figures
from tests import factories
from tests.billing.world import HOUR, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from uuid import UUID

    from pytest_django import DjangoAssertNumQueries

    from tenants.models import Organization

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
ODD = timedelta(minutes=7, microseconds=999_999)
DAY = 24 * HOUR
Window = tuple[datetime, datetime]


class Floor(NamedTuple):
    """A provider with nodes, and another one whose floor must not be in any sum."""

    world: World
    other: World
    nodes: list[Node]


@kept
def floor() -> Floor:
    """Five nodes of cards whole and in parts, held by six tenants over odd spans, some of it out of service."""
    chosen = random.Random(20260305)
    world, other = make_world(), make_world()
    tenants = [world.tenant, *(factories.make_organization(f"sums-{place}") for place in range(5))]
    nodes = [world.make_node() for _ in range(5)]
    for node in nodes[:-1]:
        for position in range(3):
            card = factories.make_accelerator(node, position)
            shares = chosen.choice(([WHOLE_PERMILLE], [500, 250, 125], [100, 200]))
            for part in (factories.make_slice(card, share) for share in shares):
                _let(part, tenants, chosen)
    # One slice and one card leave service within the time that is looked at, one card before it.
    cards = list(Accelerator.objects.filter(node__in=nodes).order_by("pk"))
    Accelerator.objects.filter(pk=cards[0].pk).update(retired_at=NOON + ODD)
    Accelerator.objects.filter(pk=cards[1].pk).update(retired_at=NOON - 9 * DAY)
    parts = Slice.objects.filter(accelerator=cards[2]).values_list("pk", flat=True)
    Slice.objects.filter(pk=parts[0]).update(retired_at=NOON)
    other.lease(2, from_at=NOON)
    return Floor(world, other, nodes)


def _let(part: Slice, tenants: list[Organization], chosen: random.Random) -> None:
    """Spans that adjoin or leave gaps, at instants with fractions of a second; the last may have no end."""
    at = NOON - 6 * HOUR + chosen.randrange(3600) * timedelta(seconds=1, microseconds=17)
    for _ in range(chosen.randrange(4)):
        end = at + chosen.randrange(1, 300) * timedelta(seconds=41, microseconds=333_333)
        last = chosen.random() < 0.2
        factories.make_allocation(part, chosen.choice(tenants), at, None if last else end)
        if last:
            break
        at = end + chosen.randrange(2) * ODD


def of_clusters(provider: Organization, from_at: datetime, now: datetime) -> tuple[ClusterFigures, ...]:
    return cluster_figures(provider=provider, now=now, from_at=now - DAY, shown_from=from_at)


def summed(
    provider: Organization, window: Window, now: datetime, place: UUID | None = None, *, holders: int = 99
) -> FloorSums:
    clusters = [one for one in of_clusters(provider, window[0], now) if place in (None, one.id)]
    return floor_sums(provider, clusters, *window, now=now, holders=holders)


def plain(view: OccupancyView, now: datetime) -> tuple[Counter[UUID], datetime | None]:
    """The holders and the next beginning, row by row."""
    held: Counter[UUID] = Counter()
    ahead = []
    for node in view.nodes:
        for card in node.cards:
            for part in card.slices:
                for hold in part.holds:
                    held[hold.tenant_id] += part.share_permille
                    if hold.from_at > now:
                        ahead.append(hold.from_at)
    return held, min(ahead, default=None)


EDGES = (
    (NOON - DAY, NOON + DAY),
    (NOON, NOON + HOUR),
    (NOON + ODD, NOON + HOUR + ODD),
    (NOON - HOUR, NOON + ODD),
    (NOON - 30 * DAY, NOON - 20 * DAY),
    (NOON + 20 * DAY, NOON + 21 * DAY),
)


@pytest.mark.parametrize(("from_at", "to_at"), EDGES)
def test_the_sums_are_what_the_rows_come_to(floor: Floor, from_at: datetime, to_at: datetime) -> None:
    now = from_at + (to_at - from_at) / 3
    for place in (None, floor.nodes[0].cluster_id, floor.nodes[3].cluster_id):
        view = occupancy_view(floor.world.provider, from_at, to_at, cluster_id=place)
        sums = summed(floor.world.provider, (from_at, to_at), now, place)
        held, next_from_at = plain(view, now)
        assert sums.occupancy == view.occupancy
        assert sums.nodes == len(view.nodes)
        assert {one.tenant_id: one.share_permille for one in sums.holders} == held
        assert sums.next_from_at == next_from_at
        # Those who hold the most come first, and how many there are is known where fewer are named.
        order = sorted(sums.holders, key=lambda one: (-one.share_permille, one.tenant, one.tenant_id))
        assert list(sums.holders) == order
        few = summed(floor.world.provider, (from_at, to_at), now, place, holders=2)
        assert few == replace(sums, holders=sums.holders[:2])
        assert sums.holder_count == len(held)


def test_the_floor_has_what_the_sums_must_get_right(floor: Floor) -> None:
    allocations = Allocation.objects.filter(slice__accelerator__node__in=floor.nodes)
    assert allocations.filter(to_at__isnull=True).exists()
    assert allocations.filter(slice__share_permille__lt=WHOLE_PERMILLE).exists()
    assert allocations.filter(from_at__second__gt=0).exists()
    assert any(at.microsecond for at in allocations.values_list("from_at", flat=True))
    view = occupancy_view(floor.world.provider, *EDGES[0])
    assert 0 < view.occupancy.fraction < 1
    assert len(summed(floor.world.provider, EDGES[0], NOON).holders) > 4


def test_an_edge_belongs_to_what_begins_there(floor: Floor) -> None:
    """Half-open: what ends as the window begins, or begins as it ends, is not held in it."""
    node = floor.nodes[4]
    part = factories.make_slice(factories.make_accelerator(node))
    before, after = factories.make_organization("ends-there"), factories.make_organization("begins-there")
    factories.make_allocation(part, before, NOON - HOUR, NOON)
    factories.make_allocation(part, floor.world.tenant, NOON, NOON + HOUR)
    factories.make_allocation(part, after, NOON + HOUR, None)
    sums = summed(floor.world.provider, (NOON, NOON + HOUR), NOON, node.cluster_id)
    assert not {before.pk, after.pk} & {one.tenant_id for one in sums.holders}
    view = occupancy_view(floor.world.provider, NOON, NOON + HOUR, cluster_id=node.cluster_id)
    assert sums.occupancy == view.occupancy
    # What begins at this very instant is not ahead.
    assert sums.next_from_at is None or sums.next_from_at > NOON


def test_pages_of_nodes_are_the_whole_in_its_order(floor: Floor) -> None:
    provider, (from_at, to_at) = floor.world.provider, EDGES[0]
    whole = occupancy_view(provider, from_at, to_at).nodes
    # A node without a card has no row.
    assert len(whole) == 4
    clusters = of_clusters(provider, from_at, NOON)
    for count in (1, 2, 3, 9):
        paged = [
            node
            for first in range(0, 6, count)
            for node in occupancy_view(
                provider, from_at, to_at, node_ids=nodes_in_view(provider, clusters, from_at, first=first, count=count)
            ).nodes
        ]
        assert paged == list(whole)
    for one in clusters:
        of_one = occupancy_view(provider, from_at, to_at, cluster_id=one.id).nodes
        assert nodes_in_view(provider, [one], from_at, count=9) == [node.id for node in of_one]


def test_nodes_of_clusters_of_one_name_stand_among_each_other(floor: Floor) -> None:
    provider, (from_at, to_at) = floor.world.provider, EDGES[0]
    for place, node in enumerate(floor.nodes):
        Node.objects.filter(pk=node.pk).update(name=f"n-{5 - place}")
    Cluster.objects.filter(nodes__in=floor.nodes[1:4]).update(name="Hall")
    Cluster.objects.filter(pk=floor.nodes[0].cluster_id).update(name="Hall")
    clusters = of_clusters(provider, from_at, NOON)
    assert [one.name for one in clusters].count("Hall") == 4
    whole = [node.id for node in occupancy_view(provider, from_at, to_at).nodes]
    paged = [each for first in range(4) for each in nodes_in_view(provider, clusters, from_at, first=first, count=1)]
    assert paged == whole == [node.pk for node in reversed(floor.nodes[:4])]


def test_another_provider_is_in_no_sum(floor: Floor) -> None:
    sums = summed(floor.other.provider, EDGES[0], NOON)
    assert (sums.nodes, [one.tenant_id for one in sums.holders]) == (1, [floor.other.tenant.pk])
    theirs = of_clusters(floor.other.provider, EDGES[0][0], NOON)
    assert nodes_in_view(floor.other.provider, theirs, EDGES[0][0], count=9) == [floor.other.nodes[0].pk]
    nobody = summed(factories.make_organization("nobody"), EDGES[0], NOON)
    assert (nobody.occupancy.capacity_gpu_ms, nobody.holder_count, nobody.next_from_at) == (0, 0, None)


def test_any_floor_takes_one_query_each(floor: Floor, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for provider in (floor.other.provider, floor.world.provider):
        clusters = of_clusters(provider, EDGES[0][0], NOON)
        with django_assert_num_queries(1):
            floor_sums(provider, clusters, *EDGES[0], now=NOON, holders=5)
        with django_assert_num_queries(1):
            nodes_in_view(provider, clusters, EDGES[0][0], count=12)
