"""A year of a provider with many tenants: one tenant in full by use cases, one small one, and its copies by SQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench._copies import copy_rows

if TYPE_CHECKING:
    from billing.models import Invoice
    from clusters.models import Deployment
    from tests.billing.world import World
    from tests.factories import Cast

CARDS = 8
NODES_OF_A_CLUSTER = 25
MODELS = 20
MODELS_OF_A_COPY = 2
CLASSES = ("input", "cached_input", "output")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HOURS = """
    INSERT INTO metering_usagehour (id, meter_id, witness, quantity, model, hour_at, from_at, to_at, deployment_id,
        tenant_id, quality, rule, version, value, records, updated_at)
    SELECT gen_random_uuid(), id, witness, quantity, model, at, at, at + interval '1 hour', %s, %s, 'A',
        'same_epoch_rise', 1, CASE quantity WHEN 'cached_input' THEN 250000 ELSE 1000000 END, 360, at
    FROM metering_meter, generate_series(%s::timestamptz, %s::timestamptz, %s::interval) AS at
    WHERE witness = ANY(%s) AND source = ANY(%s)
"""
ENERGY_METERS = """
    INSERT INTO metering_meter (id, witness, source, model, quantity, labels, accelerator_id, node_id)
    SELECT gen_random_uuid(), 'energy', '', '', 'energy_mj', '', id, node_id FROM clusters_accelerator
    WHERE NOT EXISTS (SELECT FROM metering_meter m WHERE m.accelerator_id = clusters_accelerator.id)
"""
GAUGES = """
    INSERT INTO metering_acceleratorhour (accelerator_id, hour_at, utilisation_percent_sum, utilisation_samples,
        power_mw_sum, power_samples, memory_used_mib_max, last_utilisation_percent, last_power_mw, last_read_at)
    SELECT id, at, 25200, 360, 198000000, 360, 61440, 70, 550000, at + interval '59 minutes'
    FROM clusters_accelerator, generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS at
"""
CLUSTERED = """
    UPDATE clusters_node SET cluster_id = ('{' || split_part(place.ids, ',', 1 + (place.row %% %s)::int) || '}')::uuid
    FROM (SELECT node.id, row_number() OVER (ORDER BY node.id) AS row,
            (SELECT string_agg(id::text, ',' ORDER BY slug) FROM clusters_cluster WHERE slug LIKE 'bench-%%') AS ids
        FROM clusters_node node WHERE name LIKE 'bench-copied-%%') AS place
    WHERE clusters_node.id = place.id
"""


@dataclass(frozen=True)
class Size:
    """How much there shall be; `gauge_days` are the days of every card's own hours, the most rows of all."""

    gpus: int
    tenants: int
    months: int
    gauge_days: int


