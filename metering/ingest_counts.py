"""Counting what ingest received, by reporter, outcome and hour: outcomes add up to what came in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from psycopg.types.numeric import Int8

from tenants.ids import new_id
from tenants.limits.prepared import run_prepared

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Kind = Literal["batch", "reading", "event", "compat"]
UNKNOWN_REPORTER: Final = "unknown"
OUTCOME_CHARS_MAX: Final = 48
UPSERT: Final = """
    INSERT INTO metering_ingestcount AS kept (id, reporter, kind, outcome, hour_at, count)
    SELECT given.id, $1, given.kind, given.outcome, $2, given.count
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bigint[]) AS given (id, kind, outcome, count)
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
    run_prepared(
        UPSERT,
        [
            reporter,
            hour_at,
            [new_id() for _ in counted],
            [kind for kind, _, _ in counted],
            [outcome for _, outcome, _ in counted],
            [Int8(count) for _, _, count in counted],
        ],
    )
