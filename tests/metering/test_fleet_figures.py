from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from clusters.models import Accelerator, Node
from metering.fleet_figures import (
    FleetFigures,
    cluster_figures,
    cluster_hours,
    free_permille_of,
    mean_share,
    total_of,
    utilisation_while_held,
)
from metering.models import AcceleratorHour
from tests import factories
from tests.examples import examples
from tests.factories import Cast
from tests.metering.floor import make_floor, make_metered_card, make_reporting

NOW = datetime(2026, 3, 18, 14, 32, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.django_db
def test_a_floor_adds_up_cluster_by_cluster(cast: Cast) -> None:
    floor = make_floor(cast.provider, NOW)
    east, west = cluster_figures(provider=cast.provider, now=NOW, from_at=NOW - DAY)
    assert (east.slug, east.figures.nodes, east.figures.in_service, east.figures.retired) == ("sample-east", 2, 15, 1)
    assert (west.slug, west.figures.nodes, west.figures.in_service, west.figures.metered) == ("sample-west", 2, 8, 4)
    total = total_of([east, west])
    assert (total.in_service, total.retired, total.metered) == (23, 1, 19)
    # The cards of the silent node were read three hours ago: what they draw now is unknown.
    assert (east.figures.read, west.figures.read, west.figures.power_mw) == (15, 0, None)
    assert total.power_mw == east.figures.power_mw
    assert floor.east.id == east.id


@pytest.mark.django_db
def test_nothing_metered_is_unknown_and_never_zero(cast: Cast) -> None:
    node = factories.make_node(factories.make_cluster(cast.provider))
    factories.make_slice(factories.make_accelerator(node))
    [cluster] = cluster_figures(provider=cast.provider, now=NOW, from_at=NOW - DAY)
    figures = cluster.figures
    assert (figures.power_mw, figures.energy_mj, figures.utilisation) == (None, None, None)
    assert (figures.free_gpus, figures.held_gpus) == (Decimal(1), Decimal(0))
    assert total_of([]) == FleetFigures()


@pytest.mark.django_db
def test_what_is_held_now_is_not_free(cast: Cast) -> None:
    node = factories.make_node(factories.make_cluster(cast.provider))
    held, free, ended, ahead = (factories.make_slice(factories.make_accelerator(node, place)) for place in range(4))
    factories.make_allocation(held, cast.tenant, NOW - DAY, NOW + DAY)
    factories.make_allocation(ended, cast.tenant, NOW - DAY, NOW)
    factories.make_allocation(ahead, cast.tenant, NOW + DAY)
    quarter = factories.make_slice(factories.make_accelerator(node, 4), 250)
    factories.make_slice(quarter.accelerator, 250)
    factories.make_allocation(quarter, cast.tenant, NOW)
    [cluster] = cluster_figures(provider=cast.provider, now=NOW, from_at=NOW - DAY)
    assert cluster.figures.held_gpus == Decimal("1.25")
    assert cluster.figures.free_gpus == Decimal("3.25")
    assert free.accelerator.node_id == node.id


@pytest.mark.django_db
def test_a_retired_card_and_a_revoked_node_are_out_of_service(cast: Cast) -> None:
    cluster = factories.make_cluster(cast.provider)
    node, revoked = factories.make_node(cluster), factories.make_node(cluster, public_key=b"k" * 32)
    cards = [factories.make_slice(factories.make_accelerator(node, place)).accelerator for place in range(2)]
    factories.make_slice(factories.make_accelerator(revoked))
    Accelerator.objects.filter(pk=cards[0].pk).update(retired_at=NOW)
    Node.objects.filter(pk=revoked.pk).update(revoked_at=NOW)
    [found] = cluster_figures(provider=cast.provider, now=NOW, from_at=NOW - DAY)
    assert (found.figures.in_service, found.figures.retired, found.figures.metered) == (1, 1, 0)
    assert found.figures.free_gpus == 1


@pytest.mark.django_db
def test_a_card_read_in_two_hours_is_counted_once(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    card = factories.make_accelerator(node)
    hour = NOW.replace(minute=0)
    for at, read_at, power in (
        (hour - timedelta(hours=1), hour - timedelta(minutes=1), 500_000),
        (hour, hour, 600_000),
    ):
        AcceleratorHour.objects.create(accelerator=card, hour_at=at, last_read_at=read_at, last_power_mw=power)
    [found] = cluster_figures(provider=cast.provider, now=hour + timedelta(minutes=1), from_at=NOW - DAY)
    assert (found.figures.read, found.figures.power_mw) == (1, 600_000)


@pytest.mark.django_db
def test_energy_and_utilisation_are_those_of_the_window(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    card = make_metered_card(node, 0, NOW, hours=3)
    hours = list(AcceleratorHour.objects.filter(accelerator=card).order_by("hour_at"))
    [found] = cluster_figures(provider=cast.provider, now=NOW, from_at=hours[1].hour_at)
    assert found.figures.energy_mj == sum(hour.power_mw_sum // 360 * 3600 for hour in hours[1:])
    percents = sum(hour.utilisation_percent_sum for hour in hours[1:])
    assert found.figures.utilisation == Decimal(percents) / (720 * 100)


@pytest.mark.django_db
def test_the_hours_of_a_cluster_sum_power_and_name_what_is_unknown(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    for place in range(2):
        make_metered_card(node, place, NOW, hours=6)
    hours = cluster_hours(cluster_id=node.cluster_id, now=NOW)
    assert len(hours) == 24
    assert hours[-1][0] == NOW.replace(minute=0)
    assert [hour[2] is None for hour in hours[-6:]] == [False, True, False, False, False, False]
    power = AcceleratorHour.objects.filter(hour_at=hours[-1][0]).values_list("last_power_mw", flat=True)
    assert hours[-1][2] == sum(each or 0 for each in power)


@pytest.mark.django_db
def test_utilisation_while_held_leaves_idle_cards_out(cast: Cast) -> None:
    node = make_reporting(factories.make_cluster(cast.provider), "node", NOW)
    busy, idle = make_metered_card(node, 0, NOW, used_percent=90), make_metered_card(node, 1, NOW, used_percent=20)
    factories.make_allocation(busy.slices.get(), cast.tenant, NOW - 2 * DAY)
    used = utilisation_while_held(provider=cast.provider, from_at=NOW - DAY, to_at=NOW)
    assert used is not None
    assert used > Decimal("0.75")
    assert utilisation_while_held(provider=cast.provider, from_at=NOW, to_at=NOW + DAY) is None
    assert utilisation_while_held(provider=cast.outsider, from_at=NOW - DAY, to_at=NOW) is None
    alone = utilisation_while_held(
        provider=cast.provider, from_at=NOW - DAY, to_at=NOW, accelerator_ids=frozenset({idle.id})
    )
    assert alone is None


@pytest.mark.django_db
def test_any_fleet_takes_four_queries(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_floor(cast.provider, NOW)
    with django_assert_num_queries(4):
        cluster_figures(provider=cast.provider, now=NOW, from_at=NOW - DAY)


@pytest.mark.django_db
def test_only_the_providers_own_clusters_and_only_the_chosen_one(cast: Cast) -> None:
    make_floor(cast.provider, NOW)
    assert cluster_figures(provider=cast.outsider, now=NOW, from_at=NOW - DAY) == ()
    [one] = cluster_figures(provider=cast.provider, now=NOW, from_at=NOW - DAY, cluster_slug="sample-west")
    assert one.slug == "sample-west"


@settings(max_examples=examples(25))
@given(st.integers(0, 3000), st.data())
def test_a_card_is_never_more_than_free_and_never_less_than_taken(sliced: int, data: st.DataObject) -> None:
    held = data.draw(st.integers(0, min(sliced, 1000)))
    free = free_permille_of(sliced, held)
    assert 0 <= free <= 1000 - held
    assert free <= sliced - held


def test_a_mean_of_nothing_is_unknown() -> None:
    assert mean_share(0, 0) is None
    assert mean_share(150, 2) == Decimal("0.75")
