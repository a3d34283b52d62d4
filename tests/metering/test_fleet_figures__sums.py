"""What a fleet shows and uses is what its cards' hours come to, whatever was written, wherever cards went."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models import F, Q, Sum
from django.test.utils import CaptureQueriesContext

from clusters.models import Accelerator, Allocation, Cluster
from metering.card_models import AcceleratorHour, FleetHour
from metering.fleet_figures import cluster_figures, mean_share, total_of, utilisation_while_held
from metering.models import Meter, Quality, UsageHour, Witness
from metering.usage_rows import UsageRow, add_usage
from tests import factories
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COUNTED = (Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED)


def plain(cast: Cast, from_at: datetime, to_at: datetime) -> dict[Any, tuple[int, int, int | None]]:
    """The same from the hours of every card: samples and their sum, and the energy."""
    gauges = AcceleratorHour.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at)
    energy = UsageHour.objects.filter(
        witness=Witness.ENERGY, quality__in=COUNTED, from_at__gte=from_at, from_at__lt=to_at
    )
    shown = {
        cluster: (percents, samples)
        for cluster, percents, samples in gauges.values_list("accelerator__node__cluster").annotate(
            percents=Sum("utilisation_percent_sum"), samples=Sum("utilisation_samples")
        )
    }
    used = {cluster: int(total) for cluster, total in energy.values_list(place()).annotate(total=Sum("value"))}
    return {
        cluster.pk: (*shown.get(cluster.pk, (0, 0)), used.get(cluster.pk))
        for cluster in Cluster.objects.filter(provider=cast.provider)
    }


def place() -> str:
    return "meter__accelerator__node__cluster"


def found(cast: Cast, from_at: datetime, to_at: datetime) -> dict[Any, tuple[int, int, int | None]]:
    return {
        one.id: (one.figures.utilisation_percent_sum, one.figures.utilisation_samples, one.figures.energy_mj)
        for one in cluster_figures(provider=cast.provider, now=to_at, from_at=from_at)
    }


def use(card: Accelerator, at: datetime, value: int, quality: str = "A") -> None:
    """Energy of a card in a part of an hour, added as rollup adds it."""
    meter, _ = Meter.objects.get_or_create(
        witness=Witness.ENERGY, quantity="energy_mj", accelerator=card, defaults={"node": card.node}
    )
    row = UsageRow(
        meter_id=meter.id, witness=Witness.ENERGY, quantity="energy_mj", model="", quality=quality, version=1,
        hour_at=at.replace(minute=0), from_at=at, to_at=at.replace(minute=0) + HOUR, deployment_id=None,
        tenant_id=None, rule="same_epoch_rise", value=value, records=1,
    )  # fmt: skip
    add_usage([row], NOON)


def show(card: Accelerator, at: datetime, percents: int, samples: int) -> None:
    AcceleratorHour.objects.create(
        accelerator=card, hour_at=at, utilisation_percent_sum=percents, utilisation_samples=samples, last_read_at=at
    )


@kept
def cards(cast: Cast) -> list[Accelerator]:
    """Two clusters of two nodes of two cards over two days, and a third cluster without any."""
    chosen = random.Random(18)
    made = []
    for slug in ("east", "west", "empty"):
        cluster = factories.make_cluster(cast.provider, slug)
        nodes = [factories.make_node(cluster) for _ in range(2)] if slug != "empty" else []
        made += [factories.make_accelerator(node, position) for node in nodes for position in range(2)]
    for card in made:
        for back in chosen.sample(range(48), 9):
            show(card, NOON - back * HOUR, chosen.randrange(36_000), chosen.randrange(1, 360))
            use(
                card,
                NOON - back * HOUR + chosen.choice((0, 20)) * HOUR / 60,
                chosen.randrange(10**9),
                chosen.choice("AESQ"),
            )
    return made


WINDOWS = (
    (NOON - DAY, NOON),
    (NOON - DAY + 10 * HOUR / 60, NOON + 10 * HOUR / 60),
    (NOON - 3 * DAY, NOON + DAY),
    (NOON + DAY, NOON + 2 * DAY),
)


def hold(cast: Cast) -> None:
    for window in WINDOWS:
        assert found(cast, *window) == plain(cast, *window)


def test_sums_are_what_the_hours_come_to(cast: Cast, cards: list[Accelerator]) -> None:
    assert cards
    hold(cast)
    assert len(set(found(cast, *WINDOWS[0]).values())) == 3
    assert (0, 0, None) in found(cast, *WINDOWS[0]).values()


def test_what_is_added_written_over_or_taken_away_is_in_the_sums(cast: Cast, cards: list[Accelerator]) -> None:
    before = found(cast, *WINDOWS[2])
    first, second, *_others = cards
    use(first, NOON - 2 * HOUR, 111)
    use(first, NOON - 2 * HOUR, 222)
    use(second, NOON - 2 * HOUR, 10**6, "Q")
    AcceleratorHour.objects.filter(accelerator=second).update(
        utilisation_percent_sum=F("utilisation_percent_sum") + 7, utilisation_samples=F("utilisation_samples") + 1
    )
    AcceleratorHour.objects.filter(accelerator=first).order_by("hour_at")[:1].get().delete()
    AcceleratorHour.objects.bulk_create(
        [
            AcceleratorHour(accelerator=card, hour_at=NOON - 60 * HOUR, utilisation_percent_sum=5,
                            utilisation_samples=1, last_read_at=NOON)
            for card in cards
        ]
    )  # fmt: skip
    hold(cast)
    assert found(cast, *WINDOWS[2]) != before


def test_a_card_that_moves_takes_along_what_it_showed(cast: Cast, cards: list[Accelerator]) -> None:
    east, west = cards[0], cards[-1]
    before = found(cast, *WINDOWS[2])
    Accelerator.objects.filter(pk=east.pk).update(node=west.node)
    hold(cast)
    after = found(cast, *WINDOWS[2])
    assert after != before
    assert sum(one[0] for one in after.values()) == sum(one[0] for one in before.values())
    # Where nothing was metered any more, the energy is unknown and not nothing.
    Accelerator.objects.filter(node__cluster__slug="east").update(node=west.node)
    hold(cast)
    assert sorted(one[2] is None for one in found(cast, *WINDOWS[2]).values()) == [False, True, True]


def test_a_node_that_is_of_another_cluster_counts_there(cast: Cast, cards: list[Accelerator]) -> None:
    node = cards[0].node
    node.cluster = cards[-1].node.cluster
    node.save(update_fields=["cluster"])
    hold(cast)


def test_tokens_and_what_is_of_no_card_are_in_no_sum(cast: Cast, cards: list[Accelerator]) -> None:
    rows = FleetHour.objects.count()
    meter = Meter.objects.create(witness=Witness.ENGINE, quantity="output", model="sample")
    row = UsageRow(
        meter_id=meter.id, witness=Witness.ENGINE, quantity="output", model="sample", quality="A", version=1,
        hour_at=NOON, from_at=NOON, to_at=NOON + HOUR, deployment_id=None, tenant_id=None, rule="same_epoch_rise",
        value=9, records=1,
    )  # fmt: skip
    add_usage([row], NOON)
    assert FleetHour.objects.count() == rows
    assert cards
    hold(cast)


def test_what_is_used_while_held_is_of_the_hours_that_begin_held(cast: Cast, cards: list[Accelerator]) -> None:
    """Whole nodes held throughout, cards held for a part of the time or in turns, and cards that nobody holds."""
    chosen = random.Random(5)
    east = [card for card in cards if card.node_id == cards[0].node_id]
    for card in cards:
        part = factories.make_slice(card)
        begins = NOON - chosen.randrange(60) * HOUR - chosen.choice((0, 1)) * HOUR / 3
        begins = NOON - 4 * DAY if card in east else begins
        ends = None if card in east else begins + chosen.randrange(1, 50) * HOUR
        factories.make_allocation(part, cast.tenant, begins, ends)
        if ends is not None and chosen.random() < 0.5:
            factories.make_allocation(part, cast.tenant, ends, None)
    some = []
    for from_at, to_at in (*WINDOWS, (NOON - DAY, NOON - 20 * HOUR)):
        for slug in ("", "east", "west", "empty"):
            of = [card.id for card in cards if card.node.cluster.slug == slug or not slug]
            hours = AcceleratorHour.objects.filter(accelerator__in=of, hour_at__gte=from_at, hour_at__lt=to_at)
            held = [
                (hour.utilisation_percent_sum, hour.utilisation_samples)
                for hour in hours
                if Allocation.objects.filter(
                    Q(to_at__isnull=True) | Q(to_at__gt=hour.hour_at),
                    slice__accelerator=hour.accelerator_id,
                    from_at__lte=hour.hour_at,
                ).exists()
            ]
            mean = mean_share(sum(one[0] for one in held), sum(one[1] for one in held))
            asked: dict[str, Any] = {
                "provider": cast.provider,
                "from_at": from_at,
                "to_at": to_at,
                "cluster_slug": slug,
            }
            assert utilisation_while_held(**asked) == mean
            assert utilisation_while_held(**asked, accelerator_ids=of) == mean
            read = cluster_figures(provider=cast.provider, now=to_at, from_at=from_at, cluster_slug=slug)
            assert utilisation_while_held(**asked, known=total_of(read)) == mean
            named = cluster_figures(
                provider=cast.provider, now=to_at, from_at=from_at, cluster_slug=slug, shown_from=from_at
            )
            assert utilisation_while_held(**asked, known=total_of(named)) == mean
            assert total_of(named).partly_held is not None
            some.append(mean)
    assert len(set(some)) > 6


def test_any_fleet_takes_as_many_queries(cast: Cast, cards: list[Accelerator]) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            found(cast, *WINDOWS[0])
        return len(captured)

    before = asked()
    for position in range(2, 12):
        card = factories.make_accelerator(cards[0].node, position)
        factories.make_slice(card)
        show(card, NOON - HOUR, 50, 1)
    assert asked() == before <= 4
