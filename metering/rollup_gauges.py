"""Gauges of accelerators by hour: sums and counts of what was read; unknown samples are left out, never zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from clusters.inventory import UUID_CHARS_MAX
from clusters.models import Slice, SliceKind
from clusters.naming import fitted
from metering.hours import hour_of, instant_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from clusters.models import Node
    from metering.clock import ClockLimits
    from metering.meters import NodeMeters
    from metering.wire import GaugeColumn

POSSIBLE_MAX: Final = {
    "utilisation_percent": 100,
    "power_mw": 10_000_000,
    "memory_used_mib": 100_000_000,
    "clock_events": 2**31 - 1,
    "graphics_permille": 1000,
    "sm_permille": 1000,
    "tensor_permille": 1000,
}
"""A larger value is no reading of one card: 10 kW, 100 TiB."""
POWER_CAPPED: Final = 0x4
"""Bit of `nvmlClocksEventReasons`: held back by the power limit, which is how cards under load are run."""
THROTTLED: Final = 0x8 | 0x20 | 0x40 | 0x80
"""Its bits of slowdowns that nobody wants: hardware, thermal by software, thermal by hardware, power brake."""


ACTIVITY: Final = ("graphics_permille", "sm_permille", "tensor_permille")
INSTANCE_MARKS: Final = ("MIG-", "/")
"""What is in the name of an instance and in no card's: an instance that no list has shown yet is not made a card."""


@dataclass(slots=True)
class ActivityHour:
    """How busy a card or an instance was in one hour: sums and samples in the order of ACTIVITY."""

    sums: list[int] = field(default_factory=lambda: [0, 0, 0])
    samples: list[int] = field(default_factory=lambda: [0, 0, 0])

    def add(self, quantity: str, value: int) -> None:
        """Add one sample."""
        place = ACTIVITY.index(quantity)
        self.sums[place] += value
        self.samples[place] += 1

    @property
    def row(self) -> tuple[int, ...]:
        """Sum and samples of each."""
        return tuple(number for pair in zip(self.sums, self.samples, strict=True) for number in pair)


@dataclass(slots=True)
class GaugeHour:
    """What one card's gauges showed in one hour."""

    utilisation_sum: int = 0
    utilisation_samples: int = 0
    power_sum: int = 0
    power_samples: int = 0
    memory_max: int | None = None
    clock_samples: int = 0
    throttled: int = 0
    power_capped: int = 0
    activity: ActivityHour = field(default_factory=ActivityHour)
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
        elif quantity == "clock_events":
            self.clock_samples += 1
            self.throttled += bool(value & THROTTLED)
            self.power_capped += bool(value & POWER_CAPPED)
        elif quantity in ACTIVITY:
            self.activity.add(quantity, value)
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


CARD_COLUMNS: Final = {
    "utilisation_percent_sum": "bigint",
    "utilisation_samples": "integer",
    "power_mw_sum": "bigint",
    "power_samples": "integer",
    "clock_samples": "integer",
    "throttled_samples": "integer",
    "power_capped_samples": "integer",
}
ACTIVITY_COLUMNS: Final = {
    "graphics_permille_sum": "bigint",
    "graphics_samples": "integer",
    "sm_permille_sum": "bigint",
    "sm_samples": "integer",
    "tensor_permille_sum": "bigint",
    "tensor_samples": "integer",
}
LAST_COLUMNS: Final = {
    "memory_used_mib_max": ("integer", "GREATEST(kept.{0}, EXCLUDED.{0})"),
    "last_utilisation_percent": ("smallint", "COALESCE(EXCLUDED.{0}, kept.{0})"),
    "last_power_mw": ("integer", "COALESCE(EXCLUDED.{0}, kept.{0})"),
    "last_read_at": ("timestamptz", "GREATEST(kept.{0}, EXCLUDED.{0})"),
}


def _upsert(table: str, key: str, added: dict[str, str], joined: dict[str, tuple[str, str]]) -> str:
    """The statement that adds rows given as one array per column; all names in it are this module's own."""
    columns = {key: "uuid", "hour_at": "timestamptz", **added, **{name: kind for name, (kind, _) in joined.items()}}
    changes = [f"{name} = kept.{name} + EXCLUDED.{name}" for name in added]
    changes += [f"{name} = {how.format(name)}" for name, (_, how) in joined.items()]
    arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    return (
        f"INSERT INTO {table} AS kept ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - as said
        f" ON CONFLICT ({key}, hour_at) DO UPDATE SET {', '.join(changes)}"
    )


CARDS: Final = _upsert("metering_acceleratorhour", "accelerator_id", {**CARD_COLUMNS, **ACTIVITY_COLUMNS}, LAST_COLUMNS)
PARTITIONS: Final = _upsert("metering_partitionhour", "slice_id", ACTIVITY_COLUMNS, {})


def write_gauges(*, meters: NodeMeters, hours: Mapping[tuple[str, int], GaugeHour]) -> None:
    """Add the gauges of a node's next batches to its cards' and instances' hours. Must run in rollup's transaction."""
    if not hours:
        return
    slices = _partitions(meters.node, {uuid for uuid, _ in hours})
    names = {uuid for uuid, _ in hours if uuid not in slices and not any(mark in uuid for mark in INSTANCE_MARKS)}
    cards = meters.accelerators(names, min(hour.last_ms for hour in hours.values()))
    found = sorted((cards[uuid], hour_ms, _row(hour)) for (uuid, hour_ms), hour in hours.items() if uuid in cards)
    _write(CARDS, [(card, instant_of(hour_ms), *row) for card, hour_ms, row in found])
    parts = sorted(
        (slices[uuid], hour_ms, hour.activity.row) for (uuid, hour_ms), hour in hours.items() if uuid in slices
    )
    _write(PARTITIONS, [(part, instant_of(hour_ms), *row) for part, hour_ms, row in parts])


def _partitions(node: Node, names: Iterable[str]) -> dict[str, UUID]:
    """The MIG instances of the node's cards among these names."""
    rows = Slice.objects.filter(accelerator__node=node, kind=SliceKind.MIG, label__in=list(names))
    return dict(rows.values_list("label", "id"))


def _row(hour: GaugeHour) -> tuple[Any, ...]:
    return (
        hour.utilisation_sum,
        hour.utilisation_samples,
        hour.power_sum,
        hour.power_samples,
        hour.clock_samples,
        hour.throttled,
        hour.power_capped,
        *hour.activity.row,
        hour.memory_max,
        hour.last_utilisation,
        hour.last_power,
        instant_of(hour.last_ms),
    )


def _write(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
