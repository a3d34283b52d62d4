"""Gauges of accelerators by hour: sums and counts of what was read; unknown samples are left out, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection

from clusters.inventory import UUID_CHARS_MAX
from clusters.naming import fitted
from metering.hours import hour_of, instant_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from metering.clock import ClockLimits
    from metering.meters import NodeMeters
    from metering.wire import GaugeColumn

POSSIBLE_MAX: Final = {"utilisation_percent": 100, "power_mw": 10_000_000, "memory_used_mib": 100_000_000}
"""A larger value is no reading of one card: 10 kW, 100 TiB."""


@dataclass(slots=True)
class GaugeHour:
    """What one card's gauges showed in one hour."""

    utilisation_sum: int = 0
    utilisation_samples: int = 0
    power_sum: int = 0
    power_samples: int = 0
    memory_max: int | None = None
    last_utilisation: int | None = None
    last_power: int | None = None
    last_ms: int = 0

    def add(self, quantity: str, value: int, read_at_ms: int) -> None:
        """Add one sample."""
        self.last_ms = max(self.last_ms, read_at_ms)
        if quantity == "utilisation_percent":
            self.utilisation_sum += value
            self.utilisation_samples += 1
            self.last_utilisation = value
        elif quantity == "power_mw":
            self.power_sum += value
            self.power_samples += 1
            self.last_power = value
        else:
            self.memory_max = max(self.memory_max or 0, value)


def fold_gauges(columns: Sequence[GaugeColumn], limits: ClockLimits, hours: dict[tuple[str, int], GaugeHour]) -> None:
    """Add a batch's samples that can be true to `{(accelerator's UUID, hour's Unix ms): its hour}`."""
    for column in columns:
        uuid = fitted(column.accelerator, UUID_CHARS_MAX)
        possible = POSSIBLE_MAX[column.quantity]
        for value, at_ms in zip(column.values, column.read_at_ms, strict=True):
            if value is not None and value <= possible and limits.trusts(at_ms):
                hour = hours.setdefault((uuid, hour_of(at_ms)), GaugeHour())
                hour.add(column.quantity, value, at_ms)


UPSERT: Final = """
    INSERT INTO metering_acceleratorhour AS kept (
        accelerator_id, hour_at, utilisation_percent_sum, utilisation_samples, power_mw_sum, power_samples,
        memory_used_mib_max, last_utilisation_percent, last_power_mw, last_read_at
    )
    SELECT * FROM unnest(
        %s::uuid[], %s::timestamptz[], %s::bigint[], %s::integer[], %s::bigint[], %s::integer[],
        %s::integer[], %s::smallint[], %s::integer[], %s::timestamptz[]
    )
    ON CONFLICT (accelerator_id, hour_at) DO UPDATE SET
        utilisation_percent_sum = kept.utilisation_percent_sum + EXCLUDED.utilisation_percent_sum,
        utilisation_samples = kept.utilisation_samples + EXCLUDED.utilisation_samples,
        power_mw_sum = kept.power_mw_sum + EXCLUDED.power_mw_sum,
        power_samples = kept.power_samples + EXCLUDED.power_samples,
        memory_used_mib_max = GREATEST(kept.memory_used_mib_max, EXCLUDED.memory_used_mib_max),
        last_utilisation_percent = COALESCE(EXCLUDED.last_utilisation_percent, kept.last_utilisation_percent),
        last_power_mw = COALESCE(EXCLUDED.last_power_mw, kept.last_power_mw),
        last_read_at = GREATEST(kept.last_read_at, EXCLUDED.last_read_at)
"""


def write_gauges(*, meters: NodeMeters, hours: Mapping[tuple[str, int], GaugeHour]) -> None:
    """Add the gauges of a node's next batches to its cards' hours. Must run in rollup's transaction."""
    if not hours:
        return
    cards = meters.accelerators((uuid for uuid, _ in hours), min(hour.last_ms for hour in hours.values()))
    found = sorted((cards[uuid], hour_ms, hour) for (uuid, hour_ms), hour in hours.items() if uuid in cards)
    with connection.cursor() as cursor:
        cursor.execute(
            UPSERT,
            [
                [card for card, _, _ in found],
                [instant_of(hour_ms) for _, hour_ms, _ in found],
                [hour.utilisation_sum for _, _, hour in found],
                [hour.utilisation_samples for _, _, hour in found],
                [hour.power_sum for _, _, hour in found],
                [hour.power_samples for _, _, hour in found],
                [hour.memory_max for _, _, hour in found],
                [hour.last_utilisation for _, _, hour in found],
                [hour.last_power for _, _, hour in found],
                [instant_of(hour.last_ms) for _, _, hour in found],
            ],
        )
