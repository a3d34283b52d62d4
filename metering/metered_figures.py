"""What an operator's Prometheus watches: what came in, what waits, how the big tables stand. A few cheap queries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import connection

from metering.admission import ingest_gate
from metering.partition_plans import PLANS
from metering.partition_tables import parts_of, rest_rows
from metering.retention import why_kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

REST_ROWS_MAX: Final = 10_000
HOURS: Final = 2
"""Outcomes are told of this hour and the one before, so that a scrape after the full hour misses nothing."""


class Figure(NamedTuple):
    """One series; all of a name have the same kind and help."""

    name: str
    kind: str
    help: str
    labels: tuple[tuple[str, str], ...]
    value: float


def figures(now: datetime) -> Iterator[Figure]:
    """Yield every figure as of now, those of one name together."""
    yield from _outcomes(now)
    yield from _waiting(now)
    yield from _parts(now)
    yield Figure(
        "forecourt_ingest_turned_away_total",
        "counter",
        "Batches turned away by this process because all places were taken.",
        (),
        ingest_gate.turned_away,
    )


def _outcomes(now: datetime) -> Iterator[Figure]:
    """Rates of outcomes: the counters' rows are of hours, so each is a gauge of its hour."""
    hour_at = now.replace(minute=0, second=0, microsecond=0)
    rows = _fetch(
        "SELECT kind, outcome, hour_at = %s, sum(count) FROM metering_ingestcount WHERE hour_at > %s "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        [hour_at, hour_at - timedelta(hours=HOURS)],
    )
    for kind, outcome, this_hour, count in rows:
        labels = (("kind", kind), ("outcome", outcome), ("hour", "this" if this_hour else "before"))
        yield Figure("forecourt_ingest_outcomes", "gauge", "What came in, by outcome, in an hour.", labels, count)


def _waiting(now: datetime) -> Iterator[Figure]:
    ((batches, nodes, oldest_at),) = _fetch(
        """SELECT coalesce(sum(chain.last_seq - coalesce(rolled.rolled_seq, 0)), 0), count(*),
            min(coalesce(rolled.rolled_to_at, chain.last_received_at))
        FROM metering_nodecursor chain LEFT JOIN metering_rollupcursor rolled USING (node_id)
        WHERE chain.last_seq > coalesce(rolled.rolled_seq, 0)""",
        [],
    )
    lag_s = max(0.0, (now - oldest_at).total_seconds()) if oldest_at else 0.0
    yield Figure("forecourt_rollup_batches_waiting", "gauge", "Batches that are not in usage hours yet.", (), batches)
    yield Figure("forecourt_rollup_nodes_waiting", "gauge", "Nodes with such batches.", (), nodes)
    yield Figure("forecourt_rollup_lag_seconds", "gauge", "How far the node furthest behind is rolled up.", (), lag_s)

    ((events, oldest_at),) = _fetch("SELECT coalesce(sum(events), 0), min(received_at) FROM metering_waitingevents", [])
    lag_s = max(0.0, (now - oldest_at).total_seconds()) if oldest_at else 0.0
    yield Figure("forecourt_rollup_events_waiting", "gauge", "Usage events not in usage hours yet.", (), events)
    yield Figure("forecourt_rollup_events_lag_seconds", "gauge", "Age of the oldest call of these.", (), lag_s)


def _parts(now: datetime) -> Iterator[Figure]:
    standing = {plan.table: parts_of(plan) for plan in PLANS}
    for plan in PLANS:
        ahead = sum(1 for part in standing[plan.table] if part.span and part.span.from_at and part.span.from_at > now)
        yield Figure(
            "forecourt_parts_ahead", "gauge", "Parts made for months to come.", (("table", plan.table),), ahead
        )
    for plan in PLANS:
        rows = rest_rows(plan=plan, limit=REST_ROWS_MAX)
        yield Figure(
            "forecourt_rest_rows", "gauge", "Rows for which no part was made in time.", (("table", plan.table),), rows
        )
    for plan in PLANS:
        overdue = [
            part
            for part in standing[plan.table]
            if part.span is not None and part.span.sealed(now) and now >= plan.keeps_until(part.span)
        ]
        blocked = sum(1 for part in overdue if why_kept(plan=plan, part=part, now=now))
        yield Figure(
            "forecourt_parts_blocked",
            "gauge",
            "Parts old enough to be dropped that something keeps.",
            (("table", plan.table),),
            blocked,
        )
    for plan in PLANS:
        size = sum(part.bytes for part in standing[plan.table])
        yield Figure("forecourt_table_bytes", "gauge", "Size of a table on disk.", (("table", plan.table),), size)


def _fetch(query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return list(cursor.fetchall())
