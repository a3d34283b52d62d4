"""Rating a month: what contracts x models x classes x days cost, how that grows, and a repricing of the same month.

    python bench/rating.py [--contracts 200] [--models 20] [--workers 4] [--once]

What it is at goes to standard error, with the seconds since it began; the figures follow at the end and say of how
many contracts they are. 200 contracts (0.6 million rows, then three times 1.2 million) take about two minutes on quiet
cores.
`--once` measures the one size and doubles nothing: so take 1,000, or the 10,000 themselves.

The usage is there already, rolled up: a row for each contract, model, class of tokens and day (10,000 contracts x 20 x
5 x 31 are 31 million; `--contracts 10000` makes them). Rating is what charging does: read, rate, and book every charge,
in worker processes. Then contracts, models and rows a day are doubled one after the other. Repricing reads and rates
the same month with another price version, and writes nothing. Standing is what a gateway asks of one contract: what its
month has used by now and what is left of prepaid credit. The anchor is one SQL statement that adds the same rows
up by contract, model and class on one connection.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, report

CLASSES = ("input", "cached_input", "cache_write", "output", "reasoning")
FROM, TO = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DAYS = 31
BATCH_CONTRACTS = 50
TARGET_CONTRACTS = 10_000
ASKED_CONTRACTS = 100
SAID_CONTRACTS = 500
BEGAN_S = time.perf_counter()
SUM = """
    SELECT count(*) FROM (
        SELECT deployment_id, model, quantity, sum(value) FROM metering_usagehour
        WHERE deployment_id = ANY(%s) GROUP BY 1, 2, 3
    ) sums
"""
USAGE = """
    INSERT INTO metering_usagehour (
        id, meter_id, witness, quantity, model, hour_at, from_at, to_at, deployment_id, tenant_id, quality, rule,
        version, value, records, updated_at
    )
    SELECT uuidv7(), m.id, 'gateway', m.quantity, m.model, at, at, at + interval '1 hour', d.id, d.tenant_id,
        'A', 'bench', 1,
        (CASE WHEN m.quantity IN ('input', 'output') THEN 3000000 ELSE 1000000 END) + (random() * 1000000)::int,
        1000, %s
    FROM clusters_deployment d, metering_meter m,
        generate_series(%s::timestamptz, %s::timestamptz, interval '1 day' / %s) at
    WHERE d.id = ANY(%s) AND m.source = 'bench' AND m.model = ANY(%s)
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=200)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--once", action="store_true", help="measure the one size and double nothing")
    arguments = parser.parse_args()
    size = (arguments.contracts, arguments.models, 1)
    with installation():
        figures: dict[str, object] = {"contracts": arguments.contracts, "models": arguments.models}
        figures["workers"] = arguments.workers
        one_s = _measure(figures, "one", size, arguments.workers)
        factor = TARGET_CONTRACTS * 20 / (arguments.contracts * arguments.models)
        figures["minutes_to_rate_10000_contracts"] = round(one_s[0] * factor / 60, 2)
        figures["minutes_to_reprice_10000_contracts"] = round(one_s[1] * factor / 60, 2)
        if not arguments.once and arguments.contracts < TARGET_CONTRACTS:
            for name, other in _doubled(size).items():
                twice_s = _measure(figures, name, other, arguments.workers)
                figures[f"times_as_long_with_{name}"] = round(twice_s[0] / one_s[0], 2)
        report(figures)
    return 0


def _doubled(size: tuple[int, int, int]) -> dict[str, tuple[int, int, int]]:
    contracts, models, rows = size
    return {
        "twice_the_contracts": (2 * contracts, models, rows),
        "twice_the_models": (contracts, 2 * models, rows),
        "twice_the_hours": (contracts, models, 2 * rows),
    }


