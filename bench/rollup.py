"""Readings a second that one worker rolls up into usage hours, against SQL's own window function over rows.

    python bench/rollup.py [--hours 6]

4 nodes of 120 meters at 10 s that shipped batches of 1,200 readings; rollup inflates, decodes, folds, cuts and writes
the hours in one transaction per 64 batches. The anchor is one `INSERT … SELECT` with LAG over the same readings as
rows: differences and hours, without epochs, cuts, qualities or bounds. Both run alone, in one process each.
"""

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._node import INTERVAL_MS, METERS, BenchNode, make_nodes
from bench._platform import installation, rate, ratio, report

NODES = 4
TICKS = 10
READINGS_OF_A_DAY_OF_1000_GPUS = 125 * 120 * 8_640
LAG = """
    INSERT INTO raw_hours
    SELECT meter, date_trunc('hour', to_timestamp(at_ms / 1000.0)), sum(rise), count(*) FROM (
        SELECT meter, at_ms, value - lag(value) OVER (PARTITION BY meter ORDER BY at_ms) AS rise FROM raw
    ) rises WHERE rise >= 0 GROUP BY 1, 2
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=6)
    arguments = parser.parse_args()
    now = datetime.now(UTC)  # noqa: TID251  a benchmark is an entry point
    batches = arguments.hours * 3_600_000 // (INTERVAL_MS * TICKS)
    count = batches * TICKS * METERS
    with installation():
        from django.db import connection

        nodes = make_nodes(NODES, now=now, back=timedelta(hours=arguments.hours + 1))
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE raw (meter bigint, at_ms bigint, value bigint)")
            cursor.execute("CREATE TABLE raw_hours (meter bigint, hour_at timestamptz, value numeric, records bigint)")
        ours_s, anchor_s = [], []
        for node in nodes:
            _ship(node, batches, now)
            ours_s.append(_roll_up(node, now))
            anchor_s.append(_window())
    per_s = rate(count, ours_s)
    report(
        {
            "readings_of_a_node": count,
            "readings_per_s_per_worker": per_s,
            "sql_lag_rows_per_s": rate(count, anchor_s),
            "ratio": ratio(ours_s, anchor_s),
            "s_for_a_day_of_1000_gpus_on_2_workers": round(READINGS_OF_A_DAY_OF_1000_GPUS / (2 * per_s)),
        }
    )
    return 0


def _ship(node: BenchNode, batches: int, now: datetime) -> None:
    """Have the node's batches ingested, and the same readings as rows in the anchor's table."""
    from django.db import connection

    from metering.ingest import Sent, ingest_batch

    rows = []
    for _ in range(batches):
        sealed = node.seal(TICKS)
        ingest_batch(sent=Sent(node.id, sealed.body, "zstd", sealed.signature), now=now)
        rows += sealed.readings
    with connection.connection.cursor() as cursor:
        cursor.execute("TRUNCATE raw")
        with cursor.copy("COPY raw FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE raw")


def _roll_up(node: BenchNode, now: datetime) -> float:
    from uuid import UUID

    from metering.rollup import roll_up_node

    began_s = time.perf_counter()
    while (rolled := roll_up_node(node_id=UUID(node.id), now=now)) is not None and rolled.more:
        pass
    return time.perf_counter() - began_s


def _window() -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        began_s = time.perf_counter()
        cursor.execute(LAG)
        return time.perf_counter() - began_s


if __name__ == "__main__":
    sys.exit(main())
