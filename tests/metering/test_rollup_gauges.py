"""Gauges by hour: sums and samples of what was read, unknown left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metering.clock import ClockLimits
from metering.models import AcceleratorHour
from metering.rollup_gauges import GaugeHour, fold_gauges
from metering.wire import GaugeColumn
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
