"""Random worlds of money, each from its seed: contracts, usage, late usage, payments, corrections, a statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from django.db import connection

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.checkpoints import take_checkpoint
from billing.closing import close_period
from billing.corrections.applying import apply_balance
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.dues import dues_of
from billing.models import BalanceAccount, BillingPeriod, CreditReason, Invoice, InvoiceState
from billing.money import from_minor, minor_digits, to_minor
from billing.payments import PaymentMethod, record_payment
from billing.rating.credit import CreditWording, Grant
from billing.statements.stating import make_statement
from billing.write_offs import write_off
from metering.models import Witness
from tests.billing.world import MARCH, MODEL, World, make_world
from tests.factories import make_organization

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTHS = (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
CURRENCIES = ("USD", "EUR", "JPY", "BHD")
ZONES = ("UTC", "America/New_York", "Asia/Shanghai", "Europe/Berlin")


@dataclass
class Chance:
    """What a seed decides."""

    seed: int

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def yes(self, of_ten: int) -> bool:
        return self.random.randrange(10) < of_ten

    def price(self, digits: int = 2, most: int = 500) -> str:
        return str(Decimal(self.random.randrange(1, most * 10**digits)).scaleb(-digits))

    def part(self, amount: Decimal, currency: str) -> Decimal:
        """Some of an amount, at least the smallest unit."""
        return from_minor(self.random.randint(1, max(1, to_minor(amount, currency))), currency)


def make_random_world(seed: int) -> list[Invoice]:
    """Store a world and let two or three months of it happen; return its invoices."""
    chance = Chance(seed)
    operator = make_organization(f"operator-{seed}", is_operator=True, is_tenant=False)
    assert operator.is_operator
    worlds = _contracts(chance)
    closed = [_first_month(chance, world) for world in worlds]
    for world in worlds:
        make_statement(
            provider_id=world.provider.id,
            currency=world.contract.currency,
            month=MARCH.date(),
            now=MONTHS[0] + 20 * DAY,
        )
    for invoice in filter(None, closed):
        _afterwards(chance, invoice)
    if chance.yes(5):
        take_checkpoint(now=datetime.now(UTC), margin=-timedelta(seconds=5))
    for account in BalanceAccount.objects.order_by("pk"):
        apply_balance(account_id=account.pk, now=MONTHS[1] + 5 * DAY)
    # What comes at commit (deferred constraints) comes here: the test's own transaction is rolled back.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return list(Invoice.objects.exclude(state=InvoiceState.DRAFT).order_by("pk"))


def _contracts(chance: Chance) -> list[World]:
    currency, zone = chance.random.choice(CURRENCIES), chance.random.choice(ZONES)
    worlds: list[World] = []
    for _ in range(chance.random.randint(1, 3)):
        parties = (worlds[0].provider, worlds[0].tenant) if worlds and chance.yes(5) else None
        world = make_world(
            currency=currency,
            time_zone=zone,
            tokens={(MODEL, "input"): chance.price(4, 3), (MODEL, "output"): chance.price(4, 9)},
            parties=parties,
        )
        world.contract.operator_fee_percent = Decimal(chance.random.choice(("0", "1", "2.5", "7.25")))
        world.contract.save(update_fields=["operator_fee_percent"])
        worlds.append(world)
    return worlds


def _first_month(chance: Chance, world: World) -> Invoice | None:
    """Lease, share, credit; close the first month, use late, close the second."""
    reported = MONTHS[1] + 10 * DAY
    if chance.yes(7):
        from_at = MARCH + chance.random.randrange(0, 600) * HOUR
        world.lease(chance.random.randint(1, 3), price=chance.price(3, 4), from_at=from_at, rolled_to_at=reported)
    used = world.share(
        witness=Witness.ENGINE,
        percent=chance.price(2, 100),
        rolled_to_at=reported,
    )
    for hour in chance.random.sample(range(6, 700), chance.random.randint(1, 6)):
        at = MARCH + hour * HOUR
        tokens = {"input": chance.random.randrange(10**8), "output": chance.random.randrange(10**7)}
        used.use(tokens, at=at)
    if chance.yes(4):
        _grant(chance, world)
    ensure_periods(contract=world.contract, now=MONTHS[1])
    first, *_ = BillingPeriod.objects.filter(contract=world.contract).order_by("from_at")
    invoice = close_period(period_id=first.id, now=MONTHS[0] + 3 * DAY).invoice
    if chance.yes(5):
        late = {"output": chance.random.randrange(1, 10**7)}
        at = MARCH + chance.random.randrange(6, 700) * HOUR + timedelta(minutes=1)
        used.use(late, at=at, to_at=at + timedelta(minutes=5), version=2, stored_at=MONTHS[0] + 4 * DAY)
    if chance.yes(6):
        second = BillingPeriod.objects.filter(contract=world.contract, from_at=first.to_at).get()
        close_period(period_id=second.id, now=MONTHS[1] + 3 * DAY)
    return invoice


def _grant(chance: Chance, world: World) -> None:
    currency = world.contract.currency
    amount = Decimal(chance.random.randrange(1, 200_000)).scaleb(-minor_digits(currency))
    grant = Grant(name="credit", amount=amount, from_at=MARCH, bought=chance.yes(5))
    add_adjustment(
        contract=world.contract,
        wording=CreditWording(grants=(grant,)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Prepaid",
    )


def _afterwards(chance: Chance, invoice: Invoice) -> None:
    """Pay, give back, write off, in the order that chance has it."""
    acts: list[Callable[[Chance, Invoice], None]] = [_pay, _pay, _credit, _write_off]
    chance.random.shuffle(acts)
    for act in acts[: chance.random.randint(1, len(acts))]:
        invoice.refresh_from_db()
        if invoice.state in (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE) and dues_of(invoice).left > 0:
            act(chance, invoice)


def _pay(chance: Chance, invoice: Invoice) -> None:
    left, at = dues_of(invoice).payable, MONTHS[0] + chance.random.randrange(5, 25) * DAY
    record_payment(
        invoice_id=invoice.pk,
        method=chance.random.choice([PaymentMethod.BANK_TRANSFER, PaymentMethod.STRIPE]),
        reference=f"{invoice.number} {chance.random.random()}",
        amount=left if chance.yes(5) else chance.part(left, invoice.currency),
        currency=invoice.currency,
        received_at=at,
        now=at,
    )


def _credit(chance: Chance, invoice: Invoice) -> None:
    left = dues_of(invoice).payable
    issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(amount=chance.part(left, invoice.currency)),
        reason=CreditReason.GOODWILL,
        note="seeded",
        by="worlds",
        now=MONTHS[0] + 25 * DAY,
    )


def _write_off(chance: Chance, invoice: Invoice) -> None:
    assert chance.random
    write_off(invoice_id=invoice.pk, reason="seeded", by="worlds", now=MONTHS[0] + 26 * DAY)
