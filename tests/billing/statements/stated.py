"""Providers with closed months, and their statements."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice, ProviderStatement
from billing.payments import PaymentMethod, record_payment
from billing.proofs import ledger
from billing.statements import checks
from billing.statements.stating import make_statement
from metering.models import Witness
from tenants.ids import new_id
from tenants.models import Organization
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.factories import make_organization

MARCH_MONTH, APRIL_MONTH = date(2026, 3, 1), date(2026, 4, 1)
STATED_AT = APRIL + timedelta(days=1)
NOON = MARCH + timedelta(hours=12)


def make_month(*, fee: str = "5", parties: tuple[Organization, Organization] | None = None) -> World:
    """A March of one contract, closed and invoiced: a share of 30 % and a leased card, 5 % of it the operator's.

    Share: (10,000,000 × 0.60 + 5,000,000 × 0.80) / 1M = 10.00 at list, 3.00 at 30 %; lease: 744 h × 2.35 = 1,748.40.
    Together 1,751.40, of it the fee 87.57, net 1,663.83.
    """
    if not _operator_there():
        make_organization("operator", is_operator=True, is_tenant=False)
    world = make_world(tokens={(MODEL, "input"): "0.60", (MODEL, "output"): "0.80"}, parties=parties)
    world.contract.operator_fee_percent = Decimal(fee)
    world.contract.save(update_fields=["operator_fee_percent"])
    shared = world.share(witness=Witness.GATEWAY, rolled_to_at=APRIL)
    shared.use({"input": 10_000_000, "output": 5_000_000}, at=NOON)
    shared.use({"output": 4_990_000}, at=NOON, witness=Witness.ENGINE)
    world.lease(1, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    return world


def close_march(world: World, *, now: datetime = APRIL) -> Invoice:
    invoice = close_period(period_id=world.period().id, now=now).invoice
    assert invoice is not None
    return invoice


def state_march(world: World, *, now: datetime = STATED_AT) -> ProviderStatement | None:
    return make_statement(provider_id=world.provider.id, currency="USD", month=MARCH_MONTH, now=now)


def stated_march(world: World) -> ProviderStatement:
    close_march(world)
    statement = state_march(world)
    assert statement is not None
    return statement


def _operator_there() -> bool:
    return Organization.objects.filter(is_operator=True).exists()


def pay(
    invoice: Invoice, amount: str = "", *, method: PaymentMethod = PaymentMethod.STRIPE, at: datetime = APRIL
) -> None:
    """The tenant pays, by card unless told otherwise, the whole unless told otherwise."""
    record_payment(
        invoice_id=invoice.id,
        method=method,
        reference=f"pay-{new_id()}",
        amount=Decimal(amount) if amount else invoice.total,
        currency=invoice.currency,
        received_at=at,
        now=at,
    )


def broken() -> list[str]:
    """The checks of the ledger and of statements that do not hold."""
    every = {**ledger.CHECKS, **checks.CHECKS}
    return [name for name, check in every.items() if list(check()[1])]
