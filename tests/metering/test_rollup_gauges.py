"""Gauges by hour: sums and samples of what was read, unknown left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from clusters.models import Accelerator
from metering.card_models import PartitionHour
from metering.clock import ClockLimits
from metering.models import AcceleratorHour
from metering.rollup_gauges import GaugeHour, fold_gauges
from metering.wire import AcceleratorSeen, GaugeColumn, MigSeen
from tests.metering.fleet import NOON_MS, make_agent, roll_up

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR_MS = 3_600_000
LIMITS = ClockLimits(0, 2 * NOON_MS)


def gauge(quantity: Any, values: list[int | None], from_ms: int = NOON_MS, step_ms: int = 10_000) -> GaugeColumn:
    return GaugeColumn("GPU-1", quantity, values, [from_ms + step_ms * index for index in range(len(values))])


def fold(*columns: GaugeColumn, limits: ClockLimits = LIMITS) -> dict[tuple[str, int], GaugeHour]:
    hours: dict[tuple[str, int], GaugeHour] = {}
    fold_gauges(columns, limits, hours)
    return hours


def test_samples_go_to_their_hour_and_unknown_ones_nowhere() -> None:
    hours = fold(gauge("utilisation_percent", [10, None, 30], NOON_MS, HOUR_MS))
    assert {key[1]: (hour.utilisation_sum, hour.utilisation_samples) for key, hour in hours.items()} == {
        NOON_MS: (10, 1),
        NOON_MS + 2 * HOUR_MS: (30, 1),
    }


def test_zero_is_a_sample() -> None:
    (hour,) = fold(gauge("utilisation_percent", [0, 0])).values()
    assert (hour.utilisation_samples, hour.last_utilisation) == (2, 0)


def test_what_no_card_can_show_and_what_no_clock_can_say_is_left_out() -> None:
    assert fold(gauge("utilisation_percent", [101]), gauge("power_mw", [2**40])) == {}
    assert fold(gauge("power_mw", [5]), limits=ClockLimits(0, NOON_MS - 1)) == {}


def test_hours_grow_from_chunk_to_chunk(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    agent.ship(gauges=[gauge("utilisation_percent", [10, 20]), gauge("memory_used_mib", [70])])
    roll_up(agent.node)
    agent.ship(gauges=[gauge("power_mw", [500], NOON_MS + 60_000), gauge("memory_used_mib", [50], NOON_MS + 60_000)])
    roll_up(agent.node)
    roll_up(agent.node)
    hour = AcceleratorHour.objects.get()
    assert (hour.utilisation_percent_sum, hour.utilisation_samples) == (30, 2)
    assert (hour.power_mw_sum, hour.power_samples, hour.memory_used_mib_max) == (500, 1, 70)
    assert (hour.last_utilisation_percent, hour.last_power_mw) == (20, 500)


def test_clocks_held_back_are_counted_by_their_cause() -> None:
    """Idle, power cap, hardware slowdown with heat, software thermal with a power cap."""
    (hour,) = fold(gauge("clock_events", [0x1, 0x4, 0x48, 0x24, None])).values()
    assert (hour.clock_samples, hour.throttled, hour.power_capped) == (4, 2, 2)


def test_activity_adds_up_apart() -> None:
    (hour,) = fold(gauge("graphics_permille", [900, 1000]), gauge("sm_permille", [0]), gauge("sm_permille", [1001]))
    found = fold(gauge("graphics_permille", [900, 1000]), gauge("sm_permille", [0]))
    assert found[hour].activity.row == (1_900, 2, 0, 1, 0, 0)


def test_an_instance_has_hours_of_its_own_and_never_becomes_a_card(cast: Cast) -> None:
    agent = make_agent(cast.provider)
    instance = MigSeen("MIG-a", "1g.10gb", 9_728, 7, 0)
    card = AcceleratorSeen("GPU-1", None, "NVIDIA H100 80GB HBM3", 81_920, None, True, [instance], None)
    names = ("GPU-1", "MIG-a", "MIG-unknown", "GPU-1/gi9")
    agent.ship(
        accelerators=[card],
        gauges=[GaugeColumn(name, "graphics_permille", [400, 600], [NOON_MS, NOON_MS + 10_000]) for name in names],
    )
    roll_up(agent.node)
    assert list(Accelerator.objects.values_list("uuid", flat=True)) == ["GPU-1"]
    hour = PartitionHour.objects.get()
    assert (hour.slice.label, hour.graphics_permille_sum, hour.graphics_samples) == ("MIG-a", 1_000, 2)
    assert AcceleratorHour.objects.get().graphics_permille_sum == 1_000
    agent.ship(gauges=[GaugeColumn("MIG-a", "graphics_permille", [50], [NOON_MS + 20_000])])
    roll_up(agent.node)
    assert PartitionHour.objects.get().graphics_samples == 3


def test_the_new_columns_of_an_hour_have_defaults_in_the_database(cast: Cast) -> None:
    """A rollup of the release before, still running during an upgrade, writes hours without them."""
    agent = make_agent(cast.provider)
    agent.ship(gauges=[gauge("power_mw", [5])])
    roll_up(agent.node)
    hour = AcceleratorHour.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_acceleratorhour (accelerator_id, hour_at, utilisation_percent_sum,"
            " utilisation_samples, power_mw_sum, power_samples, last_read_at)"
            " VALUES (%s, now(), 0, 0, 0, 0, now())",
            [hour.accelerator_id],
        )
    assert set(AcceleratorHour.objects.values_list("clock_samples", "sm_samples")) == {(0, 0)}
