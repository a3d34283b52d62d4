"""Writing usage hours: many at once, each added to its row if the row is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection

from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What to add to one usage hour; the fields are those of `metering.models.UsageHour`."""

    meter_id: UUID
    witness: str
    quantity: str
    model: str
    hour_at: datetime
    from_at: datetime
    to_at: datetime
    deployment_id: UUID | None
    tenant_id: UUID | None
    quality: str
    rule: str
    version: int
    value: int
    records: int
    first_batch_seq: int | None = None
    last_batch_seq: int | None = None
    context_over: int = 0
    marks: str = ""


COLUMNS: Final = {
    "meter_id": "uuid",
    "witness": "text",
    "quantity": "text",
    "model": "text",
    "hour_at": "timestamptz",
    "from_at": "timestamptz",
    "to_at": "timestamptz",
    "deployment_id": "uuid",
    "tenant_id": "uuid",
    "quality": "text",
    "rule": "text",
    "version": "integer",
    "value": "bigint",
    "records": "bigint",
    "first_batch_seq": "bigint",
    "last_batch_seq": "bigint",
    "context_over": "integer",
    "marks": "text",
}
# One statement for any number of rows. The table's distribution column leads its key. The guard of the table lets rows
# grow for whoever announces it.
UPSERT: Final = f"""
    SET LOCAL forecourt.writes = 'usage_hours';
    INSERT INTO metering_usagehour AS kept (id, {", ".join(COLUMNS)}, updated_at)
    SELECT *, %s::timestamptz
        FROM unnest(%s::uuid[], {", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())})
    ON CONFLICT (meter_id, from_at, deployment_id, tenant_id, quality, rule, version, context_over, marks) DO UPDATE SET
        value = kept.value + EXCLUDED.value,
        records = kept.records + EXCLUDED.records,
        to_at = LEAST(kept.to_at, EXCLUDED.to_at),
        first_batch_seq = LEAST(kept.first_batch_seq, EXCLUDED.first_batch_seq),
        last_batch_seq = GREATEST(kept.last_batch_seq, EXCLUDED.last_batch_seq),
        updated_at = EXCLUDED.updated_at;
    SET LOCAL forecourt.writes = ''
"""  # noqa: S608  the names are the constants above


def _lock_order(row: UsageRow) -> tuple[object, ...]:
    owner = (str(row.deployment_id), str(row.tenant_id))
    return (row.meter_id, row.from_at, *owner, row.quality, row.rule, row.version, row.context_over, row.marks)


def add_usage(rows: Iterable[UsageRow], now: datetime) -> int:
    """Add rows, no two of one key, to the usage hours; return how many.

    In one order, so that two writers to the same rows cannot wait for each other. Must run in a transaction.
    """
    ordered = sorted(rows, key=_lock_order)
    if ordered:
        arrays = [[getattr(row, name) for row in ordered] for name in COLUMNS]
        with connection.cursor() as cursor:
            cursor.execute(UPSERT, [now, [new_id() for _ in ordered], *arrays])
    return len(ordered)
