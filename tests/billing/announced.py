"""A provider that announces a price rise to its tenant, with a month of usage behind it: for tests of pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.models import PriceNotice
from billing.pricing import publish_prices
from billing.rating.price_lists import PriceKey, PriceList
from billing.rating.rated import PriceUnit
from tests.billing.world import H100, World, make_world

if TYPE_CHECKING:
    from billing.models import PriceVersion
    from tests.factories import Cast

LARGE, SMALL = "sample-large", "sample-small"
INPUT, OUTPUT = (PriceKey(PriceUnit.PER_MTOK, LARGE, name) for name in ("input", "output"))
CARD = PriceKey(PriceUnit.PER_GPU_HOUR, H100)
BEFORE = {INPUT: Decimal("0.28"), OUTPUT: Decimal("1.10"), CARD: Decimal("1.94")}
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Announced:
    """What was announced, and to whom."""

    world: World
    version: PriceVersion
    notice: PriceNotice
    effective_at: datetime


def dearer(prices: PriceList, percent: int = 34) -> dict[PriceKey, Decimal]:
    """Every price so many percent dearer."""
    return {key: price * (100 + percent) / 100 for key, price in prices.items()}


def make_used(cast: Cast, now: datetime) -> World:
    """Ten days with 200 million input and 40 million output tokens each, at the whole list price: 100.00 a day.

    200 × 0.28 + 40 × 1.10 = 56 + 44; the last day is the one before yesterday's.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    start = hour - 60 * DAY
    world = make_world(
        tokens={(LARGE, "input"): "0.28", (LARGE, "output"): "1.10"},
        gpus={H100: "1.94"},
        from_at=start,
        parties=(cast.provider, cast.tenant),
    )
    shared = world.share(percent="100", model=LARGE, rolled_to_at=hour, now=start)
    for days in range(2, 12):
        shared.use({"input": 200_000_000, "output": 40_000_000}, at=hour - days * DAY, model=LARGE)
    return world


def announce(cast: Cast, now: datetime, *, percent: int = 34, days: int = 12) -> Announced:
    """Everything dearer in so many days."""
    world = make_used(cast, now)
    assert world.book is not None
    effective_at = now.replace(hour=0, minute=0, second=0, microsecond=0) + days * DAY
    version = publish_prices(book=world.book, effective_at=effective_at, prices=dearer(BEFORE, percent), now=now)
    return Announced(world, version, PriceNotice.objects.get(contract=world.contract), effective_at)