def make_year(cast: "Cast", size: Size, now: datetime, database_url: str) -> tuple["Invoice", dict[str, int]]:
    """Store it all; returns the last invoice of the cast's tenant, and how many rows the copies have by table."""
    from tests.factories import make_organization

    hour_at = now.replace(minute=0, second=0, microsecond=0)
    months = list(_months(hour_at, size.months))
    invoice = _main_tenant(cast, months, hour_at)
    template = make_organization("bench-small")
    nodes = _small_tenant(cast, template, months, hour_at, max(1, size.gpus // size.tenants))
    copied = copy_rows(
        database_url,
        {"tenants_organization": [template.pk], "clusters_node": [node.pk for node in nodes]},
        size.tenants - 2,
    )
    clusters = _clusters(cast, max(1, size.gpus // CARDS // NODES_OF_A_CLUSTER))
    _execute(CLUSTERED, [clusters])
    _execute("UPDATE tenants_organization SET name = initcap(slug) WHERE slug LIKE 'bench-small%'")
    _execute(ENERGY_METERS)
    first_at = hour_at - size.gauge_days * DAY
    _execute(HOURS, [None, None, first_at, hour_at - HOUR, "1 hour", ["energy"], [""]])
    _execute(GAUGES, [first_at, hour_at - HOUR])
    _execute("VACUUM ANALYZE")
    return invoice, copied


def _months(hour_at: datetime, count: int) -> Iterator[datetime]:
    """The beginnings of so many months before this one and of this one."""
    this = hour_at.year * 12 + hour_at.month - 1
    for index in range(this - count, this + 1):
        yield datetime(index // 12, index % 12 + 1, 1, tzinfo=hour_at.tzinfo)


def _main_tenant(cast: "Cast", months: list[datetime], hour_at: datetime) -> "Invoice":
    """The tenant whose pages are looked at: every hour of 20 models by both witnesses, and ten leases of 8 cards."""
    from tests.billing.world import make_world

    prices = {(f"model-{model:02d}", token_class): "0.50" for model in range(MODELS) for token_class in CLASSES}
    world = make_world(from_at=months[0], tokens=prices, parties=(cast.provider, cast.tenant))
    deployment = _metered(world, hour_at, MODELS, "bench")
    hours = [deployment.id, cast.tenant.id, months[0], hour_at - HOUR, "1 hour", ["engine", "gateway"], ["bench", ""]]
    _execute(HOURS, hours)
    for _ in range(10):
        world.lease(CARDS, from_at=months[0], now=months[0], rolled_to_at=hour_at)
    return _closed(world, months, hour_at)


def _small_tenant(cast: "Cast", tenant: Any, months: list[datetime], hour_at: datetime, cards: int) -> list[Any]:
    """A tenant with two models used once a day and its part of the cards; returns its nodes."""
    from tests.billing.world import make_world

    prices = {(f"model-{model:02d}", token_class): "0.50" for model in range(2) for token_class in CLASSES}
    world = make_world(from_at=months[0], tokens=prices, parties=(cast.provider, tenant))
    deployment = _metered(world, hour_at, MODELS_OF_A_COPY, "small")
    hours = [deployment.id, tenant.id, months[0], hour_at - HOUR, "1 day", ["gateway"], ["small"]]
    _execute(HOURS, hours)
    for index in range(0, cards, CARDS):
        world.lease(min(CARDS, cards - index), from_at=months[0], now=months[0], rolled_to_at=hour_at)
    for place, node in enumerate(world.nodes):
        node.name = f"bench-copied-{place}"
        node.save(update_fields=["name"])
    _closed(world, months, hour_at)
    return world.nodes


def _metered(world: "World", hour_at: datetime, models: int, source: str) -> "Deployment":
    """One deployment under a share that serves every model, and the meters of both witnesses."""
    from metering.models import Meter, Witness

    shared = world.share(model="model-00", rolled_to_at=hour_at, now=world.contract.from_at)
    for model in range(models):
        for token_class in CLASSES:
            same = {"model": f"model-{model:02d}", "quantity": token_class}
            Meter.objects.create(witness=Witness.GATEWAY, reporter=world.tenant, source=source, **same)
            Meter.objects.create(witness=Witness.ENGINE, node=shared.endpoint.node, endpoint=shared.endpoint, **same)
    return shared.deployment


def _closed(world: "World", months: list[datetime], hour_at: datetime) -> "Invoice":
    """Close and invoice every month but this one, charge this one; all but the last two are paid."""
    from billing.charging import charge_period, ensure_periods
    from billing.closing import close_period
    from billing.payments import PaymentMethod, record_payment

    ensure_periods(contract=world.contract, now=hour_at)
    invoices = []
    for from_at, to_at in pairwise(months):
        invoice = close_period(period_id=world.period(from_at).id, now=to_at + 3 * DAY).invoice
        if invoice is None or invoice.number is None:
            raise RuntimeError(f"{from_at:%Y-%m} was not invoiced")
        invoices.append(invoice)
    for invoice in invoices[:-2]:
        paid_at = invoice.period.to_at + 10 * DAY
        record_payment(
            invoice_id=invoice.pk, method=PaymentMethod.BANK_TRANSFER, reference=f"bench {invoice.number}",
            amount=Decimal(invoice.total), currency=invoice.currency, received_at=paid_at, now=paid_at,
        )  # fmt: skip
    charge_period(period_id=world.period(months[-1]).id, up_to=hour_at, now=hour_at)
    return invoices[-1]


def _clusters(cast: "Cast", count: int) -> int:
    from tests.factories import make_cluster

    for number in range(count):
        make_cluster(cast.provider, f"bench-{number:03d}")
    return count


def _execute(statement: str, values: list[Any] | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)
