"""The world that a run of money happens in: its parties, its clock, and what its seed decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from billing.charging import ensure_periods
from billing.closing import close_period, due_periods
from billing.dues import read_dues, with_dues
from billing.dunning.policies import set_policy
from billing.models import Invoice, InvoiceState, PayoutTerms
from billing.stripe_amounts import smallest_amount
from metering.models import Witness
from tests.billing.banking.statements import IBAN, make_account
from tests.billing.world import MARCH, MODEL, World, make_world
from tests.factories import make_organization, make_user
from tests.flows.worlds import Chance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from billing.models import BankAccount
    from tests.billing.world import Shared

T = TypeVar("T")
DAY = timedelta(days=1)
BEGINS_AT = datetime(2026, 4, 3, 9, tzinfo=UTC)
CURRENCIES = ("USD", "EUR", "JPY", "BHD")
ZONES = ("UTC", "America/New_York", "Asia/Shanghai", "Europe/Berlin")
BY = "seeded@example.com"
STEPS = [
    {"after_days": 1, "action": "remind"},
    {"after_days": 2, "action": "retry_card"},
    {"after_days": 3, "action": "notice"},
    {"after_days": 10, "action": "suspend"},
]
BOUNDS_AT = tuple(datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7, 8))
_names = count(1)


@dataclass
class Money:
    """A provider, one or two tenants' contracts with it, and how far the clock is."""

    chance: Chance
    currency: str
    worlds: list[World]
    shared: list[Shared]
    account: BankAccount
    now: datetime = BEGINS_AT
    name: int = field(default_factory=lambda: next(_names))
    told: count[int] = field(default_factory=lambda: count(1))

    @property
    def provider_id(self) -> UUID:
        return self.worlds[0].provider.pk

    def reference(self) -> str:
        """A text that no other act has."""
        return f"{self.name}-{next(self.told)}"

    def invoice(self, *states: InvoiceState, owed: bool = False) -> Invoice | None:
        """One invoice in one of the states, of all that are issued if none is named; None where there is none."""
        chosen = Invoice.objects.filter(state__in=states or tuple(InvoiceState)).exclude(state=InvoiceState.DRAFT)
        found = list(with_dues(chosen).order_by("issued_at", "pk"))
        return self.one_of([one for one in found if not owed or read_dues(one).left > 0])

    def one_of(self, found: Sequence[T]) -> T | None:
        return self.chance.random.choice(found) if found else None

    def chargeable(self, amount: Decimal) -> Decimal:
        """What of an amount Stripe can charge: three decimals end in 0 there."""
        return amount - amount % smallest_amount(self.currency)

    def part(self, amount: Decimal) -> Decimal:
        """The whole of an amount, or some of it."""
        return amount if self.chance.yes(4) else self.chance.part(amount, self.currency)


def make_money(seed: int) -> Money:
    """Contracts with usage in March and April; March is closed and issued."""
    chance = Chance(seed)
    make_organization(f"operator-of-{seed}", is_operator=True, is_tenant=False)
    currency = chance.random.choice(CURRENCIES)
    worlds: list[World] = []
    shared: list[Shared] = []
    for _ in range(chance.random.randint(1, 2)):
        parties = (worlds[0].provider, worlds[0].tenant) if worlds else None
        worlds.append(
            make_world(
                currency=currency,
                time_zone=chance.random.choice(ZONES),
                tokens={(MODEL, "input"): chance.price(4, 3), (MODEL, "output"): chance.price(4, 9)},
                parties=parties,
            )
        )
        shared.append(_used(chance, worlds[-1]))
    provider = worlds[0].provider
    make_user(f"reader-{seed}@example.com", worlds[0].tenant)
    PayoutTerms.objects.create(provider=provider, hold_days=chance.random.choice((0, 5)))
    set_policy(provider=provider, steps=STEPS, by=BY, now=BEGINS_AT)
    account = make_account(provider, currency=currency, number=IBAN)
    made = Money(chance, currency, worlds, shared, account)
    close_over(made)
    return made


def _used(chance: Chance, world: World) -> Shared:
    """A lease, a share with usage in two months, and the operator's part."""
    world.contract.operator_fee_percent = Decimal(chance.random.choice(("0", "1", "2.5", "7.25")))
    world.contract.save(update_fields=["operator_fee_percent"])
    rolled_to_at = BOUNDS_AT[-1]
    if chance.yes(7):
        world.lease(chance.random.randint(1, 2), price=chance.price(3, 4), rolled_to_at=rolled_to_at)
    used = world.share(witness=Witness.ENGINE, percent=chance.price(2, 100), rolled_to_at=rolled_to_at)
    for day in chance.random.sample(range(1, 57), 4):
        tokens = {"input": chance.random.randrange(10**8), "output": chance.random.randrange(10**7)}
        used.use(tokens, at=MARCH + day * DAY)
    return used


def close_over(money: Money) -> None:
    """Close every period that is over and past its wait, as the sweep does."""
    for world in money.worlds:
        ensure_periods(contract=world.contract, now=money.now)
    for period_id in due_periods(now=money.now):
        close_period(period_id=period_id, now=money.now)
