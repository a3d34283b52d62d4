"""Books with something in them: an invoice with a fee, its payment, and prepaid credit, all of one provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.payments import PaymentMethod, record_payment
from billing.rating.credit import CreditWording, Grant
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.factories import make_organization

if TYPE_CHECKING:
    from billing.models import Invoice
    from tenants.models import Organization

PAID_AT = datetime(2026, 4, 10, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Kept:
    """A provider's books: one tenant, one contract."""

    world: World
    operator: Organization
    invoice: Invoice


def make_kept(operator: Organization | None = None, parties: tuple[Organization, Organization] | None = None) -> Kept:
    """One card for March at 1.00 an hour (744.00, fee 37.20); 30.00 of credit was bought, 700.00 was paid."""
    operator = operator or make_organization("operator", is_operator=True, is_tenant=False)
    world = make_world(parties=parties)
    world.contract.operator_fee_percent = Decimal(5)
    world.contract.save(update_fields=["operator_fee_percent"])
    world.lease(1, price="1", rolled_to_at=APRIL)
    grant = Grant(name="bought", amount=Decimal(30), from_at=APRIL, bought=True)
    add_adjustment(
        contract=world.contract,
        wording=CreditWording(grants=(grant,)),
        from_at=APRIL,
        to_at=None,
        now=MARCH,
        title="Prepaid",
    )
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    record_payment(
        invoice_id=invoice.id,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"transfer {invoice.number}",
        amount=Decimal(700),
        currency="USD",
        received_at=PAID_AT,
        now=PAID_AT,
    )
    return Kept(world, operator, invoice)
