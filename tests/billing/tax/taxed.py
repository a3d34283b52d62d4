"""A provider and a tenant with profiles in two countries, and invoices between them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.charging import ensure_periods
from billing.closing import Closed, close_period
from billing.models import Invoice, TaxExemption, TaxRate, TaxSettings
from billing.tax_rules.deciding import Buyers, Method
from tenants.profiles import ProfileFields, keep_profile
from tests.billing.world import APRIL, HOUR, MARCH, World, make_world

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
VAT_IDS = {"DE": "DE136695976", "FR": "FR40303265045", "AT": "ATU13585627"}


def stands(organization: Organization, country: str, *, vat_id: str = "", name: str = "Sample") -> None:
    """Keep a profile of an organization."""
    fields = ProfileFields(legal_name=name, country=country, email="bills@sample.example", vat_id=vat_id)
    keep_profile(organization=organization, given=fields, by="sample", now=MARCH)


def charges_tax(provider: Organization, method: Method = Method.RULES, **more: Any) -> TaxSettings:
    return TaxSettings.objects.create(
        provider=provider,
        version=TaxSettings.objects.filter(provider=provider).count() + 1,
        method=method,
        created_at=MARCH,
        created_by="sample",
        **more,
    )


def own_rate(provider: Organization, country: str, percent: str, on: date, category: str = "S") -> TaxRate:
    return TaxRate.objects.create(
        provider=provider,
        country=country,
        buyers=Buyers.ALL,
        category=category,
        percent=Decimal(percent),
        from_on=on,
        created_at=MARCH,
        created_by="sample",
    )


def exempts(provider: Organization, tenant: Organization, from_on: date, to_on: date | None = None) -> TaxExemption:
    return TaxExemption.objects.create(
        provider=provider,
        tenant=tenant,
        reference="C-1",
        reason="diplomatic mission",
        from_on=from_on,
        to_on=to_on,
        created_at=MARCH,
        created_by="sample",
    )


def two_leases(cast: Cast, *, currency: str = "EUR") -> World:
    """Two hours of one card at 0.33 and one at 100.00 in March."""
    world = make_world(parties=(cast.provider, cast.tenant), currency=currency)
    world.lease(1, from_at=NOON, to_at=NOON + 2 * HOUR, price="0.33", rolled_to_at=APRIL)
    world.lease(1, from_at=NOON, to_at=NOON + HOUR, price="100.00", rolled_to_at=APRIL)
    return world


def closed(world: World) -> Closed:
    ensure_periods(contract=world.contract, now=MARCH)
    return close_period(period_id=world.period().pk, now=APRIL)


def issued(world: World) -> Invoice:
    invoice = closed(world).invoice
    assert invoice is not None
    return invoice
