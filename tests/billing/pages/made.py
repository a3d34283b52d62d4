"""A tenant with a month that is closed and invoiced, and a busier one for looking at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import BillingPeriod, Invoice
from billing.pages.periods import next_month, previous_month
from metering.models import Witness
from tests.billing.world import APRIL, H100, MARCH, World, make_world

if TYPE_CHECKING:
    from tests.billing.world import Shared
    from tests.factories import Cast

LARGE, SMALL = "sample-large", "sample-small"
PRICES = {
    (LARGE, "input"): "0.28",
    (LARGE, "cached_input"): "0.07",
    (LARGE, "output"): "1.10",
    (SMALL, "input"): "0.12",
    (SMALL, "output"): "0.48",
}
DAY = timedelta(days=1)
BUSY = ("sample-235b", "sample-120b", "sample-70b", "sample-8b")
BUSY_PRICES = {
    (model, token_class): str((Decimal(price) / (place + 1)).quantize(Decimal("0.001")))
    for place, model in enumerate(BUSY)
    for token_class, price in (("input", "0.28"), ("cached_input", "0.07"), ("output", "1.10"))
} | {("sample-70b", "input"): "0.12"}


@dataclass(frozen=True)
class Month:
    """A closed March: two models under one share, and a lease."""

    world: World
    large: Shared
    small: Shared
    invoice: Invoice


def make_march(cast: Cast, *, witness: Witness = Witness.GATEWAY) -> Month:
    """Alice's March: 20 days of two models at 30 % of list, and 2 cards from the 10th; closed and invoiced.

    large: 20 × (2,000,000 input, of it 500,000 cached, and 400,000 output); small: 20 × (1,000,000 input, 100,000
    output). At list: 20 × (1.5 × 0.28 + 0.5 × 0.07 + 0.4 × 1.10) = 17.90 and 20 × (0.12 + 0.048) = 3.36; at 30 %
    5.37 and 1.008, rounded 5.37 and 1.01. The lease: 2 × 22 days × 24 h × 2.35 = 2,481.60.
    """
    world = make_world(tokens=PRICES, parties=(cast.provider, cast.tenant))
    large = world.share(model=LARGE, witness=witness, rolled_to_at=APRIL)
    small = world.share(model=SMALL, witness=witness, rolled_to_at=APRIL)
    for index in range(20):
        at = MARCH + index * DAY + timedelta(hours=9)
        large.use({"input": 2_000_000, "cached_input": 500_000, "output": 400_000}, at=at, model=LARGE)
        small.use({"input": 1_000_000, "output": 100_000}, at=at, model=SMALL)
    world.lease(2, from_at=MARCH + 9 * DAY, to_at=APRIL, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL + DAY)
    assert closed.invoice is not None
    return Month(world, large, small, closed.invoice)


def make_running(cast: Cast, now: datetime) -> World:
    """A tenant in the middle of things: two months behind it, invoiced, and the running one, up to this hour."""
    first = now.date().replace(day=1)
    for _step in range(2):
        first = previous_month(first)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    world = make_world(tokens=BUSY_PRICES, from_at=start, parties=(cast.provider, cast.tenant))
    hour = now.replace(minute=0, second=0, microsecond=0)
    shares = [world.share(model=model, rolled_to_at=hour, now=start) for model in BUSY]
    for index in range((now - start).days + 1):
        for place, shared in enumerate(shares):
            use_day(shared, place, start + index * DAY, hour)
    world.lease(4, from_at=start + 20 * DAY, price="1.12", now=start, model=H100, rolled_to_at=hour)
    month = first
    for _step in range(3):
        at = datetime(month.year, month.month, month.day, tzinfo=UTC)
        ensure_periods(contract=world.contract, now=at)
        month = next_month(month)
        period = BillingPeriod.objects.get(contract=world.contract, from_at=at)
        if period.to_at <= now:
            close_period(period_id=period.id, now=period.to_at + timedelta(hours=2))
    return world


def use_day(shared: Shared, place: int, day: datetime, until: datetime) -> None:
    """Two busy hours of a day, less on weekends; the engine is read in the running month, a little apart for one.

    It is read in the last two days too, so that it was read on the first morning of a month.
    """
    size = (11 - 2 * place) * (4 if day.weekday() >= 5 else 7 + (day.day * (place + 3)) % 5) * 1_000_000
    for at in (day + timedelta(hours=9), day + timedelta(hours=20)):
        if at >= until:
            return
        part = size * (at.hour + 1)
        counts = {"input": part, "cached_input": part * 2 // 5, "output": part // 6}
        shared.use(counts, at=at, model=BUSY[place])
        if (at.year, at.month) == (until.year, until.month) or until - at < 2 * DAY:
            engine = {**counts, "output": counts["output"] + (part // 4000 if place == 1 else 0)}
            shared.use(engine, at=at, model=BUSY[place], witness=Witness.ENGINE)
