"""Readings a second: an agent's bytes over HTTP until they are committed, against raw COPY of the same readings.

    python bench/ingest.py [--readings 1200000]

Two web processes; 8 nodes, each a chain of signed batches over one connection. The anchor is binary COPY of the same
readings in the same batches as plain rows (meter, instant, value) without any key, over 2 connections, a commit for
each batch: what a database can take at most when nothing is checked. Rounds lie side by side; the median ratio counts.
"""

import argparse
import statistics
import struct
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._node import METERS, BenchNode, Sealed, make_nodes
from bench._platform import Installation, installation, rate, ratio, report
from bench._senders import Request, copy_all, post_all
from metering.wire import BATCHES_PATH, HEADER_NODE, HEADER_SIGNATURE

NODES = 8
COPY_CONNECTIONS = 2
ROUNDS = 3
TICKS = (8, 42)
"""Readings of each meter in a batch: with 120 meters about 1,000 and 5,000 readings."""
POSTGRES_EPOCH_MS = 946_684_800_000
_ROW = struct.Struct("!hiqiqiq")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=1_200_000, help="of each batch size, over all rounds")
    arguments = parser.parse_args()
    now = datetime.now(UTC)  # noqa: TID251  a benchmark is an entry point
    with installation(web_processes=2) as here:
        nodes = make_nodes(NODES, now=now, back=timedelta(days=3))
        figures = {f"batches_of_{ticks * METERS}": _measure(here, nodes, ticks, arguments.readings) for ticks in TICKS}
        for rises in ("even", "idle"):
            others = make_nodes(NODES, now=now, back=timedelta(days=3), rises=rises)
            for ticks in TICKS:
                figure = _disk(here, others, ticks, arguments.readings // 4)
                figures[f"batches_of_{ticks * METERS}"][f"{rises}_disk_bytes_per_reading"] = figure
        report({"web_processes": 2, "connections": NODES, **figures})
    return 0


def _measure(here: Installation, nodes: list[BenchNode], ticks: int, readings: int) -> dict[str, object]:
    each = max(1, readings // (ROUNDS * NODES * ticks * METERS))
    count = each * NODES * ticks * METERS
    post_all(here.port, [_requests(node, [node.seal(ticks)]) for node in nodes], [])
    before_bytes = _bytes_of("metering_batch")
    ours_s, anchor_s = [], []
    latencies_s: list[float] = []
    for number in range(ROUNDS):
        lanes = [[node.seal(ticks) for _ in range(each)] for node in nodes]
        table = f"raw_{ticks}_{number}"
        _execute(f"CREATE TABLE {table} (meter bigint, at timestamptz, value bigint)")
        chunks = [_copied(sealed) for lane in lanes for sealed in lane]
        ours_s.append(post_all(here.port, [_requests(*one) for one in zip(nodes, lanes, strict=True)], latencies_s))
        anchor_s.append(
            copy_all(here.database_url, table, [chunks[one::COPY_CONNECTIONS] for one in range(COPY_CONNECTIONS)])
        )
    stored = _bytes_of("metering_batch") - before_bytes
    return {
        "readings_per_s": rate(count, ours_s),
        "raw_copy_rows_per_s": rate(count, anchor_s),
        "ratio": ratio(ours_s, anchor_s),
        "ms_p50": round(1000 * statistics.median(latencies_s), 1),
        "ms_p99": round(1000 * statistics.quantiles(latencies_s, n=100)[98], 1),
        "disk_bytes_per_reading": round(stored / (count * ROUNDS), 2),
        "raw_disk_bytes_per_reading": round(_bytes_of(f"raw_{ticks}_0") / count, 2),
    }


def _disk(here: Installation, nodes: list[BenchNode], ticks: int, readings: int) -> float:
    """Return what a reading of these nodes takes on the disk."""
    each = max(1, readings // (NODES * ticks * METERS))
    before_bytes = _bytes_of("metering_batch")
    post_all(here.port, [_requests(node, [node.seal(ticks) for _ in range(each)]) for node in nodes], [])
    return round((_bytes_of("metering_batch") - before_bytes) / (each * NODES * ticks * METERS), 2)


def _requests(node: BenchNode, lane: Iterable[Sealed]) -> list[Request]:
    return [
        (
            BATCHES_PATH,
            sealed.body,
            {HEADER_NODE: node.id, HEADER_SIGNATURE: sealed.signature, "Content-Encoding": "zstd"},
        )
        for sealed in lane
    ]


def _copied(sealed: Sealed) -> bytes:
    """The batch's readings in PostgreSQL's binary COPY format."""
    rows = [b"PGCOPY\n\xff\r\n\x00", bytes(8)]
    rows += [
        _ROW.pack(3, 8, meter, 8, (at_ms - POSTGRES_EPOCH_MS) * 1000, 8, value)
        for meter, at_ms, value in sealed.readings
    ]
    return b"".join([*rows, b"\xff\xff"])


def _bytes_of(table: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size(to_regclass(%s)) + "
            "coalesce(sum(pg_total_relation_size(relid)) FILTER (WHERE level > 0), 0) FROM pg_partition_tree(%s)",
            [table, table],
        )
        return int(cursor.fetchone()[0])


def _execute(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


if __name__ == "__main__":
    sys.exit(main())
