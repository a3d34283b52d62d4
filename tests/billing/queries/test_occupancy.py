from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.queries import occupancy_view
from clusters.models import Slice
from tests import factories
from tests.billing.world import H100, HOUR, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


world = kept(make_world)


def test_every_card_shows_who_holds_it_under_what(world: World) -> None:
    slices = world.make_slices(3)
    lease = world.lease(2, from_at=NOON, to_at=NOON + HOUR)
    factories.make_allocation(slices[0], world.tenant, NOON, None)
    view = occupancy_view(world.provider, NOON, NOON + 2 * HOUR)
    assert [len(node.cards) for node in view.nodes] == [3, 2]
    free, leased = view.nodes
    assert {card.model for card in leased.cards} == {H100}
    [hold] = leased.cards[0].slices[0].holds
    assert (hold.tenant, hold.lease, hold.contract) == (world.tenant.name, lease.ref, world.contract.number)
    assert (hold.from_at, hold.to_at, hold.price_per_gpu_hour) == (NOON, NOON + HOUR, Decimal("2.35"))
    [bare] = free.cards[0].slices[0].holds
    assert (bare.lease, bare.contract, bare.to_at) == ("", "", None)
    assert free.cards[1].slices[0].holds == ()
    assert leased.occupancy.fraction == Fraction(1, 2)
    assert free.occupancy.fraction == Fraction(1, 3)
    assert view.occupancy.fraction == Fraction(2 * 1 + 1 * 2, 5 * 2)


def test_slices_of_a_card_stand_together_and_count_by_their_share(world: World) -> None:
    node = world.make_node()
    card = factories.make_accelerator(node)
    tenth, fifth = factories.make_slice(card, 100), factories.make_slice(card, 200)
    factories.make_allocation(tenth, world.tenant, MARCH, None)
    view = occupancy_view(world.provider, NOON, NOON + HOUR)
    [shown] = view.nodes[0].cards
    assert {each.id for each in shown.slices} == {tenth.id, fifth.id}
    assert view.occupancy.fraction == Fraction(1, 10)


def test_only_the_window_and_only_what_is_in_service_is_shown(world: World) -> None:
    past, retired = world.make_slices(2)
    factories.make_allocation(past, world.tenant, MARCH, NOON)
    Slice.objects.filter(pk=retired.pk).update(retired_at=NOON)
    view = occupancy_view(world.provider, NOON, NOON + HOUR)
    assert [each.holds for node in view.nodes for card in node.cards for each in card.slices] == [()]


def test_a_provider_sees_its_own_floor_only() -> None:
    world, other = make_world(), make_world()
    other.lease(1, from_at=NOON)
    assert occupancy_view(world.provider, NOON, NOON + HOUR).nodes == ()
    assert occupancy_view(world.provider, NOON, NOON + HOUR).occupancy.fraction == 0


def test_one_cluster_can_be_chosen(world: World) -> None:
    world.lease(1, from_at=NOON)
    world.lease(1, from_at=NOON)
    cluster = world.nodes[0].cluster
    view = occupancy_view(world.provider, NOON, NOON + HOUR, cluster_id=cluster.id)
    assert [node.name for node in view.nodes] == [world.nodes[0].name]
    assert view.occupancy.fraction == 1


def test_any_floor_takes_four_queries(django_assert_num_queries: DjangoAssertNumQueries, world: World) -> None:
    for _ in range(4):
        world.lease(8, from_at=NOON)
    with django_assert_num_queries(4):
        assert len(occupancy_view(world.provider, NOON, NOON + HOUR).nodes) == 4
