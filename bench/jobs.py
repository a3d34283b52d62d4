"""A list of jobs as allocations under one contract: are the GPU-seconds held those listed, and no slice held twice?

    python bench/jobs.py [FOLDER] [--cards 256] [--batch 200]

FOLDER holds `openb_pod_list_default.csv` (see the README); without it a seeded list of as many jobs is held. The jobs
go through the use cases that lease: placed in the order in which they begin, held batch by batch, and each batch once
more, which must be refused. What is held is then added up three ways: from the list by this file alone, from the
allocations by SQL, and from what rating makes of the contract's periods. That no slice is held twice, and no card
beyond a whole one, is looked at second by second of change, beside the constraint that refuses it.
"""

import argparse
import csv
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, report

if TYPE_CHECKING:
    from billing.models import Contract, Term
    from clusters.models import Accelerator, Slice
    from clusters.occupancy import Placed
    from forecourt.demo.joblist import JobList
    from tenants.models import Organization

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "sample card"
DAY_S = 86_400
SEEDED_JOBS = 7_000
SUM = """
    SELECT sum(s.share_permille * extract(epoch FROM a.to_at - a.from_at)::bigint)
    FROM clusters_allocation a JOIN clusters_slice s ON s.id = a.slice_id
"""
TWICE = """
    SELECT count(*) FROM clusters_allocation a JOIN clusters_allocation b
    ON a.slice_id = b.slice_id AND a.id < b.id AND a.from_at < b.to_at AND b.from_at < a.to_at
"""
CHANGES = """
    SELECT s.accelerator_id, a.from_at, s.share_permille FROM clusters_allocation a JOIN clusters_slice s
        ON s.id = a.slice_id
    UNION ALL
    SELECT s.accelerator_id, a.to_at, -s.share_permille FROM clusters_allocation a JOIN clusters_slice s
        ON s.id = a.slice_id
    ORDER BY 1, 2, 3
"""


