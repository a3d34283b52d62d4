"""Health of a node's cards: what was reported, and nothing that was not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusters.models import AcceleratorHealth
from metering.card_health import Activity, CardHealth, health_of
from metering.card_models import AcceleratorEvent, AcceleratorHour, PartitionHour
from tests import factories
from tests.kept import kept
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from clusters.models import Accelerator
    from tests.factories import Cast

HOUR = timedelta(hours=1)


def make_card(cast: Cast) -> Accelerator:
    node = factories.make_node(factories.make_cluster(cast.provider), "node-1")
    return factories.make_accelerator(node, 0)


def event(card: Accelerator, code: int, back: int, times: int = 1, kind: str = "xid") -> None:
    at = NOON - back * HOUR
    AcceleratorEvent.objects.create(
        accelerator=card, kind=kind, code=code, hour_at=at, first_at=at, last_at=at, occurrences=times, detail=""
    )


card = kept(make_card)


def test_a_card_of_which_nothing_is_known_is_not_there(card: Accelerator) -> None:
    assert health_of(node=card.node, from_at=NOON - 24 * HOUR, now=NOON) == {}


def test_gauges_without_sensors_give_no_figures(card: Accelerator) -> None:
    AcceleratorHour.objects.create(accelerator=card, hour_at=NOON, power_mw_sum=5, power_samples=1, last_read_at=NOON)
    found = health_of(node=card.node, from_at=NOON - 24 * HOUR, now=NOON)[card.id]
    assert (found, found.activity, found.processes) == (CardHealth(), Activity(None, None, None), None)


def test_events_add_up_by_kind_the_newest_first(card: Accelerator) -> None:
    event(card, 13, 5, times=3)
    event(card, 13, 2)
    event(card, 79, 3)
    event(card, 94, 24 * 8)
    found = health_of(node=card.node, from_at=NOON - 24 * HOUR, now=NOON)[card.id]
    assert [(one.code, one.occurrences, one.last_at) for one in found.events] == [
        (13, 4, NOON - 2 * HOUR),
        (79, 1, NOON - 3 * HOUR),
    ]


def test_shares_are_of_the_samples_that_there_were(card: Accelerator) -> None:
    for back in (0, 1):
        AcceleratorHour.objects.create(
            accelerator=card,
            hour_at=NOON - back * HOUR,
            clock_samples=200,
            throttled_samples=2 * back,
            power_capped_samples=100,
            graphics_permille_sum=500_000,
            graphics_samples=1_000,
            last_read_at=NOON,
        )
    part = factories.make_slice(card, 119)
    PartitionHour.objects.create(slice=part, hour_at=NOON, sm_permille_sum=900, sm_samples=3)
    found = health_of(node=card.node, from_at=NOON - 24 * HOUR, now=NOON)[card.id]
    assert (found.throttled, found.power_capped) == (Decimal("0.005"), Decimal("0.5"))
    assert found.activity == Activity(Decimal("0.5"), None, None)
    ((_, label, activity),) = found.partitions
    assert (label, activity) == (part.label, Activity(None, Decimal("0.3"), None))


def test_what_the_card_told_of_itself(django_assert_num_queries: Any, card: Accelerator) -> None:
    AcceleratorHealth.objects.create(
        accelerator=card,
        seen_at=NOON,
        ecc_corrected=3,
        rows_remapped_uncorrected=2,
        row_remap_pending=True,
        processes=[{"pid": 7, "container_id": "c" * 64, "memory_mib": 10}, {"pid": 8, "container_id": None}],
    )
    with django_assert_num_queries(4):
        found = health_of(node=card.node, from_at=NOON - 24 * HOUR, now=NOON)[card.id]
    assert (found.told_at, found.ecc_corrected, found.ecc_uncorrected) == (NOON, 3, None)
    assert (found.rows_remapped, found.row_remap_pending, found.row_remap_failed) == (2, True, None)
    assert [(one.pid, one.memory_mib) for one in found.processes or ()] == [(7, 10), (8, None)]
