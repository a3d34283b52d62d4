"""Server time, queries and bytes of every page and list on a year of a provider with many tenants.

    python bench/pages.py [--gpus 10000] [--tenants 1000] [--months 12] [--gauge-days 31] [--invoices 0] [--lines 0]
        [--rounds 10] [--only usage]

One tenant has every hour of 20 models by both witnesses, ten leases, and an invoice a month; the others are copies of a
small one with its cards, its usage by the day, charges, invoices with lines and parts, and postings; every card has its
gauges and energy by the hour of the last `gauge-days`. Each GET address of the site is rendered by the whole Django
stack in this process, without the network; the anchor, in the same run, is the liveness page: what any request costs.
`cpu_ms` is the least processor time of this process and of its PostgreSQL session for it, which neighbours hardly
change, `web_cpu_ms` and `db_cpu_ms` its two parts (the session's where /proc tells it). `--invoices` adds so many
invoices, for lists, and `--lines` so many lines to the one whose pages are measured. Days are summed and what was
loaded is kept from the collector, as where it is served. Queries are counted apart from the timing, and of a file that
is written while it is sent its first MiB is measured: to write a million rows tells nothing of a page. `kib` is the
answer compressed by gzip, `wire_kib` a page with all that a first visit brings: styles, scripts and fonts.
"""

import argparse
import gc
import gzip
import os
import statistics
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._invoices import make_invoices, make_lines
from bench._platform import installation, report
from bench._year import Size, make_year

if TYPE_CHECKING:
    from django.test import Client

TARGET_MS = 100
TARGET_WIRE_KIB = 100
KIB = 1024
FILE_BYTES = 1_048_576


def main() -> int:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--gauge-days", type=int, default=31)
    parser.add_argument("--invoices", type=int, default=0)
    parser.add_argument("--lines", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", default="", help="measure addresses whose name holds this")
    arguments = parser.parse_args()
    size = Size(arguments.gpus, arguments.tenants, arguments.months, arguments.gauge_days)
    with installation(static=True) as place:
        from metering.cluster_hours import sum_cluster_hours
        from metering.usage_days import sum_days
        from tests.factories import make_cast
        from tests.filled import fill

        began_s = time.perf_counter()
        cast = make_cast()
        filled = fill(cast)
        superuser = place.database_url.replace("://forecourt@", "://postgres@", 1)
        invoice, copied = make_year(cast, size, datetime.now(UTC), superuser)
        added = make_invoices(superuser, arguments.invoices) if arguments.invoices else 0
        if arguments.lines:
            make_lines(superuser, invoice.pk, arguments.lines)
        while sum_days(now=datetime.now(UTC)):
            pass
        sum_cluster_hours(now=datetime.now(UTC))
        made_s = time.perf_counter() - began_s
        # Pages of one invoice are of the large one.
        filled = replace(filled, invoice=invoice, number=str(invoice.number))
        pages = _measured(cast, filled, arguments.rounds, arguments.only)
        report(
            {
                "size": {name: getattr(size, name) for name in ("gpus", "tenants", "months", "gauge_days")},
                "made_s": round(made_s),
                "invoices_added": added,
                "lines_added": arguments.lines,
                "load": os.getloadavg(),
                "rows": _rows(),
                "copied_tables": len(copied),
                "pages": pages,
                "above": _above(pages),
            }
        )
    return 0


def _rows() -> dict[str, int]:
    from billing.models import Charge, Invoice, InvoiceSubline, LedgerEntry, Term
    from clusters.models import Accelerator
    from metering.models import AcceleratorHour, UsageHour

    counted = (Accelerator, Term, UsageHour, AcceleratorHour, Charge, Invoice, InvoiceSubline, LedgerEntry)
    return {model.__name__: model._default_manager.count() for model in counted}


def _measured(cast: Any, filled: Any, rounds: int, only: str) -> dict[str, dict[str, Any]]:
    """Measure every address; one that answers otherwise than with 200 is listed with its status."""
    from django.db import connection
    from django.urls import reverse

    from forecourt.loading import loading
    from tests.read_pages import query_of, read_addresses, readers

    clients = readers(cast, "127.0.0.1")
    with connection.cursor() as cursor:  # a worker's time is none of the session's: without, all of a query is counted
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    gc.collect()
    with loading():  # all of it is there: this process looks for garbage as one that serves
        pass
    _all, anchor_ms, *_cpu_ms = _times(clients["alice"], reverse("health-live"), {}, 5 * rounds)
    found: dict[str, dict[str, Any]] = {"liveness": {"ms_p50": round(anchor_ms, 2)}}
    for caller, address in read_addresses():
        if only in address.name:
            query = query_of(address, filled)
            found[str(address)] = _page(clients[caller], address.path(filled), query, rounds, anchor_ms)
    return dict(sorted(found.items(), key=lambda one: -one[1].get("ms_p95", 0)))


def _page(client: "Client", path: str, query: dict[str, str], rounds: int, anchor_ms: float) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.read_pages import wire_bytes

    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path, query)
        content = _beginning(answer)
    if answer.status_code != 200:
        return {"status": answer.status_code}
    # The next request clears them. What is read in parts has no time of its own.
    query_s = [float(one["time"] or 0) for one in captured.captured_queries]
    all_ms, half_ms, web_ms, db_ms = _times(client, path, query, rounds)
    is_page = answer["Content-Type"].startswith("text/html")
    sent = wire_bytes(content) if is_page else {"page": len(gzip.compress(content))}
    return {
        "ms_p50": round(half_ms, 1),
        "ms_p95": round(statistics.quantiles(all_ms, n=20, method="inclusive")[18], 1),
        "cpu_ms": round(web_ms + db_ms, 1),
        "web_cpu_ms": round(web_ms, 1),
        "db_cpu_ms": round(db_ms, 1),
        "to_liveness": round(half_ms / anchor_ms),
        "queries": len(query_s),
        "query_ms": round(1000 * sum(query_s)),
        "kib": round(sent["page"] / KIB, 1),
        **({"wire_kib": round(sum(sent.values()) / KIB, 1)} if is_page else {}),
    }


