"""Rolling up usage events: waiting calls are claimed, summed by part of an hour, and leave the queue.

The claim deletes from the queue and skips what another worker claims; hours are written in the same transaction,
so an event is counted by exactly one commit.
"""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from clusters.models import Deployment
from metering.billing_reporters import note_reporters, reporting_of
from metering.event_calls import read_calls
from metering.event_ownership import note_event_owners
from metering.event_spans import deployments_for, tenants_in
from metering.event_sums import deployments_in, explain_events, sum_events
from metering.key_hours import add_key_hours
from metering.key_sums import labelled, sum_keys
from metering.models import Meter, Quality, UsageCut, Witness
from metering.usage_rows import UsageRow, add_usage
from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.billing_reporters import Reporting
    from metering.event_sums import EventSum, Explaining, ReceivedEvents
    from metering.key_sums import KeySum

CHUNK_CALLS: Final = 500
CHUNK_EVENTS: Final = 200_000
RULE: Final = "event_sum"
RULE_UNATTRIBUTED: Final = "event_sum_unattributed"

# Claims in the order of receipt until there are enough events; at least one call.
CLAIM: Final = """
    WITH waiting AS (
        SELECT call, events FROM metering_waitingevents WHERE call <> ALL(%s::uuid[])
        ORDER BY call LIMIT %s FOR UPDATE SKIP LOCKED
    ), counted AS (
        SELECT call, sum(events) OVER (ORDER BY call) - events AS before FROM waiting
    )
    DELETE FROM metering_waitingevents WHERE call IN (SELECT call FROM counted WHERE before < %s)
    RETURNING call, received_at
"""
# The instants of receipt say which parts of the table to look in.
READ: Final = """
    SELECT reporter_id, received_at, body FROM metering_eventcall
    WHERE id = ANY(%s) AND received_at BETWEEN %s AND %s
"""
EXPLAINING: Final = ("several_requests", "several_input", "repeated_input", "further_answers", "aborted_requests")
EXPLAIN: Final = f"""
    INSERT INTO metering_explaininghour AS kept (id, deployment_id, model, hour_at, {", ".join(EXPLAINING)})
    SELECT * FROM unnest(
        %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], {", ".join(["%s::bigint[]"] * len(EXPLAINING))}
    )
    ON CONFLICT (deployment_id, model, hour_at) DO UPDATE SET
        {", ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in EXPLAINING)}
"""  # noqa: S608  the names are the constants above


class ChunkFailed(Exception):
    """The events of these calls could not be rolled up together; they wait as before."""

    def __init__(self, calls: Collection[UUID]) -> None:
        super().__init__(f"{len(calls)} calls of events, the first is {min(calls)}")
        self.calls = frozenset(calls)


def roll_up_events(
    *, now: datetime, chunk_events: int = CHUNK_EVENTS, passed_over: Collection[UUID] = frozenset()
) -> int:
    """Count the events of the next waiting calls into usage hours; return how many there were.

    Calls that are passed over wait on. Raises ChunkFailed.
    """
    claimed: dict[UUID, datetime] = {}
    try:
        with transaction.atomic():
            _wait_for_rebuild()
            claimed = _claim(chunk_events, passed_over)
            calls = _read(claimed)
            if calls:
                calls = present(calls, now)
                add_usage(usage_of(calls), now)
                add_explaining(explaining_of(calls))
                add_key_hours(key_sums_of(calls), now)
    except Exception as broken:
        if not claimed:
            raise
        raise ChunkFailed(claimed) from broken
    return sum(len(call.events) for call in calls)


REBUILD_LOCK: Final = 0x466F7265
"""Key of the advisory lock that keeps events from moving into usage hours while they are summed again."""


