"""Watching the nodes: which should have reported each hour, and which have fallen silent.

Both are swept: what is expected of an hour is written once it is over, a silence is a row from the moment it is found,
and ends when the node was heard again and everything it had kept is in.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from clusters.models import Node
from metering.completeness import expected_nodes
from metering.control_models import Silence, SilenceEnd
from metering.queries import SILENT_AFTER

if TYPE_CHECKING:
    from datetime import datetime

HOUR: Final = timedelta(hours=1)
LOOK_BACK: Final = timedelta(hours=48)
"""So far back an hour's expectation is written if a sweep missed it; a stop longer than that is caught up by hand."""

# A node that was revoked keeps what was expected of it before. Only what is not written yet, or differs, is written.
EXPECT: Final = """
    WITH expected AS (
        SELECT node.id AS node_id, hour.at AS hour_at, 1000 * extract(epoch FROM
            LEAST(hour.at + interval '1 hour', node.revoked_at)
            - GREATEST(hour.at, COALESCE(node.enrolled_at, node.created_at)))::integer AS expected_ms
        FROM generate_series(%(from_at)s::timestamptz, %(to_at)s::timestamptz, interval '1 hour') AS hour (at)
        JOIN clusters_node AS node ON node.public_key IS NOT NULL
            AND COALESCE(node.enrolled_at, node.created_at) < hour.at + interval '1 hour'
            AND (node.revoked_at IS NULL OR node.revoked_at > hour.at)
    )
    INSERT INTO metering_nodehour (node_id, hour_at, expected_ms, updated_at)
    SELECT node_id, hour_at, expected.expected_ms, %(now)s
    FROM expected LEFT JOIN metering_nodehour AS known USING (node_id, hour_at)
    WHERE known.expected_ms IS DISTINCT FROM expected.expected_ms
    ORDER BY node_id, hour_at
    ON CONFLICT (node_id, hour_at) DO UPDATE SET expected_ms = EXCLUDED.expected_ms, updated_at = EXCLUDED.updated_at
"""


def expect_hours(*, now: datetime) -> int:
    """Write for every node what was expected of it in the last hours that are over; return how many rows changed."""
    last_at = now.replace(minute=0, second=0, microsecond=0) - HOUR
    with connection.cursor() as cursor:
        cursor.execute(EXPECT, {"now": now, "from_at": last_at - LOOK_BACK, "to_at": last_at})
        return int(cursor.rowcount)


def find_silences(*, now: datetime) -> int:
    """Open a silence for every node that should report and was not heard for a while; return how many are new."""
    rows = (
        expected_nodes()
        .filter(~Q(silences__in=Silence.objects.filter(to_at__isnull=True)))
        .annotate(
            heard_at=Coalesce("cursor__last_received_at", "enrolled_at", "created_at"),
            known_to_at=Coalesce("cursor__metered_to_at", "enrolled_at", "created_at"),
        )
        .filter(heard_at__lt=now - SILENT_AFTER)
        .order_by("id")
        .values_list("id", "known_to_at")
    )
    found = [Silence(node_id=node_id, from_at=known_to_at, found_at=now) for node_id, known_to_at in rows]
    Silence.objects.bulk_create(found, ignore_conflicts=True)
    return len(found)


def end_silences(*, now: datetime) -> int:
    """End the silences of nodes that were heard again up to now, or from which nothing is expected any more.

    Where the node had looked all the while, its spool filled the silence; a hole was told by rollup, which ended it.
    """
    standing = Silence.objects.filter(to_at__isnull=True)
    with transaction.atomic():
        # The order in which rollup takes them: its cursor first, the silence after.
        filled = standing.filter(
            node__cursor__last_received_at__gte=now - SILENT_AFTER,
            node__presence__observed_to_at__gte=now - 2 * SILENT_AFTER,
            node__presence__observed_to_at__gt=F("from_at"),
        ).values_list("id", "node__presence__observed_to_at")
        ended = 0
        for silence_id, heard_at in filled:
            ended += standing.filter(id=silence_id).update(to_at=heard_at, end=SilenceEnd.FILLED)
        for node_id, revoked_at in Node.objects.filter(
            revoked_at__isnull=False, silences__to_at__isnull=True, silences__isnull=False
        ).values_list("id", "revoked_at"):
            silent = standing.filter(node_id=node_id)
            ended += silent.filter(from_at__lte=revoked_at).update(to_at=revoked_at, end=SilenceEnd.MISSED)
            silent.delete()
    return ended
