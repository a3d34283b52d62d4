"""Counting what ingest received, by reporter, outcome and hour: outcomes add up to what came in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from django.db import connection

from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Kind = Literal["batch", "reading", "event", "compat"]
UNKNOWN_REPORTER: Final = "unknown"
OUTCOME_CHARS_MAX: Final = 48
UPSERT: Final = """
    INSERT INTO metering_ingestcount AS kept (id, reporter, kind, outcome, hour_at, count)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[])
    ON CONFLICT (reporter, kind, outcome, hour_at) DO UPDATE SET count = kept.count + EXCLUDED.count
"""


def count_outcomes(*, reporter: str, counts: Mapping[tuple[Kind, str], int], now: datetime) -> None:
    """Add `{(kind, outcome): count}` to the counts of this hour.

    Takes row locks: call it last in a transaction, or in one of its own.
    """
    # Outcomes that differ only in what is cut off are one row, which a statement may not touch twice.
    sums: Counter[tuple[Kind, str]] = Counter()
    for (kind, outcome), count in counts.items():
        sums[kind, outcome[:OUTCOME_CHARS_MAX]] += count
    counted = sorted((kind, outcome, count) for (kind, outcome), count in sums.items() if count)
    if not counted:
        return
    hour_at = now.replace(minute=0, second=0, microsecond=0)
    rows = len(counted)
    with connection.cursor() as cursor:
        cursor.execute(
            UPSERT,
            [
                [new_id() for _ in counted],
                [reporter] * rows,
                [kind for kind, _, _ in counted],
                [outcome for _, outcome, _ in counted],
                [hour_at] * rows,
                [count for _, _, count in counted],
            ],
        )
