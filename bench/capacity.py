"""How fast the capacity calendar answers at 10,000 slices and a year of bookings.

    python bench/capacity.py [--slices 10000] [--days 365]

One provider with nodes of 8 cards, of which three in five are of the model asked for, each booked back to back for a
year ahead by leases of 1 to 30 days with pauses between them. Asked is for 8 cards for two weeks from a Monday: what is
free, which slices a reservation would take, and the earliest start. The anchors, in the same run, are `SELECT 1` and a
count of the bookings that touch the span.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, report

if TYPE_CHECKING:
    from tests.factories import Cast

MODEL = "NVIDIA H100 80GB HBM3"
ROUNDS = 60
WISHED = 8
FORTNIGHT = timedelta(days=14)
CARDS = """
    INSERT INTO clusters_node (id, cluster_id, name, key_version, agent_version, driver_version, created_at)
    SELECT gen_random_uuid(), %(cluster)s, 'node-' || place, 1, '', '', now()
    FROM generate_series(0, %(nodes)s - 1) AS place;
    INSERT INTO clusters_accelerator (id, node_id, uuid, serial, model, memory_mib, pci_bus_id, position, first_seen_at,
        last_seen_at)
    SELECT gen_random_uuid(), id, 'GPU-' || name || '-' || position, '',
        CASE WHEN substr(name, 6)::int %% 5 < 3 THEN %(model)s ELSE 'another model' END,
        81920, '', position, now(), now()
    FROM clusters_node, generate_series(0, 7) AS position;
    INSERT INTO clusters_slice (id, accelerator_id, kind, label, profile, share_permille, created_at)
    SELECT gen_random_uuid(), id, 'whole', '', '', 1000, now() FROM clusters_accelerator;
"""
BOOKINGS = """
    INSERT INTO clusters_allocation (id, slice_id, tenant_id, from_at, to_at, created_at)
    SELECT gen_random_uuid(), slice_id, %(tenant)s, %(start)s + (last - length) * interval '1 hour',
        %(start)s + last * interval '1 hour', now()
    FROM (
        SELECT id AS slice_id, length, sum(pause + length) OVER (PARTITION BY id ORDER BY turn) AS last
        FROM clusters_slice, LATERAL (
            SELECT turn, (24 + random() * 696)::int AS length,
                (CASE WHEN random() < 0.6 THEN random() * 6 ELSE random() * 480 END)::int AS pause
            FROM generate_series(1, 60) AS turn WHERE id IS NOT NULL
        ) AS drawn
    ) AS booked WHERE last - length < %(days)s * 24
"""


def main() -> int:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=365)
    arguments = parser.parse_args()
    with installation():
        from django.db import connection

        from clusters.capacity import Wish, earliest_start, free_slices, rooms
        from clusters.models import Allocation
        from clusters.packing import pack
        from tests.factories import make_cast

        cast = make_cast()
        now = datetime.now(UTC)  # noqa: TID251  a benchmark begins now
        _fill(cast, arguments.slices // 8, arguments.days, now)
        mondays = [now + timedelta(days=7 * week - now.weekday()) for week in range(1, 40)]
        providers = [cast.provider.id]

        def ask(monday: datetime) -> Wish:
            return Wish(MODEL, WISHED, monday, monday + FORTNIGHT)

        def one(monday: datetime) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT %s", [monday])

        def touching(monday: datetime) -> int:
            return Allocation.objects.filter(from_at__lt=monday + FORTNIGHT, to_at__gt=monday).count()

        def chosen(monday: datetime) -> int:
            return len(pack(free_slices(ask(monday), provider_ids=providers), WISHED))

        questions: dict[str, Callable[[datetime], object]] = {
            "select_1": one,
            "bookings_touching_the_span": touching,
            "what_is_free": lambda monday: rooms(ask(monday), provider_ids=providers),
            "which_slices_to_take": chosen,
            "earliest_start": lambda monday: earliest_start(ask(monday), provider_ids=providers),
        }
        report(
            {
                "slices": arguments.slices,
                "bookings": Allocation.objects.count(),
                "free_over_the_first_fortnight": sum(
                    room.free for room in rooms(ask(mondays[0]), provider_ids=providers)
                ),
                **{name: _measured(question, mondays) for name, question in questions.items()},
            }
        )
    return 0


def _fill(cast: "Cast", nodes: int, days: int, now: datetime) -> None:
    from django.db import connection

    from tests.factories import make_cluster

    given: dict[str, UUID | str | int | datetime] = {
        "cluster": make_cluster(cast.provider).id,
        "nodes": nodes,
        "model": MODEL,
        "tenant": cast.tenant.id,
        "start": now - timedelta(days=30),
        "days": days + 30,
    }
    with connection.cursor() as cursor:
        for statement in CARDS.strip().rstrip(";").split(";\n"):
            cursor.execute(statement, given)
        cursor.execute(BOOKINGS, given)
        cursor.execute("VACUUM ANALYZE")


def _measured(question: Callable[[datetime], object], mondays: list[datetime]) -> dict[str, float]:
    drawn = random.Random(8)  # noqa: S311  a shuffle of Mondays
    times: list[float] = []
    for place in range(ROUNDS + 3):
        monday = drawn.choice(mondays)
        begun = time.perf_counter()
        question(monday)
        if place >= 3:
            times.append((time.perf_counter() - begun) * 1_000)
    times.sort()
    return {"median_ms": round(statistics.median(times), 1), "p95_ms": round(times[int(len(times) * 0.95)], 1)}


if __name__ == "__main__":
    sys.exit(main())
