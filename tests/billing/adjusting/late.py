"""A contract with graduated tiers whose March is closed, and usage of March that comes after that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.agreeing import add_token_price
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice
from billing.rating.token_price_wording import Span, Tier, TierMode, TierTable, TokenPriceWording
from metering.models import UsageHour, Witness
from tenants.models import Organization
from tests import factories
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world

MAY, JUNE = APRIL + timedelta(days=30), APRIL + timedelta(days=61)
STARTS = (MARCH, APRIL, MAY, JUNE)
NOON = MARCH + timedelta(days=4, hours=12)
FAR = MARCH + timedelta(days=900)
GRADUATED = TierTable(
    name="main",
    quantities=("output",),
    mode=TierMode.GRADUATED,
    span=Span.PERIOD,
    price_unit="per_mtok",
    tiers=(
        Tier(up_to=1_000_000, price=Decimal(3)),
        Tier(up_to=10_000_000, price=Decimal(2)),
        Tier(price=Decimal(1)),
    ),
)


@dataclass(frozen=True)
class Late:
    """A world with one price by the unit."""

    world: World
    shared: Shared

    def use(self, tokens: int, *, at: datetime = NOON, stored_at: datetime | None = None) -> None:
        """Output tokens of an hour, stored at an instant; each call is a further version of the hour."""
        version = UsageHour.objects.filter(meter__quantity="output", from_at=at).count() + 1
        self.shared.use({"output": tokens}, at=at, stored_at=stored_at, version=version)

    def close(self, start: datetime = MARCH) -> Invoice | None:
        """Close the period that begins at an instant, a day after its end."""
        end = STARTS[STARTS.index(start) + 1]
        ensure_periods(contract=self.world.contract, now=start)
        return close_period(period_id=self.world.period(start).id, now=end + timedelta(days=1)).invoice


def late_world(table: TierTable = GRADUATED, parties: tuple[Organization, Organization] | None = None) -> Late:
    world = make_world(parties=parties)
    endpoint = factories.make_endpoint(world.make_node(rolled_to_at=FAR), MODEL)
    deployment = factories.make_deployment(world.provider, world.tenant, endpoint, MODEL)
    term = add_token_price(
        contract=world.contract,
        deployments=[deployment],
        wording=TokenPriceWording(witness="engine", tiers=(table,)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
    )
    return Late(world, Shared(term, Witness.ENGINE, deployment, endpoint, world.tenant))
