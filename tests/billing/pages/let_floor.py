"""The sample floor, let: running, reserved and ended leases of several tenants, parts of cards among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.charging import charge_period, ensure_periods
from billing.contracting import add_lease
from billing.models import BillingPeriod, Contract, Term
from clusters.models import Node, Slice
from tests import factories
from tests.metering.floor import Floor, make_floor

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

DAY = timedelta(days=1)
RATE = Decimal("1.12")
NAMES = ("Northwind Robotics", "Acme Genomics", "Helios Studio", "Shenzhen Vision 深视", "Fjord Bank", "Sample Lab")


@dataclass
class LetFloor:
    """The floor with its leases: `long` runs on four busy cards, `booked` begins in five days, `past` is over."""

    floor: Floor
    contracts: list[Contract]
    long: Term
    booked: Term
    past: Term
    parts: Term


def let_floor(provider: Organization, tenant: Organization, now: datetime) -> LetFloor:
    """Store the floor and let it; the first tenant is the one given, five others are made. At least 12 days back."""
    floor = make_floor(provider, now)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    tenants = [tenant, *(factories.make_organization(f"let-{place}") for place in range(1, len(NAMES)))]
    for each, name in zip(tenants, NAMES, strict=True):
        each.name = name
        each.save(update_fields=["name"])
    book = factories.make_price_book(provider)
    start = today - 40 * DAY
    factories.make_price_version(book, effective_at=start, gpus={"NVIDIA H100 80GB HBM3": "2.35"})
    contracts = [factories.make_contract(provider, each, book, from_at=start) for each in tenants]

    def let(contract: int, node: Node, cards: range, days: tuple[int, int], price: Decimal | None = RATE) -> Term:
        slices = list(
            Slice.objects.filter(accelerator__node=node, accelerator__position__in=list(cards), kind="whole").order_by(
                "accelerator__position"
            )
        )
        return _lease(contracts[contract], slices, today + days[0] * DAY, today + days[1] * DAY, price)

    long = let(0, floor.busy, range(4), (-9, 3))
    let(0, floor.busy, range(4), (4, 11))
    let(2, floor.busy, range(4, 6), (-8, -4))
    let(1, floor.busy, range(4, 6), (-3, 2))
    booked = let(4, floor.busy, range(4, 6), (5, 12), None)
    past = let(3, floor.busy, range(6, 8), (-5, -2))
    let(2, floor.busy, range(6, 8), (-1, 3))
    let(4, floor.mixed, range(4), (-6, 5), Decimal("1.31"))
    let(1, floor.mixed, range(4, 5), (-9, 2))
    let(2, floor.mixed, range(5, 6), (-4, 4))
    let(5, floor.listed, range(2), (-2, 6), Decimal("0.98"))
    parts = _parts(floor, contracts[3], today)
    for month in (0, 1, 2):
        ensure_periods(contract=contracts[0], now=start + month * 31 * DAY)
    for period in BillingPeriod.objects.filter(contract=contracts[0], from_at__lt=now).order_by("from_at"):
        charge_period(period_id=period.id, up_to=min(now, period.to_at), now=now)
    return LetFloor(floor, contracts, long, booked, past, parts)


def let_now(cast: Cast) -> LetFloor:
    """The floor of the cast's provider, let around this very day: for pages, which read the clock themselves."""
    return let_floor(cast.provider, cast.tenant, datetime.now(UTC))


def _parts(floor: Floor, contract: Contract, today: datetime) -> Term:
    migs = list(Slice.objects.filter(accelerator__node=floor.mixed, kind="mig").order_by("-share_permille"))
    fractions = Slice.objects.filter(accelerator__node=floor.listed, kind="fraction").order_by("-share_permille")
    _lease(contract, [fractions[0]], today - 3 * DAY, today + 3 * DAY, Decimal("0.98"))
    return _lease(contract, migs[:2], today - 5 * DAY, today + 4 * DAY, Decimal("1.50"))


def _lease(contract: Contract, slices: list[Slice], from_at: datetime, to_at: datetime, price: Decimal | None) -> Term:
    return add_lease(
        contract=contract,
        slices=slices,
        from_at=from_at,
        to_at=to_at,
        price_per_gpu_hour=price,
        now=from_at,
        title=f"{len(slices)} × H100",
    )
