"""What the sample's clusters cost: invented figures, entered like any owner's, so that margin can be looked at."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from billing.cluster_costs import enter_cluster_cost
from billing.economics.cost import CardCost, CostRates
from clusters.models import Cluster
from forecourt.demo.plan import A100, H100

LIFE_DAYS: Final = 1_461
CARDS: Final = {H100: CardCost(Decimal(31_000), LIFE_DAYS), A100: CardCost(Decimal(14_000), LIFE_DAYS)}
GRID_SOURCE: Final = "sample figure"


def enter_sample_costs(clusters: Iterable[Cluster], *, effective_at: datetime, now: datetime) -> None:
    """Enter the same sample costs for every cluster, from the start of the sample's month on."""
    for cluster in clusters:
        enter_cluster_cost(
            provider=cluster.provider,
            cluster_slug=cluster.slug,
            rates=CostRates(
                effective_at=effective_at,
                currency="USD",
                power_price_per_kwh=Decimal("0.085"),
                pue=Decimal("1.25"),
                rent_per_month=Decimal(1_800),
                overhead_per_month=Decimal(700),
                grid_g_per_kwh=Decimal(380),
                cards=CARDS,
            ),
            grid_source=GRID_SOURCE,
            by="demo",
            now=now,
        )
