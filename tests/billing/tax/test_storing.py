"""Taxes are frozen with their invoice: the database refuses change, and an invoice whose taxes do not add up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, transaction

from billing.charging import ensure_periods
from billing.models import Invoice, InvoiceLineTax, InvoiceTax
from tests.billing.tax.taxed import charges_tax, exempts, issued, own_rate, stands, two_leases
from tests.billing.world import MARCH
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def invoice(cast: Cast) -> Invoice:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    return issued(two_leases(cast))


def refused(statement: str, match: str) -> None:
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match=match), transaction.atomic():
        cursor.execute(statement)


def test_each_line_has_its_rate_and_its_part(invoice: Invoice) -> None:
    [rate] = InvoiceTax.objects.all()
    parts = list(InvoiceLineTax.objects.order_by("line__position").values_list("line__amount", "rate", "tax"))
    assert parts == [
        (Decimal("0.66"), rate.pk, Decimal("0.13")),
        (Decimal("100.00"), rate.pk, Decimal("19.00")),
    ]
    assert (rate.country, rate.source, rate.taxable) == ("DE", "built_in", invoice.subtotal)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_invoicetax SET tax = 0",
        "DELETE FROM billing_invoicelinetax",
        "UPDATE billing_invoicelinetax SET tax = tax + 1",
        "INSERT INTO billing_invoicetax SELECT gen_random_uuid(), 9, category, percent, country, source, reason_code,"
        " reason, taxable, tax, invoice_id FROM billing_invoicetax",
    ],
)
def test_an_issued_invoices_taxes_do_not_change(invoice: Invoice, statement: str) -> None:
    refused(statement, "the invoice of this tax is issued")
    assert invoice.taxes.count() == 1


def test_an_invoice_whose_taxes_do_not_add_up_is_not_issued(cast: Cast) -> None:
    world = two_leases(cast)
    ensure_periods(contract=world.contract, now=MARCH)
    one = Invoice.objects.create(
        issuer=cast.provider,
        tenant=cast.tenant,
        contract=world.contract,
        period=world.period(),
        kind="lease",
        currency="EUR",
        updated_at=MARCH,
    )
    issue = f"state = 'issued', issued_at = now(), number = 'T-1', tax = 5, total = 5 WHERE id = '{one.pk}'"
    refused(f"UPDATE billing_invoice SET {issue}", "invoice T-1 has tax 5.*by rate 0, by line 0")


def test_what_providers_say_is_kept(cast: Cast) -> None:
    charges_tax(cast.provider)
    own_rate(cast.provider, "US", "5", date(2026, 1, 1))
    exempts(cast.provider, cast.tenant, date(2026, 1, 1))
    for table in ("billing_taxsettings", "billing_taxrate"):
        refused(f"UPDATE {table} SET created_by = 'x'", f"append-only table {table}")
        refused(f"DELETE FROM {table}", f"append-only table {table}")
    table = "billing_taxexemption"
    refused(f"UPDATE {table} SET reason = 'x'", table)
    refused(f"DELETE FROM {table}", table)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET to_on = '2026-06-01'")
    refused(f"UPDATE {table} SET to_on = '2026-07-01'", table)
    refused(
        "INSERT INTO billing_taxrate SELECT gen_random_uuid(), country, buyers, 'Z', 5, '', '', from_on, now(), 'x',"
        " provider_id FROM billing_taxrate",
        "tax_rate_fits_its_category",
    )
