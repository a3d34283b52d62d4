"""A cluster with costs for a day: a leased card with energy, an endpoint that sells tokens, an idle card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.charging import charge_period, ensure_periods
from billing.cluster_costs import enter_cluster_cost
from billing.contracting import add_lease
from billing.economics.cost import CardCost, CostRates
from billing.models import ClusterCost
from metering.models import Meter, Quality, UsageHour, Witness
from tests import factories
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, World, make_world

if TYPE_CHECKING:
    from clusters.models import Accelerator, Cluster, Node
    from tenants.models import Organization

DAY = timedelta(days=1)
KWH = 3_600_000_000
AT = datetime.fromisoformat("2026-03-05T09:00:00Z")

RATES = CostRates(
    effective_at=MARCH,
    currency="USD",
    power_price_per_kwh=Decimal("0.10"),
    pue=Decimal("1.25"),
    rent_per_month=Decimal(0),
    overhead_per_month=Decimal(744),
    grid_g_per_kwh=Decimal(400),
    cards={H100: CardCost(Decimal(35064), 1461)},  # 1.00 per GPU-hour
)


@dataclass(frozen=True)
class Costly:
    """The world, its cluster and node, and the instant of the hour of tokens."""

    world: World
    cluster: Cluster
    node: Node
    cards: list[Accelerator]


def make_costly(*, parties: tuple[Organization, Organization] | None = None, price: str = "10") -> Costly:
    """On 5 March one of two cards is leased at 2.00 an hour, and 1M tokens at `price` are served from 9 to 10."""
    world = make_world(tokens={(MODEL, "input"): price, (MODEL, "output"): price}, parties=parties)
    shared = world.share(percent="100", witness=Witness.ENGINE)
    node = shared.endpoint.node
    cards = [factories.make_accelerator(node, position) for position in range(2)]
    held = factories.make_slice(cards[0])
    factories.make_slice(cards[1])
    buyer = factories.make_organization(f"buyer-{node.name}")
    lease_world = World(world.provider, buyer, factories.make_contract(world.provider, buyer, world.book), world.book)

    add_lease(
        contract=lease_world.contract,
        slices=[held],
        from_at=AT - 9 * HOUR,
        to_at=AT + 15 * HOUR,
        price_per_gpu_hour=Decimal(2),
        now=MARCH,
    )
    shared.use({"input": 600_000, "output": 400_000}, at=AT)
    metered(cards[0], AT, KWH, tenant=buyer)
    metered(cards[1], AT, 2 * KWH)
    for each in (world, lease_world):
        ensure_periods(contract=each.contract, now=MARCH)
        charge_period(period_id=each.period().id, up_to=APRIL, now=AT + DAY)
    return Costly(world, node.cluster, node, cards)


def metered(card: Accelerator, at: datetime, energy_mj: int, tenant: Organization | None = None) -> UsageHour:
    """An hour of a card's energy, as rollup leaves it."""
    meter, _ = Meter.objects.get_or_create(
        witness=Witness.ENERGY, node=card.node, accelerator=card, quantity="energy_mj"
    )
    return UsageHour.objects.create(
        meter=meter, witness=Witness.ENERGY, quantity="energy_mj", hour_at=at, from_at=at, to_at=at + HOUR,
        tenant=tenant, quality=Quality.ACTUAL, rule="same_epoch_rise", value=energy_mj, records=1, updated_at=at,
    )  # fmt: skip


def enter(cluster: Cluster, rates: CostRates = RATES, now: datetime = AT + DAY) -> ClusterCost:
    """Enter the costs of a cluster."""
    return enter_cluster_cost(
        provider=cluster.provider,
        cluster_slug=cluster.slug,
        rates=rates,
        grid_source="sample",
        by="petra@example.com",
        now=now,
    )
