"""What a cluster shows and uses by hour is what its nodes come to, whatever is written when, and whoever sums."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F, Sum

from clusters.models import Accelerator
from metering.card_models import AcceleratorHour, ClusterHour, ClusterHoursSummed, FleetHour
from metering.cluster_hours import KEPT, MARGIN, SETTLED, sum_cluster_hours
from metering.tasks import sum_clusters
from tests import factories
from tests.metering.test_fleet_figures__moving import interleave
from tests.metering.test_fleet_figures__sums import DAY, HOUR, NOON, cards, found, hold, plain, show, use

if TYPE_CHECKING:
    from tests.factories import Cast

__all__ = ["cards"]

pytestmark = pytest.mark.django_db

SUMS = ("utilisation_percent_sum", "utilisation_samples", "energy_mj", "energy_hours")
SUMMED = NOON + SETTLED + MARGIN
"""When noon itself is the first instant that is not summed."""


def of_clusters() -> dict[tuple[Any, datetime], tuple[int, ...]]:
    """What the sums say within the instants that they are relied on."""
    mark = ClusterHoursSummed.objects.get()
    rows = ClusterHour.objects.filter(at__gte=mark.from_at, at__lt=mark.to_at).values_list("cluster", "at")
    return {(cluster, at): tuple(sums) for cluster, at, *sums in rows.annotate(*map(Sum, SUMS)) if any(sums)}


def of_nodes() -> dict[tuple[Any, datetime], tuple[int, ...]]:
    mark = ClusterHoursSummed.objects.get()
    rows = FleetHour.objects.filter(at__gte=mark.from_at, at__lt=mark.to_at).values_list("node__cluster", "at")
    return {(cluster, at): tuple(sums) for cluster, at, *sums in rows.annotate(*map(Sum, SUMS)) if any(sums)}


def rows_of_each() -> set[int]:
    mark = ClusterHoursSummed.objects.get()
    rows = ClusterHour.objects.filter(at__gte=mark.from_at, at__lt=mark.to_at).values("cluster", "at")
    return set(rows.annotate(n=Sum(1)).values_list("n", flat=True))


def change(chosen: random.Random, made: list[Accelerator]) -> None:
    """One thing that happens on a floor: hours grow, come late, go, and cards and nodes move."""
    card = chosen.choice(made)
    at = NOON - chosen.randrange(52) * HOUR
    hours = AcceleratorHour.objects.filter(accelerator=card)
    match chosen.randrange(6):
        case 0:
            use(card, at + chosen.choice((0, 20)) * HOUR / 60, chosen.randrange(10**9), chosen.choice("AESQ"))
        case 1:
            hours.filter(hour_at=at).delete()
            show(card, at, chosen.randrange(36_000), chosen.randrange(1, 360))
        case 2:
            hours.update(utilisation_samples=F("utilisation_samples") + 1)
        case 3:
            hours.filter(hour_at__gte=at).delete()
        case 4:
            Accelerator.objects.filter(pk=card.pk).update(node=chosen.choice(made).node)
        case _:
            node = card.node
            node.cluster = chosen.choice(made).node.cluster
            node.save(update_fields=["cluster"])
            card.refresh_from_db()


@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_what_their_nodes_come_to_at_every_moment(cast: Cast, cards: list[Accelerator], seed: int) -> None:
    chosen = random.Random(seed)
    now = SUMMED - 3 * HOUR
    sum_cluster_hours(now=now)
    for _ in range(14):
        change(chosen, cards)
        if chosen.random() < 0.4:
            now += chosen.choice((0, 1, 2)) * HOUR / 2
            sum_cluster_hours(now=now)
            assert rows_of_each() <= {1}
        assert of_clusters() == of_nodes()
    assert of_clusters()
    hold(cast)


def test_a_page_reads_clusters_where_they_are_summed_and_nodes_elsewhere(cast: Cast, cards: list[Accelerator]) -> None:
    sum_cluster_hours(now=SUMMED - 2 * HOUR)
    hold(cast)
    mark = ClusterHoursSummed.objects.get()
    assert (mark.from_at, mark.to_at) == (NOON - 2 * HOUR - KEPT, NOON - 2 * HOUR)
    ClusterHour.objects.update(utilisation_samples=F("utilisation_samples") + 1)
    for from_at, to_at in ((NOON - DAY, NOON), (NOON - DAY, NOON - 5 * HOUR)):
        rows = ClusterHour.objects.filter(at__gte=from_at, at__lt=min(to_at, mark.to_at)).count()
        assert rows > 5
        assert sum(one[1] for one in found(cast, from_at, to_at).values()) == rows + sum(
            one[1] for one in plain(cast, from_at, to_at).values()
        )
    # Before what is kept, and after what is summed, nothing of it is read.
    for window in ((NOON - 3 * DAY, NOON), (NOON - 2 * HOUR, NOON + HOUR)):
        assert found(cast, *window) == plain(cast, *window)
    assert cards


def test_summing_twice_finds_nothing_more_and_old_sums_go(cast: Cast, cards: list[Accelerator]) -> None:
    assert sum_cluster_hours(now=SUMMED) == ClusterHour.objects.filter(at__lt=NOON).count() > 10
    assert sum_cluster_hours(now=SUMMED) == 0
    summed_at = min(cards[0].hours.filter(hour_at__gt=NOON - DAY).values_list("hour_at", flat=True))
    use(cards[0], summed_at, 5)
    assert sum_cluster_hours(now=SUMMED) == ClusterHour.objects.filter(at=summed_at).count()
    # What is settled stays so where the clock, or what still runs, is behind.
    assert sum_cluster_hours(now=SUMMED - 5 * HOUR) == 0
    assert ClusterHoursSummed.objects.get().to_at == NOON
    assert sum_clusters() == 0
    assert not ClusterHour.objects.exists()
    assert cast


@pytest.mark.django_db(transaction=True)
def test_an_instant_is_not_settled_while_something_older_runs(cast: Cast) -> None:
    """Who began before an hour was settled writes of it without adding to sums: it is not summed until they end."""
    card = factories.make_accelerator(factories.make_node(factories.make_cluster(cast.provider, "east")))
    now = datetime.now(UTC)
    hour_at = now - SETTLED + timedelta(seconds=1)
    later = now + MARGIN + timedelta(hours=1)

    def write() -> None:
        show(card, hour_at, 50, 1)
        assert not ClusterHour.objects.exists()

    interleave(write, lambda: assert_zero(sum_cluster_hours(now=later)))
    mark = ClusterHoursSummed.objects.get()
    assert mark.to_at <= hour_at
    assert of_clusters() == of_nodes() == {}


def assert_zero(count: int) -> None:
    assert count == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_written_while_clusters_are_summed_counts_once(cast: Cast) -> None:
    card = factories.make_accelerator(factories.make_node(factories.make_cluster(cast.provider, "east")))
    now = datetime.now(UTC)
    hour_at = now.replace(minute=0, second=0, microsecond=0) - 6 * HOUR
    show(card, hour_at, 50, 1)
    # The writer ends after the sum was made, and after that the other way round.
    interleave(lambda: use(card, hour_at, 7), lambda: sum_and_count(1))
    assert of_clusters() == of_nodes()
    assert rows_of_each() == {2}
    interleave(lambda: sum_and_count(1), lambda: use(card, hour_at, 8))
    assert of_clusters() == of_nodes()
    sum_cluster_hours(now=datetime.now(UTC))
    assert rows_of_each() == {1}
    assert of_clusters() == of_nodes() != {}


def sum_and_count(count: int) -> None:
    assert sum_cluster_hours(now=datetime.now(UTC)) == count
