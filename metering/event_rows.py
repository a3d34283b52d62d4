"""The rows of usage events: inserted by one statement, compared by one, conflicts kept."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from django.db import connection

from metering.event_items import COUNT_FIELDS, Event
from metering.models import EventConflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class EventRow(msgspec.Struct, frozen=True):
    """An event with its tenant, its deployment ("NULL": nobody's) and the digest of its content, all as text."""

    id: str
    event: Event
    tenant_id: str
    deployment_id: str
    occurred_at: str
    digest: str

    @property
    def key(self) -> tuple[str, str]:
        """What is unique per reporter."""
        return (self.event.source, self.event.event_id)


INSERT: Final = """
    WITH fresh AS (
        INSERT INTO metering_usageevent (
            reporter_id, received_at, id, source, event_id, content_sha256, tenant_id, deployment_id, model,
            occurred_at, input, cached_input, cache_write, output, reasoning, key_label, samples, aborted
        )
        SELECT %s::uuid, %s::timestamptz, id, source, event_id, decode(digest, 'hex'), tenant, deployment, model,
            occurred_at, input, cached_input, cache_write, output, reasoning, key, samples, aborted
        FROM unnest(
            %s::uuid[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[],
            %s::integer[], %s::boolean[]
        ) AS given (
            id, source, event_id, digest, tenant, deployment, model,
            occurred_at, input, cached_input, cache_write, output, reasoning, key, samples, aborted
        )
        ON CONFLICT (reporter_id, source, event_id) DO NOTHING
        RETURNING id
    ), queued AS (
        INSERT INTO metering_eventqueue (event_id) SELECT id FROM fresh
    )
    SELECT array_agg(id::text) FROM fresh
"""


def insert_new(reporter_id: UUID, rows: Sequence[EventRow], now: datetime) -> set[str]:
    """Insert and queue the events whose key is new; return the ids of those."""
    events = [row.event for row in rows]
    arrays = [
        plain_array([row.id for row in rows]),
        text_array([event.source for event in events]),
        text_array([event.event_id for event in events]),
        plain_array([row.digest for row in rows]),
        plain_array([row.tenant_id for row in rows]),
        plain_array([row.deployment_id for row in rows]),
        text_array([event.model for event in events]),
        plain_array([row.occurred_at for row in rows]),
        *(plain_array([str(event.counts[index]) for event in events]) for index in range(len(COUNT_FIELDS))),
        text_array([event.key for event in events]),
        plain_array([str(event.samples) for event in events]),
        plain_array(["t" if event.aborted else "f" for event in events]),
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [reporter_id, now, *arrays])
        (inserted,) = cursor.fetchone()
    return set(inserted or ())


def plain_array(values: Iterable[str]) -> str:
    """Return an array literal of values that need no quoting: numbers, UUIDs, instants, hexadecimal, NULL.

    The driver's own dumper takes most of the time of a call; a literal is one parameter, quoted as a whole.
    """
    return "{" + ",".join(values) + "}"


def text_array(values: Iterable[str]) -> str:
    """Return an array literal of any texts."""
    quoted = ['"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in values]
    return "{" + ",".join(quoted) + "}"


EXISTING: Final = """
    SELECT given.source, given.event_id, stored.content_sha256
    FROM unnest(%s::text[], %s::text[]) AS given (source, event_id), LATERAL (
        SELECT content_sha256 FROM metering_usageevent
        WHERE reporter_id = %s AND source = given.source AND event_id = given.event_id LIMIT 1
    ) AS stored
"""


def existing_digests(reporter_id: UUID, rows: Sequence[EventRow]) -> dict[tuple[str, str], str]:
    """Return the stored digests of the events with these keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            EXISTING,
            [
                text_array([row.event.source for row in rows]),
                text_array([row.event.event_id for row in rows]),
                reporter_id,
            ],
        )
        return {(source, event_id): bytes(digest).hex() for source, event_id, digest in cursor.fetchall()}


def keep_conflicts(reporter_id: UUID, rows: Sequence[EventRow], now: datetime) -> None:
    """Keep other content under a known id as evidence; the same again is not kept twice."""
    EventConflict.objects.bulk_create(
        [
            EventConflict(
                reporter_id=reporter_id,
                source=row.event.source,
                event_id=row.event.event_id,
                content_sha256=bytes.fromhex(row.digest),
                content={
                    "tenant": row.tenant_id,
                    "deployment": row.event.deployment,
                    "model": row.event.model,
                    "occurred_at": row.occurred_at,
                    "key": row.event.key,
                    "samples": row.event.samples,
                    "aborted": row.event.aborted,
                    **dict(zip(COUNT_FIELDS, map(str, row.event.counts), strict=True)),
                },
                received_at=now,
            )
            for row in rows
        ],
        ignore_conflicts=True,
    )
