"""Server time and queries of the portal's main pages on a filled database.

    python bench/pages.py [--gpus 1000]

One provider with 125 nodes of 8 leased cards and a day of their gauges and energy; one tenant with 20 models under a
token share, its usage hours of two months by both witnesses, and an issued invoice. Each page is rendered by the whole
Django stack in this process, without the network; the anchor, in the same run, is the liveness page: what any request
costs. Queries are counted apart from the timing.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, report

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper
    from django.test import Client

    from clusters.models import Deployment
    from tests.billing.world import World
    from tests.factories import Cast

CARDS = 8
NODES_OF_A_CLUSTER = 25
MODELS = 20
CLASSES = ("input", "cached_input", "output")
ROUNDS = 10
DAY = timedelta(days=1)
HOURS = """
    INSERT INTO metering_usagehour (id, meter_id, witness, quantity, model, hour_at, from_at, to_at, deployment_id,
        tenant_id, quality, rule, version, value, records, updated_at)
    SELECT gen_random_uuid(), id, witness, quantity, model, at, at, at + interval '1 hour', %s, %s, 'A',
        'same_epoch_rise', 1, CASE quantity WHEN 'cached_input' THEN 250000 ELSE 1000000 END, 360, at
    FROM metering_meter, generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS at
    WHERE witness = ANY(%s)
"""
GAUGES = """
    INSERT INTO metering_acceleratorhour (accelerator_id, hour_at, utilisation_percent_sum, utilisation_samples,
        power_mw_sum, power_samples, memory_used_mib_max, last_utilisation_percent, last_power_mw, last_read_at)
    SELECT id, at, 25200, 360, 198000000, 360, 61440, 70, 550000, at + interval '59 minutes'
    FROM clusters_accelerator, generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS at
"""


def main() -> int:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gpus", type=int, default=1_000)
    arguments = parser.parse_args()
    now = datetime.now(UTC)
    with installation(static=True):
        from django.test import Client
        from django.urls import reverse

        from metering.models import AcceleratorHour, UsageHour
        from tests.factories import make_cast

        cast = make_cast()
        number = _fill(cast, arguments.gpus // CARDS, now)
        _analyze()
        tenant, provider = Client(SERVER_NAME="127.0.0.1"), Client(SERVER_NAME="127.0.0.1")
        tenant.force_login(cast.alice)
        provider.force_login(cast.petra)
        pages = {
            "liveness": (tenant, reverse("health-live")),
            "usage": (tenant, reverse("tenant-usage")),
            "invoice": (tenant, reverse("tenant-invoice", args=[number])),
            "fleet": (provider, reverse("provider-fleet")),
            "occupancy": (provider, reverse("provider-occupancy")),
        }
        report(
            {
                "gpus": arguments.gpus,
                "usage_hours": UsageHour.objects.count(),
                "accelerator_hours": AcceleratorHour.objects.count(),
                **{name: _measure(client, path) for name, (client, path) in pages.items()},
            }
        )
    return 0


def _measure(client: "Client", path: str) -> dict[str, object]:
    from django.db import connection

    query_s: list[float] = []

    def clock(execute: Callable[..., Any], *call: Any) -> Any:
        began_s = time.perf_counter()
        try:
            return execute(*call)
        finally:
            query_s.append(time.perf_counter() - began_s)

    with connection.execute_wrapper(clock):
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")
    taken_ms = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        client.get(path)
        taken_ms.append(1000 * (time.perf_counter() - began_s))
    return {
        "ms_p50": round(statistics.median(taken_ms), 1),
        "ms_p95": round(statistics.quantiles(taken_ms, n=20, method="inclusive")[18], 1),
        "queries": len(query_s),
        "query_ms": round(1000 * sum(query_s), 1),
        "kib": round(len(answer.content) / 1024, 1),
    }


def _fill(cast: "Cast", nodes: int, now: datetime) -> str:
    """Store the world; returns the number of the invoice."""
    from billing.charging import charge_period, ensure_periods
    from billing.closing import close_period
    from tests.billing.world import make_world

    month_at = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before_at = (month_at - DAY).replace(day=1)
    hour_at = now.replace(minute=0, second=0, microsecond=0)
    prices = {(f"model-{model:02d}", token_class): "0.50" for model in range(MODELS) for token_class in CLASSES}
    world = make_world(from_at=before_at, tokens=prices, parties=(cast.provider, cast.tenant))
    deployment = _meters(world, hour_at)
    _leased_fleet(world, nodes, hour_at)
    with _cursor() as cursor:
        last_at = hour_at - timedelta(hours=1)
        cursor.execute(HOURS, [deployment.id, cast.tenant.id, before_at, last_at, ["engine", "gateway"]])
        cursor.execute(HOURS, [None, None, hour_at - DAY, last_at, ["energy"]])
        cursor.execute(GAUGES, [hour_at - DAY, last_at])
    ensure_periods(contract=world.contract, now=now)
    invoice = close_period(period_id=world.period(before_at).id, now=now).invoice
    if invoice is None or invoice.number is None:
        raise RuntimeError("the month before was not invoiced")
    charge_period(period_id=world.period(month_at).id, up_to=hour_at, now=now)
    return invoice.number


def _meters(world: "World", hour_at: datetime) -> "Deployment":
    """One deployment that serves every model, and the meters of both witnesses."""
    from metering.models import Meter, Witness

    shared = world.share(model="model-00", rolled_to_at=hour_at, now=world.contract.from_at)
    for model in range(MODELS):
        for token_class in CLASSES:
            same = {"model": f"model-{model:02d}", "quantity": token_class}
            Meter.objects.create(witness=Witness.GATEWAY, reporter=world.tenant, source="bench", **same)
            Meter.objects.create(witness=Witness.ENGINE, node=shared.endpoint.node, endpoint=shared.endpoint, **same)
    return shared.deployment


def _leased_fleet(world: "World", nodes: int, hour_at: datetime) -> None:
    """Clusters of nodes whose cards are metered and, but for every fifth node, let until further notice."""
    from billing.contracting import add_lease
    from metering.models import Meter, NodeCursor, RollupCursor, Witness
    from tests import factories

    for number in range(nodes):
        if number % NODES_OF_A_CLUSTER == 0:
            cluster = factories.make_cluster(world.provider, f"bench-{number // NODES_OF_A_CLUSTER}")
        node = factories.make_node(cluster, f"gpu-{number:04d}", (10_000 + number).to_bytes(32, "big"))
        RollupCursor.objects.filter(node=node).update(rolled_to_at=hour_at)
        NodeCursor.objects.filter(node=node).update(last_seq=1, metered_to_at=hour_at, last_received_at=hour_at)
        cards = [factories.make_accelerator(node, position) for position in range(CARDS)]
        Meter.objects.bulk_create(
            Meter(witness=Witness.ENERGY, node=node, accelerator=card, quantity="energy_mj") for card in cards
        )
        slices = [factories.make_slice(card) for card in cards]
        if number % 5:
            add_lease(
                contract=world.contract,
                slices=slices,
                from_at=world.contract.from_at,
                to_at=None,
                price_per_gpu_hour=None,
                now=world.contract.from_at,
            )


def _analyze() -> None:
    with _cursor() as cursor:
        cursor.execute("ANALYZE")


def _cursor() -> "CursorWrapper":
    from django.db import connection

    return connection.cursor()


if __name__ == "__main__":
    sys.exit(main())