def main() -> int:
    """Replay, compare and print; 1 where something is not as listed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--cards", type=int, default=256)
    parser.add_argument("--batch", type=int, default=200)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve() if arguments.folder else None
    with installation():
        from forecourt.demo.joblist import read_openb, seeded_jobs

        jobs = read_openb(folder) if folder else seeded_jobs(seed=1, count=SEEDED_JOBS, length_s=149 * DAY_S)
        listed = listed_gpu_ms(folder) if folder else jobs.gpu_ms
        begun = time.perf_counter()
        lease, refused = _hold(jobs, arguments.cards, arguments.batch)
        held_s = time.perf_counter() - begun
        begun = time.perf_counter()
        rated = _rated_gpu_ms(lease.contract)
        found = {
            "jobs": len(jobs.jobs),
            "left_out": jobs.left_out,
            "batches_refused_the_second_time": refused,
            "gpu_seconds_listed": _seconds(listed),
            "gpu_seconds_held": _seconds(_asked(SUM)),
            "gpu_seconds_rated": _seconds(rated),
            "slices_held_twice": _asked(TWICE),
            "card_permille_most": _most(),
            "holding_s": round(held_s, 1),
            "rating_s": round(time.perf_counter() - begun, 1),
        }
        report(found)
    exact = found["gpu_seconds_listed"] == found["gpu_seconds_held"] == found["gpu_seconds_rated"]
    return 0 if exact and not found["slices_held_twice"] and found["card_permille_most"] == 1_000 else 1


def listed_gpu_ms(folder: Path) -> int:
    """Return the thousandths of GPU-seconds of a list, read by nothing but this."""
    total = 0
    with (folder / "openb_pod_list_default.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["scheduled_time"] and row["deletion_time"]:
                seconds = max(0, int(row["deletion_time"]) - int(row["scheduled_time"]))
                total += int(row["num_gpu"]) * int(row["gpu_milli"]) * seconds
    return total


def _hold(jobs: "JobList", cards: int, batch: int) -> tuple["Term", int]:
    """Hold all jobs in the order in which they begin; return the lease, and how many batches were refused again."""
    from billing.contracting import Hold, add_lease_allocations, open_contract, open_lease
    from billing.holding import SliceTaken
    from clusters.occupancy import Card, place_jobs
    from tests.factories import make_cast, make_price_book, make_price_version

    cast = make_cast()
    book = make_price_book(cast.provider)
    make_price_version(book, gpus={MODEL: "2.35"}, effective_at=BEGINS)
    inventory = _cards(cast.provider, cards)
    placement = place_jobs(jobs.jobs, [Card(card.uuid, card.node.name) for card in inventory])
    assert not placement.without_room, f"{len(placement.without_room)} jobs found no room on {cards} cards"
    contract = open_contract(
        provider=cast.provider,
        tenant=cast.tenant,
        currency="USD",
        time_zone="UTC",
        from_at=BEGINS,
        to_at=BEGINS + timedelta(seconds=max(job.to_s for job in jobs.jobs)),
        price_book=book,
        now=BEGINS,
    )
    lease = open_lease(
        contract=contract,
        accelerator_model=MODEL,
        from_at=BEGINS,
        to_at=contract.to_at,
        price_per_gpu_hour=None,
        now=BEGINS,
        title="jobs",
    )
    slices = _slices(placement.placed, inventory)
    refused = 0
    for first in range(0, len(placement.placed), batch):
        holds = [
            Hold(slices[one.slice_ref], BEGINS + timedelta(seconds=one.from_s), BEGINS + timedelta(seconds=one.to_s))
            for one in placement.placed[first : first + batch]
        ]
        add_lease_allocations(lease=lease, holds=holds, now=BEGINS)
        try:
            add_lease_allocations(lease=lease, holds=holds, now=BEGINS)
        except SliceTaken:
            refused += 1
    assert refused == -(-len(placement.placed) // batch), "something was held twice"
    return lease, refused


def _cards(provider: "Organization", count: int) -> list["Accelerator"]:
    from clusters.models import Accelerator
    from tests.factories import make_cluster, make_node

    cluster = make_cluster(provider)
    nodes = [make_node(cluster, name=f"jobs-{number:03d}") for number in range(-(-count // 8))]
    return Accelerator.objects.bulk_create(
        Accelerator(
            node=nodes[number // 8],
            uuid=f"GPU-{number:05d}",
            serial="",
            model=MODEL,
            memory_mib=81_920,
            pci_bus_id="",
            position=number % 8,
            first_seen_at=BEGINS,
            last_seen_at=BEGINS,
        )
        for number in range(count)
    )


def _slices(placed: "tuple[Placed, ...]", cards: list["Accelerator"]) -> "dict[str, Slice]":
    from clusters.models import Slice, SliceKind

    by_uuid = {card.uuid: card for card in cards}
    wanted = {one.slice_ref: one for one in placed}
    made = [
        Slice(
            accelerator=by_uuid[one.card_ref],
            kind=SliceKind.WHOLE if one.share_permille == 1_000 else SliceKind.FRACTION,
            label="" if one.share_permille == 1_000 else ref.replace("/", "-"),
            share_permille=one.share_permille,
            created_at=BEGINS,
        )
        for ref, one in wanted.items()
    ]
    return dict(zip(wanted, Slice.objects.bulk_create(made), strict=True))


def _rated_gpu_ms(contract: "Contract") -> int:
    """Return the thousandths of GPU-seconds that rating makes of all of the contract's periods."""
    from billing.bases import read_basis
    from billing.basis import rate
    from billing.periods import PeriodKind, PeriodSpec, period_containing
    from billing.rating.rated import Unit
    from billing.usage_spans import Window

    assert contract.to_at is not None
    spec = PeriodSpec(kind=PeriodKind.CALENDAR_MONTH, zone="UTC", starts_at=contract.from_at)
    at, total = contract.from_at, Decimal(0)
    while at < contract.to_at:
        end = min(period_containing(spec, at).to_at, contract.to_at)
        rated = rate(read_basis(Window(contract, at, end, end, None)))
        assert {line.unit for line in rated.lines} <= {Unit.GPU_SECONDS}
        total += sum(line.quantity for line in rated.lines)
        at = end
    return int(total * 1_000)


def _asked(statement: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def _most() -> int:
    """Return the most thousandths of one card that were held at one instant."""
    from django.db import connection

    most, card, held = 0, None, 0
    with connection.cursor() as cursor:
        cursor.execute(CHANGES)
        for accelerator, _, change in cursor.fetchall():
            held = change if accelerator != card else held + change
            card = accelerator
            most = max(most, held)
    return most


def _seconds(gpu_ms: int) -> str:
    return f"{Decimal(gpu_ms) / 1_000:,.3f}"


if __name__ == "__main__":
    sys.exit(main())