def _times(client: "Client", path: str, query: dict[str, str], rounds: int) -> tuple[list[float], float, float, float]:
    """Return how long each of so many requests took and half of them at most, and of the one that took the least
    processor time this process's part of it and the database session's; in ms.
    """
    taken_ms, cpu_ms = [], []
    for _ in range(rounds):
        began_s, began_cpu_s, began_db_ms = time.perf_counter(), time.process_time(), _session_cpu_ms()
        _beginning(client.get(path, query))
        taken_ms.append(1000 * (time.perf_counter() - began_s))
        web_ms = 1000 * (time.process_time() - began_cpu_s)
        cpu_ms.append((web_ms, _session_cpu_ms() - began_db_ms))
    return (taken_ms, statistics.median(taken_ms), *min(cpu_ms, key=sum))


def _session_cpu_ms() -> float:
    """Return the processor time that the database session has had, 0 where it cannot be told."""
    from django.db import connection

    connection.ensure_connection()
    try:
        told = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(told.split()[0]) / 1e6


def _beginning(answer: Any) -> bytes:
    """What was answered; of a file that is written while it is sent the first `FILE_BYTES` or a little more."""
    if not answer.streaming:
        return bytes(answer.content)
    chunks, size = [], 0
    for chunk in answer:
        chunks.append(chunk)
        size += len(chunk)
        if size >= FILE_BYTES:
            break
    answer.close()
    return b"".join(chunks)


def _above(pages: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is above a target, by its name, and what was not to be seen."""
    return {
        "ms_p95": {name: one["ms_p95"] for name, one in pages.items() if one.get("ms_p95", 0) > TARGET_MS},
        "wire_kib": {name: one["wire_kib"] for name, one in pages.items() if one.get("wire_kib", 0) > TARGET_WIRE_KIB},
        "status": {name: one["status"] for name, one in pages.items() if "status" in one},
        "pages": sum("ms_p95" in one for one in pages.values()),
    }


if __name__ == "__main__":
    sys.exit(main())