def hold_off_rollup() -> None:
    """Keep events from being rolled up until the transaction ends, once those that are at it are done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REBUILD_LOCK])


def _wait_for_rebuild() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [REBUILD_LOCK])


def present(calls: Sequence[ReceivedEvents], now: datetime) -> list[ReceivedEvents]:
    """Return the events of calls as they belong to deployments by now; note that they are counted so, and by whom."""
    spans = note_event_owners(tenant_ids=tenants_in(calls), now=now)
    owned = deployments_for(calls, spans).attributed(calls)
    note_reporters(owned, now)
    return owned


def usage_of(calls: Sequence[ReceivedEvents]) -> list[UsageRow]:
    """Return what the events of at least one call add to usage hours; makes the meters that are missing.

    Depends on nothing but the calls and the deployments' edges: any chunks of the same calls add up to the same.
    """
    deployment_ids = deployments_in(calls)
    sums = sum_events(calls, edges_of(deployment_ids))
    return list(_rows(sums, _ensure_meters(sums), reporting_of(deployment_ids)))


def explaining_of(calls: Sequence[ReceivedEvents]) -> list[Explaining]:
    """Return what the events that bill explain of differences to the engines."""
    return explain_events(calls, reporting_of(deployments_in(calls)).bills)


def key_sums_of(calls: Sequence[ReceivedEvents]) -> list[KeySum]:
    """Return what the events of calls add to the use by key; depends on what `usage_of` depends on."""
    named = labelled(calls)
    deployment_ids = deployments_in(named)
    return sum_keys(named, edges_of(deployment_ids), reporting_of(deployment_ids).bills)


def edges_of(deployment_ids: Collection[UUID]) -> dict[UUID, list[datetime]]:
    """Return every instant at which usage of these deployments is parted: their own edges and their cuts."""
    edges: dict[UUID, list[datetime]] = defaultdict(list)
    for deployment_id, from_at, to_at in Deployment.objects.filter(id__in=deployment_ids).values_list(
        "id", "from_at", "to_at"
    ):
        edges[deployment_id] += [at for at in (from_at, to_at) if at is not None]
    for deployment_id, at in UsageCut.objects.filter(deployment_id__in=deployment_ids).values_list(
        "deployment_id", "at"
    ):
        edges[deployment_id].append(at)
    return edges


def _claim(chunk_events: int, passed_over: Collection[UUID]) -> dict[UUID, datetime]:
    """Take the next calls from the queue; return when each was received."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [list(passed_over), CHUNK_CALLS, chunk_events])
        return dict(cursor.fetchall())


def _read(claimed: Mapping[UUID, datetime]) -> list[ReceivedEvents]:
    if not claimed:
        return []
    instants = claimed.values()
    with connection.cursor() as cursor:
        cursor.execute(READ, [list(claimed), min(instants), max(instants)])
        calls = read_calls(cursor.fetchall())
    assert len(calls) == len(claimed), "a call stays for as long as it waits"
    return calls


def add_explaining(rows: Sequence[Explaining]) -> None:
    """Add to what explains differences to the engines, in one order; values may be negative."""
    if not rows:
        return
    rows = sorted(rows, key=attrgetter("deployment_id", "model", "hour_at"))
    with connection.cursor() as cursor:
        cursor.execute(
            EXPLAIN,
            [
                [new_id() for _ in rows],
                [row.deployment_id for row in rows],
                [row.model for row in rows],
                [row.hour_at for row in rows],
                *([getattr(row, name) for row in rows] for name in EXPLAINING),
            ],
        )


MeterKey = tuple["UUID", str, str, str]


def _ensure_meters(sums: Iterable[EventSum]) -> dict[MeterKey, UUID]:
    wanted = {(one.reporter_id, one.source, one.model, quantity) for one in sums for quantity in one.totals}
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


def _rows(sums: Iterable[EventSum], meters: dict[MeterKey, UUID], reporting: Reporting) -> Iterable[UsageRow]:
    for one in sums:
        bills = reporting.bills(one.deployment_id, one.reporter_id, one.hour_at)
        for quantity, value in one.totals.items():
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
                quality=Quality.ACTUAL if bills else Quality.CONTROL,
                rule=RULE if one.deployment_id else RULE_UNATTRIBUTED,
                version=one.version,
                value=value,
                records=one.records,
                context_over=one.context_over,
                marks=one.marks,
            )
