"""The rows of usage events: inserted by one statement, compared by one, conflicts kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from metering.event_items import COUNT_FIELDS
from metering.models import EventConflict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.event_items import Event


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event with its tenant, its deployment (None: nobody's) and the digest of its content."""

    id: UUID
    event: Event
    tenant_id: UUID
    deployment_id: UUID | None
    digest: bytes

    @property
    def key(self) -> tuple[str, str]:
        """What is unique per reporter."""
        return (self.event.source, self.event.event_id)


INSERT: Final = """
    WITH fresh AS (
        INSERT INTO metering_usageevent (
            reporter_id, received_at, id, source, event_id, content_sha256, tenant_id, deployment_id, model,
            occurred_at, input, cached_input, cache_write, output, reasoning, key_label
        )
        SELECT %s::uuid, %s::timestamptz, given.* FROM unnest(
            %s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[],
            %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[]
        ) AS given
        ON CONFLICT (reporter_id, source, event_id) DO NOTHING
        RETURNING id
    ), queued AS (
        INSERT INTO metering_eventqueue (event_id) SELECT id FROM fresh
    )
    SELECT id FROM fresh
"""


def insert_new(reporter_id: UUID, rows: Sequence[EventRow], now: datetime) -> set[UUID]:
    """Insert and queue the events whose key is new; return the ids of those."""
    arrays: list[list[Any]] = [
        [row.id for row in rows],
        [row.event.source for row in rows],
        [row.event.event_id for row in rows],
        [row.digest for row in rows],
        [row.tenant_id for row in rows],
        [row.deployment_id for row in rows],
        [row.event.model for row in rows],
        [row.event.occurred_at for row in rows],
        *([row.event.counts[index] for row in rows] for index in range(len(COUNT_FIELDS))),
        [row.event.key for row in rows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [reporter_id, now, *arrays])
        return {row_id for (row_id,) in cursor.fetchall()}


EXISTING: Final = """
    SELECT source, event_id, content_sha256 FROM metering_usageevent
    JOIN unnest(%s::text[], %s::text[]) AS given (source, event_id) USING (source, event_id)
    WHERE reporter_id = %s
"""


def existing_digests(reporter_id: UUID, rows: Sequence[EventRow]) -> dict[tuple[str, str], bytes]:
    """Return the stored digests of the events with these keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            EXISTING, [[row.event.source for row in rows], [row.event.event_id for row in rows], reporter_id]
        )
        return {(source, event_id): bytes(digest) for source, event_id, digest in cursor.fetchall()}


def keep_conflicts(reporter_id: UUID, rows: Sequence[EventRow], now: datetime) -> None:
    """Keep other content under a known id as evidence; the same again is not kept twice."""
    EventConflict.objects.bulk_create(
        [
            EventConflict(
                reporter_id=reporter_id,
                source=row.event.source,
                event_id=row.event.event_id,
                content_sha256=row.digest,
                content={
                    "tenant": str(row.tenant_id),
                    "deployment": row.event.deployment,
                    "model": row.event.model,
                    "occurred_at": row.event.occurred_at.isoformat(),
                    "key": row.event.key,
                    **dict(zip(COUNT_FIELDS, map(str, row.event.counts), strict=True)),
                },
                received_at=now,
            )
            for row in rows
        ],
        ignore_conflicts=True,
    )
