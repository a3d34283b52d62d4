"""Invoices bear the taxes that both parties' profiles and the provider's rates give, and wait where none is known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.agreeing import add_adjustment
from billing.closing import CloseState, close_period
from billing.ledger import balances
from billing.models import AccountKind, Invoice, InvoiceTax, PeriodCarry
from billing.rating.credit import CreditWording, Grant
from billing.tax.deciding import rates_of, settings_of, tax_basis
from billing.tax_rules.deciding import Method
from billing.tax_rules.treatments import Category, Source, Treatment
from billing.tax_rules.working_out import UNTAXED_REASON, Nature
from tenants.profiles import profile_of
from tests.billing.tax.taxed import VAT_IDS, charges_tax, closed, exempts, issued, own_rate, stands, two_leases
from tests.billing.world import APRIL, MARCH, make_world

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAID = Treatment(Category.EXEMPT, Decimal(0), "DE", Source.BUILT_IN, reason=UNTAXED_REASON[Nature.PAYMENT])


def rates(invoice: Invoice) -> list[tuple[str, str, str, str]]:
    return [
        (one.category, f"{one.percent.normalize():f}", f"{one.taxable:.2f}", f"{one.tax:.2f}")
        for one in InvoiceTax.objects.filter(invoice=invoice).order_by("position")
    ]


def test_a_provider_that_never_said_charges_no_tax(cast: Cast) -> None:
    invoice = issued(two_leases(cast))
    assert (invoice.subtotal, invoice.tax, invoice.total) == (Decimal("100.66"), Decimal(0), Decimal("100.66"))
    assert rates(invoice) == [("O", "0", "100.66", "0.00")]
    assert settings_of(cast.provider.pk).version == 0


def test_tax_of_one_country_is_on_the_invoice_and_owed_in_the_books(cast: Cast) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "DE")
    invoice = issued(two_leases(cast))
    assert rates(invoice) == [("S", "19", "100.66", "19.13")]
    assert (invoice.tax, invoice.total) == (Decimal("19.13"), Decimal("119.79"))
    assert sum(line.taxed.tax for line in invoice.lines.all()) == invoice.tax
    owed = balances(organization_id=cast.provider.pk)
    assert owed[AccountKind.TAX_PAYABLE, "EUR"] == Decimal("-19.13")
    assert owed[AccountKind.PROVIDER_PAYABLE, "EUR"] == Decimal("-100.66")
    assert balances(organization_id=cast.tenant.pk)[AccountKind.TENANT_RECEIVABLE, "EUR"] == Decimal("119.79")


@pytest.mark.parametrize(
    ("country", "vat_id", "expected"),
    [
        ("FR", VAT_IDS["FR"], ("AE", "0", "100.66", "0.00")),
        ("FR", "", ("S", "20", "100.66", "20.13")),
        ("US", "", ("G", "0", "100.66", "0.00")),
    ],
)
def test_the_buyers_country_and_vat_id_decide(
    cast: Cast, country: str, vat_id: str, expected: tuple[str, str, str, str]
) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, country, vat_id=vat_id)
    assert rates(issued(two_leases(cast))) == [expected]


def test_a_rate_that_changes_within_the_period_divides_the_lines(cast: Cast) -> None:
    charges_tax(cast.provider)
    own_rate(cast.provider, cast.tenant.country, "10", date(2026, 3, 1))
    own_rate(cast.provider, cast.tenant.country, "20", date(2026, 3, 6))
    world = two_leases(cast)  # both over on the 5th
    world.lease(1, from_at=MARCH, to_at=APRIL, price="1.00", rolled_to_at=APRIL)
    invoice = issued(world)
    assert sorted(rates(invoice)) == [("S", "10", "100.66", "10.07"), ("S", "20", "744.00", "148.80")]
    assert [rate.percent for rate in rates_of(cast.provider)] == [10, 20]


def test_where_no_rate_is_known_the_period_waits_and_closes_once_there_is_one(cast: Cast) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "US")
    stands(cast.tenant, "US")
    world = two_leases(cast)
    waits = closed(world)
    assert waits.state is CloseState.WAITING
    assert waits.waiting_for == ({"kind": "tax_rate", "country": "US", "on": "2026-03-05"},)
    assert not Invoice.objects.exists()
    own_rate(cast.provider, "US", "8.875", date(2026, 1, 1))
    invoice = issued(world)
    assert rates(invoice) == [("S", "8.875", "100.66", "8.93")]


def test_a_certificate_exempts_its_tenant_on_its_days(cast: Cast) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    exempts(cast.provider, cast.outsider, date(2026, 1, 1))
    exempts(cast.provider, cast.tenant, date(2026, 3, 5), date(2026, 3, 6))
    invoice = issued(two_leases(cast))
    assert rates(invoice) == [("E", "0", "100.66", "0.00")]
    assert InvoiceTax.objects.get().reason == "diplomatic mission (C-1)"


@pytest.mark.parametrize(("bought", "tax"), [(True, "19.13"), (False, "9.63")])
def test_bought_credit_pays_and_given_credit_takes_off(cast: Cast, bought: bool, tax: str) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    world = two_leases(cast)
    add_adjustment(
        contract=world.contract,
        wording=CreditWording(grants=(Grant(name="sample", amount=Decimal(50), from_at=MARCH, bought=bought),)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Prepaid",
    )
    invoice = issued(world)
    assert (invoice.subtotal, str(invoice.tax.normalize())) == (Decimal("50.66"), tax)


def test_what_is_brought_forward_takes_its_tax_off_unless_it_was_carried_without(cast: Cast) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    world = make_world(parties=(cast.provider, cast.tenant), currency="EUR")
    world.lease(1, from_at=MARCH, price="1.00", rolled_to_at=APRIL)
    first = issued(world)
    assert rates(first) == [("S", "19", "744.00", "141.36")]
    basis = tax_basis(profile_of(cast.provider), profile_of(cast.tenant), brought=PAID)
    assert (basis.method, basis.brought_untaxed, basis.brought) == (Method.RULES, True, None)
    PeriodCarry.objects.create(
        period=first.period, term_ref=world.contract.number, name="credit_amount", value=Decimal("100.00")
    )
    may = APRIL.replace(month=5)
    for node in world.nodes:
        world.rolled(node, may)
    second = close_period(period_id=world.period(APRIL).pk, now=may).invoice
    assert second is not None
    # No line of March was carried without tax, so this comes off what is supplied.
    assert rates(second) == [("S", "19", "620.00", "117.80")]
