"""What the database adds up of a floor is what its rows come to, one by one."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from billing.queries.occupancy import OccupancyView, occupancy_view
from billing.queries.occupancy_sums import floor_sums, nodes_in_view
from clusters.models import Accelerator, Allocation, Node, Slice
from clusters.occupancy import WHOLE_PERMILLE
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
        sums = floor_sums(floor.world.provider, from_at, to_at, now=now, cluster_id=place)
        held, next_from_at = plain(view, now)
        assert sums.occupancy == view.occupancy
        assert sums.nodes == len(view.nodes)
        assert {one.tenant_id: one.share_permille for one in sums.holders} == held
        assert sums.next_from_at == next_from_at


def test_the_floor_has_what_the_sums_must_get_right(floor: Floor) -> None:
    allocations = Allocation.objects.filter(slice__accelerator__node__in=floor.nodes)
    assert allocations.filter(to_at__isnull=True).exists()
    assert allocations.filter(slice__share_permille__lt=WHOLE_PERMILLE).exists()
    assert allocations.filter(from_at__second__gt=0).exists()
    assert any(at.microsecond for at in allocations.values_list("from_at", flat=True))
    view = occupancy_view(floor.world.provider, *EDGES[0])
    assert 0 < view.occupancy.fraction < 1
    assert len(floor_sums(floor.world.provider, *EDGES[0], now=NOON).holders) > 4


def test_an_edge_belongs_to_what_begins_there(floor: Floor) -> None:
    """Half-open: what ends as the window begins, or begins as it ends, is not held in it."""
    node = floor.nodes[4]
    part = factories.make_slice(factories.make_accelerator(node))
    before, after = factories.make_organization("ends-there"), factories.make_organization("begins-there")
    factories.make_allocation(part, before, NOON - HOUR, NOON)
    factories.make_allocation(part, floor.world.tenant, NOON, NOON + HOUR)
    factories.make_allocation(part, after, NOON + HOUR, None)
    sums = floor_sums(floor.world.provider, NOON, NOON + HOUR, now=NOON, cluster_id=node.cluster_id)
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
    paged = [
        node
        for first in range(0, 6, 2)
        for node in occupancy_view(
            provider, from_at, to_at, node_ids=nodes_in_view(provider, from_at, first=first, count=2)
        ).nodes
    ]
    assert paged == list(whole)
    assert nodes_in_view(provider, from_at, cluster_id=floor.nodes[0].cluster_id, count=9) == [
        node.id for node in occupancy_view(provider, from_at, to_at, cluster_id=floor.nodes[0].cluster_id).nodes
    ]


def test_another_provider_is_in_no_sum(floor: Floor) -> None:
    sums = floor_sums(floor.other.provider, *EDGES[0], now=NOON)
    assert (sums.nodes, [one.tenant_id for one in sums.holders]) == (1, [floor.other.tenant.pk])
    assert nodes_in_view(floor.other.provider, EDGES[0][0], count=9) == [floor.other.nodes[0].pk]
    assert floor_sums(factories.make_organization("nobody"), *EDGES[0], now=NOON).occupancy.capacity_gpu_ms == 0


def test_any_floor_takes_two_queries(floor: Floor, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for provider in (floor.other.provider, floor.world.provider):
        with django_assert_num_queries(2):
            floor_sums(provider, *EDGES[0], now=NOON)
        with django_assert_num_queries(1):
            nodes_in_view(provider, EDGES[0][0], count=12)
