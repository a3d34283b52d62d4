"""Readings a second that are rolled up into usage hours, against SQL's own window function over rows.

    python bench/rollup.py [--hours 24]

8 nodes of 120 meters at 10 s that shipped batches of 1,200 readings; rollup inflates, decodes, folds, cuts and writes
the hours. Three rounds, each of the same number of new readings on top of all before: one worker at two nodes, then two
worker processes at six; what a reading takes must not grow with what lies behind it. The anchor is one
`INSERT … SELECT` with LAG over one node's new readings as rows: differences and hours, without epochs, cuts, qualities
or bounds.
"""

import argparse
import multiprocessing
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._node import INTERVAL_MS, METERS, BenchNode, make_nodes
from bench._platform import installation, rate, ratio, report

NODES = 8
ROUNDS = 3
WORKERS = 2
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
    parser.add_argument("--hours", type=int, default=24, help="of new readings a node and round")
    arguments = parser.parse_args()
    now = datetime.now(UTC)  # noqa: TID251  a benchmark is an entry point
    batches = arguments.hours * 3_600_000 // (INTERVAL_MS * TICKS)
    count = batches * TICKS * METERS
    with installation():
        from django.db import connection

        nodes = make_nodes(NODES, now=now, back=timedelta(hours=ROUNDS * arguments.hours + 1))
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE raw (meter bigint, at_ms bigint, value bigint)")
            cursor.execute("CREATE TABLE raw_hours (meter bigint, hour_at timestamptz, value numeric, records bigint)")
        one_s, anchor_s, workers_s = [], [], []
        for _ in range(ROUNDS):
            for node in nodes:
                _ship(node, batches, now, rows=node is nodes[0])
            one_s.append(_roll_up([node.id for node in nodes[:2]], now) / 2)
            anchor_s.append(_window())
            workers_s.append(_by_workers([node.id for node in nodes[2:]], now))
    together = rate(count * (NODES - 2), workers_s)
    report(
        {
            "readings_of_a_node_and_round": count,
            "readings_per_s_one_worker": rate(count, one_s),
            "readings_per_s_two_workers": together,
            "sql_lag_rows_per_s": rate(count, anchor_s),
            "one_worker_to_sql_lag": ratio(one_s, anchor_s),
            "last_round_to_first": round(one_s[-1] / anchor_s[-1] / (one_s[0] / anchor_s[0]), 2),
            "s_for_a_day_of_1000_gpus_on_2_workers": round(READINGS_OF_A_DAY_OF_1000_GPUS / together),
        }
    )
    return 0


def _ship(node: BenchNode, batches: int, now: datetime, *, rows: bool) -> None:
    """Have the node's next batches ingested, and the same readings as rows in the anchor's table where asked."""
    from django.db import connection

    from metering.ingest import Sent, ingest_batch

    readings = []
    for _ in range(batches):
        sealed = node.seal(TICKS)
        ingest_batch(sent=Sent(node.id, sealed.body, "zstd", sealed.signature), now=now)
        readings += sealed.readings if rows else []
    if rows:
        with connection.connection.cursor() as cursor:
            cursor.execute("TRUNCATE raw")
            with cursor.copy("COPY raw FROM STDIN") as copy:
                for row in readings:
                    copy.write_row(row)
            cursor.execute("ANALYZE raw")


def _roll_up(nodes: list[str], now: datetime) -> float:
    from metering.rollup import roll_up_node

    began_s = time.perf_counter()
    for node in nodes:
        while (rolled := roll_up_node(node_id=UUID(node), now=now)) is not None and rolled.more:
            pass
    return time.perf_counter() - began_s


def _by_workers(nodes: list[str], now: datetime) -> float:
    """Return how long worker processes take that share the nodes."""
    from django.db import connection

    connection.close()
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(WORKERS + 1)
    workers = [fork.Process(target=_work, args=(nodes[number::WORKERS], now, barrier)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began_s = time.perf_counter()
    for worker in workers:
        worker.join()
    took_s = time.perf_counter() - began_s
    if any(worker.exitcode for worker in workers):
        raise SystemExit("A worker failed.")
    return took_s


def _work(nodes: list[str], now: datetime, barrier: "multiprocessing.synchronize.Barrier") -> None:
    from django.db import connection

    connection.ensure_connection()
    barrier.wait()
    _roll_up(nodes, now)
    connection.close()
    # Not the parent's ends: they would stop its database.
    os._exit(0)


def _window() -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        began_s = time.perf_counter()
        cursor.execute(LAG)
        return time.perf_counter() - began_s


if __name__ == "__main__":
    sys.exit(main())
