"""Which checks of an invoice are made without being asked for, and that sums of the database judge as sums of rows."""

from __future__ import annotations

import pytest
from django.db import connection

from billing.models import Invoice, InvoiceEvidence
from billing.queries import invoice_detail
from billing.queries.invoice_checks import adds_up, charged_of, sums_of
from billing.queries.invoice_detail import Asked
from tests.billing.queries.test_invoice_detail import make_invoice
from tests.billing.world import Shared, World
from tests.kept import kept

pytestmark = pytest.mark.django_db
ALL = {"adds_up": True, "same_as_dashboard": True, "priced_by_date": True, "sealed": True}

world_and_shared_and_invoice = kept(make_invoice)


def passed(world: World, invoice: Invoice, asked: Asked) -> dict[str, bool | None]:
    detail = invoice_detail(world.tenant, invoice.id, asked)
    assert detail is not None
    return {check.key: check.passed for check in detail.checks}


def test_an_invoice_of_many_parts_is_compared_with_the_usage_page_only_where_that_is_asked_for(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    parts = sums_of(invoice).parts
    for most, expected in ((parts, True), (parts - 1, None), (None, True)):
        assert passed(world, invoice, Asked(0, compared_parts_max=most)) == {**ALL, "same_as_dashboard": expected}


def test_a_long_evidence_file_is_held_to_its_hash_only_where_that_is_asked_for(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    octets = len(InvoiceEvidence.objects.get(invoice=invoice).document.encode())
    for most, expected in ((octets, True), (octets - 1, None), (None, True)):
        assert passed(world, invoice, Asked(0, hashed_bytes_max=most)) == {**ALL, "sealed": expected}
    detail = invoice_detail(world.tenant, invoice.id, Asked(0, hashed_bytes_max=1))
    assert detail is not None
    assert detail.sha256 == invoice.evidence.sha256


def test_an_invoice_without_evidence_does_not_pass(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    change("billing_invoiceevidence", "DELETE FROM billing_invoiceevidence")
    for most in (1, None):
        assert passed(world, invoice, Asked(0, hashed_bytes_max=most)) == {**ALL, "sealed": False}


def test_sums_are_those_of_the_rows(world_and_shared_and_invoice: tuple[World, Shared, Invoice]) -> None:
    world, _, invoice = world_and_shared_and_invoice
    detail, sums = invoice_detail(world.tenant, invoice.id), sums_of(invoice)
    assert detail is not None
    lines = [line for group in detail.groups for line in group.lines]
    parts = [part for line in lines for part in line.sublines]
    assert (sums.lines, sums.parts) == (len(lines), len(parts))
    assert sums.amount == sum(line.amount for line in lines) == invoice.subtotal
    assert sums.by_group == {group.heading: sum(line.amount for line in group.lines) for group in detail.groups}
    assert sums.exact == sum(line.exact_amount for line in lines)
    assert sums.parts_exact == sum(part.exact_amount for part in parts)
    assert sum(charge.amount for charge in charged_of(invoice)) == sums.exact
    assert sums.furthest == max(abs(line.amount - line.exact_amount) for line in lines)


@pytest.mark.parametrize(("off", "expected"), [("0.004", True), ("-0.004", True), ("0.006", False), ("-0.006", False)])
def test_no_line_lies_further_from_its_exact_amount_than_half_a_cent(
    off: str, expected: bool, world_and_shared_and_invoice: tuple[World, Shared, Invoice]
) -> None:
    """Charges, parts and line moved alike: what is left is how far the line was rounded."""
    _, _, invoice = world_and_shared_and_invoice
    line = invoice.lines.order_by("position")[0]
    charge = invoice.period.charges.order_by("pk")[0]
    part = line.sublines.order_by("position")[0]
    assert line.amount == line.exact_amount
    for table, column, key in (
        ("billing_invoiceline", "exact_amount", line.pk),
        ("billing_invoicesubline", "exact_amount", part.pk),
        ("billing_charge", "amount", charge.pk),
    ):
        change(table, f"UPDATE {table} SET {column} = {column} + %s WHERE id = %s", off, str(key))
    check = adds_up(invoice, sums_of(invoice), charged_of(invoice), count_records=True)
    assert check.passed is expected
    assert check.facts["records"] == "1000"


def change(table: str, statement: str, *params: str) -> None:
    """Forge rows behind the guards' backs."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, params)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
