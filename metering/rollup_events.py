"""Rolling up usage events: queued events are claimed, summed by slot in the database, and leave the queue.

The claim deletes from the queue and skips what another worker claims; hours are written in the same transaction,
so an event is counted by exactly one commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction

from metering.event_items import COUNT_FIELDS
from metering.models import Meter, Quality, Quantity, Witness
from metering.usage_rows import UsageRow, add_usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

CHUNK_EVENTS: Final = 20_000
RULE: Final = "event_sum"
RULE_UNATTRIBUTED: Final = "event_sum_unattributed"

# A slot of an hour begins at the last cut or edge of the deployment before the event, and ends at the next one.
# An hour grows in version 1 until an hour after its end; what comes later goes into a version per hour of receipt.
CLAIM: Final = """
    WITH claimed AS (
        DELETE FROM metering_eventqueue WHERE event_id IN (
            SELECT event_id FROM metering_eventqueue ORDER BY event_id LIMIT %s FOR UPDATE SKIP LOCKED
        ) RETURNING event_id
    ), timed AS (
        SELECT event.*, date_trunc('hour', event.occurred_at, 'UTC') AS hour_at
        FROM claimed JOIN metering_usageevent AS event ON event.id = claimed.event_id
    ), slotted AS (
        SELECT timed.*,
            GREATEST(hour_at, deployment.from_at,
                (SELECT max(at) FROM metering_usagecut
                 WHERE deployment_id = timed.deployment_id AND at > hour_at AND at <= occurred_at)) AS slot_from,
            LEAST(hour_at + interval '1 hour', deployment.to_at,
                (SELECT min(at) FROM metering_usagecut
                 WHERE deployment_id = timed.deployment_id AND at > occurred_at)) AS slot_to,
            1 + GREATEST(0, floor(extract(epoch FROM received_at - hour_at) / 3600) - 1)::integer AS version
        FROM timed LEFT JOIN clusters_deployment AS deployment ON deployment.id = timed.deployment_id
    )
    SELECT reporter_id, source, model, tenant_id, deployment_id, hour_at, slot_from, slot_to, version,
        sum(input), sum(cached_input), sum(cache_write), sum(output), sum(reasoning), count(*)
    FROM slotted GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""


@dataclass(frozen=True, slots=True)
class _Sum:
    """The events of one slot, reporter, source and model, summed."""

    reporter_id: UUID
    source: str
    model: str
    tenant_id: UUID
    deployment_id: UUID | None
    hour_at: datetime
    from_at: datetime
    to_at: datetime
    version: int
    totals: dict[str, int]
    records: int


def roll_up_events(*, now: datetime, chunk_events: int = CHUNK_EVENTS) -> int:
    """Count the next queued events into usage hours; return how many there were."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [chunk_events])
            sums = [_sum(row) for row in cursor.fetchall()]
        if sums:
            add_usage(_rows(sums, _ensure_meters(sums)), now)
    return sum(one.records for one in sums)


def _sum(row: tuple[Any, ...]) -> _Sum:
    *key, records = row
    totals = {field: int(value) for field, value in zip(COUNT_FIELDS, key[9:], strict=True)}
    totals[Quantity.REQUESTS.value] = records
    reporter_id, source, model, tenant_id, deployment_id, hour_at, from_at, to_at, version = key[:9]
    return _Sum(reporter_id, source, model, tenant_id, deployment_id, hour_at, from_at, to_at, version, totals, records)


def _counted(totals: dict[str, int]) -> Iterable[tuple[str, int]]:
    """Input, output and requests always, zeros too: they were reported. Others where there were any."""
    always = (Quantity.INPUT.value, Quantity.OUTPUT.value, Quantity.REQUESTS.value)
    return ((quantity, value) for quantity, value in totals.items() if value or quantity in always)


MeterKey = tuple["UUID", str, str, str]


def _ensure_meters(sums: Iterable[_Sum]) -> dict[MeterKey, UUID]:
    wanted = {
        (one.reporter_id, one.source, one.model, quantity) for one in sums for quantity, _ in _counted(one.totals)
    }
    found = _read_meters(wanted)
    missing = sorted(wanted - found.keys())
    if missing:
        Meter.objects.bulk_create(
            [
                Meter(witness=Witness.GATEWAY, reporter_id=reporter, source=source, model=model, quantity=quantity)
                for reporter, source, model, quantity in missing
            ],
            ignore_conflicts=True,
        )
        found |= _read_meters(set(missing))
    return found


def _read_meters(wanted: set[MeterKey]) -> dict[MeterKey, UUID]:
    rows = Meter.objects.filter(
        witness=Witness.GATEWAY,
        reporter_id__in={key[0] for key in wanted},
        source__in={key[1] for key in wanted},
        model__in={key[2] for key in wanted},
    ).values_list("reporter_id", "source", "model", "quantity", "id")
    return {(reporter, source, model, quantity): meter for reporter, source, model, quantity, meter in rows}


def _rows(sums: Iterable[_Sum], meters: dict[MeterKey, UUID]) -> Iterable[UsageRow]:
    for one in sums:
        for quantity, value in _counted(one.totals):
            yield UsageRow(
                meter_id=meters[one.reporter_id, one.source, one.model, quantity],
                witness=Witness.GATEWAY,
                quantity=quantity,
                model=one.model,
                hour_at=one.hour_at,
                from_at=one.from_at,
                to_at=one.to_at,
                deployment_id=one.deployment_id,
                tenant_id=one.tenant_id,
                quality=Quality.ACTUAL,
                rule=RULE if one.deployment_id else RULE_UNATTRIBUTED,
                version=one.version,
                value=value,
                records=one.records,
            )