def _measure(figures: dict[str, object], name: str, size: tuple[int, int, int], workers: int) -> tuple[float, float]:
    """Return how long rating and repricing took, in seconds; both are checked to give the same sum."""
    _say(f"{name}: {size[0]} contracts x {size[1]} models x {len(CLASSES)} classes x {DAYS} days x {size[2]}")
    made = _make(*size)
    anchor_s = _anchor(made.deployments)
    _say(f"{name}: rating {made.rows} rows with {workers} workers")
    rate_s, rate_cpu_s, charges = _in_workers(_rate, made.periods, workers)
    _say(f"{name}: rated in {rate_s:.1f} s; repricing")
    reprice_s, reprice_cpu_s, lines = _in_workers(_reprice, made.periods, workers)
    _say(f"{name}: repriced in {reprice_s:.1f} s; checking the sum")
    _check(made.periods)
    asked_ms = _standing(made.periods[:ASKED_CONTRACTS])
    figures[name] = {
        "usage_rows": made.rows,
        "charges": charges,
        "rate_s": round(rate_s, 2),
        "rate_cpu_s": round(rate_cpu_s, 2),
        "reprice_s": round(reprice_s, 2),
        "reprice_cpu_s": round(reprice_cpu_s, 2),
        "sql_sum_s": round(anchor_s, 2),
        "repriced_lines": lines,
        "rate_to_sql_sum": round(rate_s / anchor_s, 2),
        "standing_p50_ms": round(asked_ms[len(asked_ms) // 2], 1),
        "standing_p95_ms": round(asked_ms[len(asked_ms) * 95 // 100], 1),
    }
    return rate_s, reprice_s


def _say(what: str) -> None:
    """Tell whoever waits how far it is."""
    sys.stderr.write(f"{time.perf_counter() - BEGAN_S:7.1f} s  {what}\n")


class _Made:
    """The ids of what one measurement rates."""

    def __init__(self, periods: list[UUID], deployments: list[UUID], rows: int) -> None:
        self.periods = periods
        self.deployments = deployments
        self.rows = rows


def _make(contracts: int, models: int, rows_a_day: int) -> _Made:
    """Store contracts with a price by the unit, a deployment each, and a month of usage."""
    from django.db import connection

    from billing.agreeing import add_token_price
    from billing.charging import ensure_periods
    from billing.contracting import open_contract
    from billing.models import BillingPeriod
    from billing.rating.token_price_wording import TokenPriceWording
    from clusters.models import Deployment

    names = [f"model-{number}" for number in range(models)]
    provider, book, mark = _provider(names)
    deployments: list[UUID] = []
    for number in range(contracts):
        tenant = _organization(f"{mark}-tenant-{number}")
        contract = open_contract(
            provider=provider, tenant=tenant, currency="USD", time_zone="UTC", from_at=FROM, now=FROM, price_book=book
        )
        deployment = Deployment.objects.create(
            provider=provider,
            tenant=tenant,
            slug=f"{mark}-{number}",
            name=f"{mark}-{number}",
            from_at=FROM,
            created_at=FROM,
        )
        add_token_price(
            contract=contract, deployments=[deployment], wording=TokenPriceWording(witness="gateway"), from_at=FROM,
            to_at=None, now=FROM,
        )  # fmt: skip
        ensure_periods(contract=contract, now=FROM)
        deployments.append(deployment.id)
        if len(deployments) % SAID_CONTRACTS == 0:
            _say(f"{len(deployments)} of {contracts} contracts are agreed")
    _say("storing their usage")
    with connection.cursor() as cursor:
        with without_indexes(cursor):
            cursor.execute(USAGE, [FROM, FROM, TO - timedelta(seconds=1), rows_a_day, deployments, names])
            rows = cursor.rowcount
        cursor.execute("VACUUM ANALYZE metering_usagehour")
        cursor.execute("ANALYZE")
    periods = BillingPeriod.objects.filter(contract__provider=provider).order_by("pk").values_list("pk", flat=True)
    return _Made(list(periods), deployments, rows)


@contextmanager
def without_indexes(cursor: Any) -> Iterator[None]:
    """Let many rows of usage be made: indexes and keys go before and are made again after, all of them as they were."""
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid), contype FROM pg_constraint"
        " WHERE conrelid = 'metering_usagehour'::regclass AND contype IN ('f', 'u')"
    )
    keys = cursor.fetchall()
    for name, _, _ in keys:
        cursor.execute(f'ALTER TABLE metering_usagehour DROP CONSTRAINT "{name}"')
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'metering_usagehour' AND indexname NOT LIKE %s",
        ["%pkey"],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        cursor.execute(definition)
    for name, definition, kind in keys:
        # Rows that were there before were held to it; those made here are made of what they point to.
        unchecked = " NOT VALID" if kind == "f" else ""
        cursor.execute(f'ALTER TABLE metering_usagehour ADD CONSTRAINT "{name}" {definition}{unchecked}')
    cursor.execute("RESET maintenance_work_mem")


def _provider(models: Sequence[str]) -> tuple[object, object, str]:
    from billing.models import PriceBook
    from billing.pricing import publish_price_version
    from metering.models import Meter, Witness
    from tenants.models import Organization

    mark = f"bench-{Organization.objects.count()}"
    provider = _organization(mark, is_provider=True)
    book = PriceBook.objects.create(provider=provider, name="List", currency="USD", created_at=FROM)
    prices = {(model, name): Decimal("0.60") for model in models for name in CLASSES}
    publish_price_version(book=book, effective_at=FROM, token_prices=prices, gpu_prices={}, now=FROM)
    Meter.objects.bulk_create(
        [
            Meter(witness=Witness.GATEWAY, reporter=provider, source="bench", model=model, quantity=name)
            for model in models
            for name in CLASSES
            if not Meter.objects.filter(source="bench", model=model, quantity=name).exists()
        ]
    )
    return provider, book, mark


def _organization(slug: str, *, is_provider: bool = False) -> object:
    from tenants.models import Organization

    return Organization.objects.create(
        slug=slug, name=slug, is_provider=is_provider, is_tenant=not is_provider, created_at=FROM
    )


def _anchor(deployments: list[UUID]) -> float:
    from django.db import connection

    began_s = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute(SUM, [deployments])
        cursor.execute("RESET max_parallel_workers_per_gather")
    return time.perf_counter() - began_s


def _in_workers(
    work: Callable[[Sequence[UUID]], int], periods: Sequence[UUID], workers: int
) -> tuple[float, float, int]:
    """Share periods out to worker processes: return how long they took, their processor time, and the sum of what
    they say. The processor time is without the database's, and does not depend on what else the machine does."""
    from django.db import connection

    connection.close()
    fork = multiprocessing.get_context("fork")
    parts = [periods[number::workers] for number in range(workers)]
    began_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with fork.Pool(workers) as pool:
        found = pool.map(work, parts, chunksize=1)
        took_s = time.perf_counter() - began_s
        pool.close()
        pool.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took_s, cpu_s, sum(found)


def _rate(periods: Sequence[UUID]) -> int:
    from billing.charging import TOGETHER, charge_batch

    batches = [periods[begin : begin + TOGETHER] for begin in range(0, len(periods), TOGETHER)]
    return sum(charge_batch(period_ids=batch, up_to=TO, now=TO) for batch in batches)


def _reprice(periods: Sequence[UUID]) -> int:
    """Rate with every price 34 % higher, and return how many lines that gave."""
    from billing.bases import Grain, read_bases, window_of
    from billing.basis import rate
    from billing.models import BillingPeriod

    lines = 0
    for begin in range(0, len(periods), BATCH_CONTRACTS):
        chosen = BillingPeriod.objects.filter(pk__in=periods[begin : begin + BATCH_CONTRACTS])
        windows = [window_of(period) for period in chosen.select_related("contract")]
        for basis in read_bases(windows, grain=Grain.PERIOD):
            (version,) = basis.window.versions
            dearer = {about: price * Decimal("1.34") for about, price in version.token_prices.items()}
            window = replace(basis.window, versions=(replace(version, token_prices=dearer),))
            rated = rate(replace(basis, window=window))
            assert rated.exact_total > 0
            lines += len(rated.lines)
    return lines


def _standing(periods: Sequence[UUID]) -> list[float]:
    """Give contracts prepaid credit, and return how long it took to say where each stands, in ms, shortest first."""
    from billing.agreeing import add_adjustment
    from billing.models import BillingPeriod
    from billing.rating.credit import CreditWording, Grant
    from billing.standing import standing_of

    wording = CreditWording(grants=(Grant(name="prepaid", amount=Decimal(1_000_000), from_at=FROM),))
    taken: list[float] = []
    for period in BillingPeriod.objects.filter(pk__in=periods).select_related("contract"):
        add_adjustment(contract=period.contract, wording=wording, from_at=FROM, to_at=None, now=FROM, title="Prepaid")
        began_s = time.perf_counter()
        assert standing_of(period.contract, TO - timedelta(hours=1)).left_amount > 0
        taken.append((time.perf_counter() - began_s) * 1_000)
    return sorted(taken)


def _check(periods: Sequence[UUID]) -> None:
    """What is booked is what the usage is worth."""
    from django.db.models import Sum

    from billing.models import Charge
    from metering.models import UsageHour

    booked = Charge.objects.filter(period__in=periods).aggregate(total=Sum("amount"))["total"]
    used = UsageHour.objects.filter(deployment__terms__term__contract__periods__in=periods)
    # A part lies inside its whole, so cached input and reasoning cost nothing beside it at one price for all.
    counts = used.exclude(quantity__in=("cached_input", "reasoning")).aggregate(total=Sum("value"))["total"]
    assert Fraction(booked) == Fraction(counts) * Fraction("0.60") / 1_000_000, (booked, counts)


if __name__ == "__main__":
    sys.exit(main())
