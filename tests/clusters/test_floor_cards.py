"""What the database counts of cards is what their rows come to, one by one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clusters.floor_cards import FloorCards, floor_cards
from clusters.models import Accelerator, Allocation, Cluster, Node, Slice
from metering.fleet_figures import free_permille_of
from tests import factories
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 18, 14, 32, 7, 999_999, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
SHARES = ((1000,), (500, 500), (250, 250), (1000, 500, 500), (1000, 100, 200, 700), ())


@kept
def clusters(cast: Cast) -> list[Cluster]:
    """Cards cut in one way, in two and in none, held now, before, later and in turns; some of it out of service."""
    chosen = random.Random(20260318)
    made = [factories.make_cluster(cast.provider, slug) for slug in ("east", "west", "empty")]
    for place in range(10):
        node = factories.make_node(made[place % 2], public_key=bytes([place]) * 32 if place % 3 else None)
        for position in range(place % 4):
            _cut(factories.make_accelerator(node, position), cast, chosen)
    _leave(chosen)
    other = factories.make_slice(factories.make_accelerator(factories.make_node(factories.make_cluster(cast.outsider))))
    factories.make_allocation(other, cast.tenant, NOW - DAY)
    return made


def _cut(card: Accelerator, cast: Cast, chosen: random.Random) -> None:
    shares = chosen.choice(SHARES)
    whole = chosen.random() < 0.5  # a card is used whole or in parts
    for share in shares:
        part = factories.make_slice(card, share)
        if chosen.random() < 0.7 and (share == 1000) == (whole or shares == (1000,)):
            begins = NOW - chosen.choice((-HOUR, 0 * HOUR, HOUR, DAY, DAY + HOUR, 3 * DAY))
            ends = chosen.choice([at for at in (begins + HOUR, NOW, NOW + HOUR) if at > begins])
            factories.make_allocation(part, cast.tenant, begins, chosen.choice((None, ends)))
            if not part.allocations.filter(to_at=None).exists():
                factories.make_allocation(part, cast.tenant, ends, None)


def _leave(chosen: random.Random) -> None:
    """Some of it is out of service, since before what is looked at or within it, also what somebody holds."""
    whens = (NOW - 30 * DAY, NOW - 2 * DAY, NOW - HOUR)
    for rows in (Accelerator.objects.all(), Slice.objects.all()):
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        for key in chosen.sample(keys, len(keys) // 4):
            rows.filter(pk=key).update(retired_at=chosen.choice(whens))
    for node in Node.objects.order_by("pk")[3:5]:
        Node.objects.filter(pk=node.pk).update(revoked_at=NOW - HOUR)


def plain(cluster: Cluster, held_from: datetime, shown_from: datetime) -> FloorCards:
    """The same, card by card."""
    sums = dict.fromkeys(FloorCards.__slots__, 0)
    partly = set()
    for node in cluster.nodes.all():
        shown = 0
        for card in node.accelerators.all():
            serves = card.retired_at is None and node.revoked_at is None
            sums["in_service"] += serves
            sums["metered"] += serves and node.public_key is not None
            sums["retired"] += card.retired_at is not None
            sliced = held = 0
            throughout = False
            for part in card.slices.all():
                holds: list[Any] = list(Allocation.objects.filter(slice=part))
                now = [one for one in holds if one.from_at <= NOW and (one.to_at is None or one.to_at > NOW)]
                held += part.share_permille * len(now)
                sliced += part.share_permille if now or part.retired_at is None else 0
                throughout |= any(one.from_at <= held_from for one in now)
            if serves:
                sums["held_permille"] += held
                sums["free_permille"] += free_permille_of(sliced, held)
            stays = card.retired_at is None or card.retired_at > shown_from
            shown += stays and any(
                part.retired_at is None or part.retired_at > shown_from for part in card.slices.all()
            )
            if not throughout:
                partly.add(node.pk)
        sums["nodes"] += 1
        sums["nodes_shown"] += shown > 0
        sums["cards_shown"] += shown
    return FloorCards(**{**sums, "partly_held": tuple(sorted(partly))})  # type: ignore[arg-type]  # by their names


@pytest.mark.parametrize("held_from", [NOW, NOW - HOUR, NOW - DAY])
@pytest.mark.parametrize("shown_from", [NOW - 40 * DAY, NOW - 2 * DAY, NOW, NOW + DAY])
def test_cards_come_to_what_their_rows_do(clusters: list[Cluster], held_from: datetime, shown_from: datetime) -> None:
    found = floor_cards([one.pk for one in clusters], now=NOW, held_from=held_from, shown_from=shown_from)
    for cluster in clusters:
        counted = found[cluster.pk]
        assert counted.partly_held is not None
        wanted = plain(cluster, held_from, shown_from)
        assert {name: getattr(counted, name) for name in FloorCards.__slots__ if name != "partly_held"} == {
            name: getattr(wanted, name) for name in FloorCards.__slots__ if name != "partly_held"
        }
        assert tuple(sorted(counted.partly_held)) == wanted.partly_held


def test_the_floor_has_what_the_sums_must_get_right(clusters: list[Cluster]) -> None:
    east, west, empty = (plain(one, NOW - DAY, NOW - 2 * DAY) for one in clusters)
    for one in (east, west):
        assert one.held_permille
        assert one.free_permille
        assert one.partly_held
        assert 0 < one.metered < one.in_service
        assert 0 < one.nodes_shown < one.nodes
    assert east.retired + west.retired
    assert empty == FloorCards(partly_held=())
    held_and_gone = Slice.objects.filter(retired_at__isnull=False, allocations__to_at__isnull=True)
    assert held_and_gone.exists()


def test_nodes_are_named_where_they_are_asked_for(
    clusters: list[Cluster], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        found = floor_cards([clusters[0].pk], now=NOW, held_from=NOW - DAY)
    assert set(found) == {clusters[0].pk}
    assert found[clusters[0].pk].partly_held is None
    assert found[clusters[0].pk].nodes == clusters[0].nodes.count() > 0
    assert floor_cards([], now=NOW, held_from=NOW) == {}
