"""Closing a month: contracts with 30 lines each are rated, invoiced, numbered and booked, with their evidence.

    python bench/close.py [--contracts 400] [--lines 30] [--workers 4] [--providers 4]

The usage is there already: a row for each contract, model and day, one model a line. Closing is what the sweep does:
gate, last charges, invoice with lines and sublines, evidence that is recomputed before it is sealed, postings, the next
period; in worker processes, some contracts in a transaction together, as the sweep does it. Then contracts are doubled
(seconds per invoice should stay), lines are doubled, and all contracts are put under one provider, whose numbers have
no gap. Queries are counted for an invoice of so many lines and of twice as many, and for so many invoices in one
transaction. The anchor is what rating alone takes of the same months.
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import rating
from bench._platform import installation, report

CLOSED_AT = rating.TO + timedelta(days=3)
TARGET_CONTRACTS = 10_000
MANY_LINES = 3_000
"""From so many lines with a month of usage each on it is quicker to make the indexes again than to keep them."""
USAGE = """
    INSERT INTO metering_usagehour (
        id, meter_id, witness, quantity, model, hour_at, from_at, to_at, deployment_id, tenant_id, quality, rule,
        version, value, records, updated_at
    )
    SELECT uuidv7(), m.id, 'gateway', m.quantity, m.model, at, at, at + interval '1 hour', d.id, d.tenant_id,
        'A', 'bench', 1, 3000000 + (random() * 1000000)::int, 1000, %s
    FROM clusters_deployment d, metering_meter m,
        generate_series(%s::timestamptz, %s::timestamptz, interval '1 day') at
    WHERE d.id = ANY(%s) AND m.source = 'bench' AND m.model = ANY(%s) AND m.quantity = 'output'
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=400)
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--providers", type=int, default=4)
    arguments = parser.parse_args()
    contracts, lines, providers = arguments.contracts, arguments.lines, arguments.providers
    with installation():
        figures: dict[str, object] = {}
        one_s = _measure(figures, "one", (contracts, lines, providers), arguments.workers)
        figures["minutes_to_close_10000_contracts"] = round(one_s * TARGET_CONTRACTS / contracts / 60, 2)
        if contracts < TARGET_CONTRACTS:
            for name, size in (
                ("twice_the_contracts", (2 * contracts, lines, providers)),
                ("twice_the_lines", (contracts, 2 * lines, providers)),
                ("one_provider", (contracts, lines, 1)),
            ):
                took_s = _measure(figures, name, size, arguments.workers)
                figures[f"times_as_long_with_{name}"] = round(took_s / one_s, 2)
        figures["queries_of_one_invoice"] = {
            f"{number}_lines": _queries(1, number) for number in (1, lines // 2, lines, 2 * lines)
        }
        figures["queries_of_a_batch"] = {f"{number}_invoices": _queries(number, lines) for number in (2, 8, 16)}
        report(figures)
    return 0


def _measure(figures: dict[str, object], name: str, size: tuple[int, int, int], workers: int) -> float:
    """Return how long closing took, in seconds; the invoices are checked."""
    rating._say(f"{name}: making {size[0]} contracts")
    periods = _make(*size)
    rating._say(f"{name}: rating")
    rated_s, _, _ = rating._in_workers(_rate, periods, workers)
    rating._say(f"{name}: rated in {rated_s:.1f} s; closing")
    closed_s, closed_cpu_s, invoices = rating._in_workers(_close, periods, workers)
    rating._say(f"{name}: closed in {closed_s:.1f} s; checking")
    _check(periods, size[1])
    figures[name] = {
        "invoices": invoices,
        "close_s": round(closed_s, 2),
        "close_cpu_s": round(closed_cpu_s, 2),
        "invoices_per_s": round(invoices / closed_s, 1),
        "rate_only_s": round(rated_s, 2),
        "close_to_rating": round(closed_s / rated_s, 1),
    }
    return closed_s


def _make(contracts: int, lines: int, providers: int) -> list[UUID]:
    """Store contracts of some providers with a price by the unit, a deployment each, and a month of usage."""
    from django.db import connection

    names = [f"model-{number}" for number in range(lines)]
    shares = [contracts // providers + (number < contracts % providers) for number in range(providers)]
    made = [(*rating._provider(names), share) for share in shares]
    connection.close()
    with multiprocessing.get_context("fork").Pool(min(providers, os.cpu_count() or 1)) as pool:
        opened = [each for found in pool.starmap(_open_contracts, made, chunksize=1) for each in found]
    deployments = [deployment for _, deployment in opened]
    with connection.cursor() as cursor:
        with rating.without_indexes(cursor) if contracts * lines > MANY_LINES else nullcontext():
            cursor.execute(USAGE, [rating.FROM, rating.FROM, rating.TO - timedelta(seconds=1), deployments, names])
        cursor.execute("VACUUM ANALYZE metering_usagehour")
        cursor.execute("ANALYZE")
    return sorted(period for period, _ in opened)


def _open_contracts(provider: object, book: object, mark: str, contracts: int) -> list[tuple[UUID, UUID]]:
    """Return a period and a deployment of each contract."""
    from billing.agreeing import add_token_price
    from billing.charging import ensure_periods
    from billing.contracting import open_contract
    from billing.rating.token_price_wording import TokenPriceWording
    from clusters.models import Deployment

    found: list[tuple[UUID, UUID]] = []
    for number in range(contracts):
        tenant = rating._organization(f"{mark}-tenant-{number}")
        contract = open_contract(
            provider=provider, tenant=tenant, currency="USD", time_zone="UTC", from_at=rating.FROM, now=rating.FROM,
            price_book=book,
        )  # fmt: skip
        deployment = Deployment.objects.create(
            provider=provider, tenant=tenant, slug=f"{mark}-{number}", name=f"{mark}-{number}",
            from_at=rating.FROM, created_at=rating.FROM,
        )  # fmt: skip
        add_token_price(
            contract=contract, deployments=[deployment], wording=TokenPriceWording(witness="gateway"),
            from_at=rating.FROM, to_at=None, now=rating.FROM,
        )  # fmt: skip
        [period] = ensure_periods(contract=contract, now=rating.FROM)
        found.append((period.pk, deployment.pk))
    return found


def _rate(periods: Sequence[UUID]) -> int:
    from billing.bases import Grain, read_basis, window_of
    from billing.basis import rate
    from billing.models import BillingPeriod

    rows = BillingPeriod.objects.select_related("contract")
    return sum(len(rate(read_basis(window_of(rows.get(pk=each)), grain=Grain.HOUR)).lines) for each in periods)


def _close(periods: Sequence[UUID]) -> int:
    from billing.closing import TOGETHER, close_batch

    batches = [periods[begin : begin + TOGETHER] for begin in range(0, len(periods), TOGETHER)]
    closed = [one for batch in batches for one in close_batch(period_ids=batch, now=CLOSED_AT)]
    return sum(one.invoice is not None for one in closed)


def _check(periods: Sequence[UUID], lines: int) -> None:
    """Every contract has one invoice with its lines, and the numbers of each issuer have no gap."""
    from billing.models import Invoice, InvoiceLine, IssuerSequence

    invoices = Invoice.objects.filter(period__in=periods, state="issued")
    assert invoices.count() == len(periods)
    assert InvoiceLine.objects.filter(invoice__in=invoices).count() == lines * len(periods)
    for sequence in IssuerSequence.objects.all():
        assert Invoice.objects.filter(issuer=sequence.issuer_id).count() == sequence.next_number - 1


def _queries(contracts: int, lines: int) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    periods = _make(contracts, lines, 1)
    with CaptureQueriesContext(connection) as captured:
        assert _close(periods) == contracts
    return len(captured)


if __name__ == "__main__":
    sys.exit(main())
