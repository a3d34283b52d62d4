"""Issued invoices for tests: a draft with its lines, issued as the database guards demand, and booked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from django.db import transaction

from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    BillingPeriod,
    Collection,
    Invoice,
    InvoiceLine,
    InvoiceLineTax,
    InvoiceState,
    InvoiceTax,
    PeriodState,
)
from billing.money import largest_remainder
from billing.tax_rules.treatments import Category, Source
from tenants.models import Organization
from tests.factories import make_contract, make_organization, make_price_book

FROM_AT = datetime(2026, 3, 1, tzinfo=UTC)
TO_AT = datetime(2026, 4, 1, tzinfo=UTC)
ISSUED_AT = datetime(2026, 4, 3, 9, tzinfo=UTC)
_numbers = count(1)


@dataclass(frozen=True)
class Line:
    """One line: what it costs, and which model it is about."""

    amount: str
    model: str = "sample-model"


def make_parties() -> tuple[Organization, Organization]:
    """A provider that issues and a tenant that pays."""
    number = next(_numbers)
    return (
        make_organization(f"issuer-{number}", is_provider=True, is_tenant=False),
        make_organization(f"payer-{number}"),
    )


def make_issued(
    lines: Sequence[Line] = (Line("100.00"), Line("23.45")),
    *,
    parties: tuple[Organization, Organization] | None = None,
    currency: str = "USD",
    collection: Collection = Collection.SEND_INVOICE,
    tax: str = "0",
    issued_at: datetime = ISSUED_AT,
    number: str = "",
) -> Invoice:
    """An issued invoice whose lines sum to its subtotal, booked on the tenant's receivable."""
    provider, tenant = parties or make_parties()
    draft = make_draft(lines, provider=provider, tenant=tenant, currency=currency, collection=collection)
    subtotal = sum((Decimal(line.amount) for line in lines), Decimal(0))
    total = subtotal + Decimal(tax)
    with transaction.atomic():
        if Decimal(tax):
            _tax(draft, subtotal, Decimal(tax))
        Invoice.objects.filter(pk=draft.pk).update(
            state=InvoiceState.ISSUED,
            number=number or f"S-{next(_numbers):06d}",
            subtotal=subtotal,
            tax=Decimal(tax),
            total=total,
            issued_at=issued_at,
            due_at=issued_at + timedelta(days=14),
            updated_at=issued_at,
        )
        if total:
            _book(draft, total, issued_at)
    return Invoice.objects.get(pk=draft.pk)


def _tax(draft: Invoice, subtotal: Decimal, tax: Decimal) -> None:
    """One rate on all lines; the first line bears what rounding leaves."""
    percent = round(tax * 100 / subtotal, 4)
    rate = InvoiceTax.objects.create(
        invoice=draft,
        position=1,
        category=Category.STANDARD.value,
        percent=percent,
        source=Source.PROVIDER.value,
        taxable=subtotal,
        tax=tax,
    )
    lines = list(draft.lines.order_by("position"))
    parts = largest_remainder(tax, [max(line.amount, Decimal(0)) for line in lines], draft.currency)
    InvoiceLineTax.objects.bulk_create(
        InvoiceLineTax(line=line, rate=rate, tax=part) for line, part in zip(lines, parts, strict=True)
    )


def make_draft(
    lines: Sequence[Line],
    *,
    provider: Organization,
    tenant: Organization,
    currency: str = "USD",
    collection: Collection = Collection.SEND_INVOICE,
) -> Invoice:
    """A draft with its lines; totals are still zero."""
    contract = make_contract(provider, tenant, make_price_book(provider, currency=currency))
    contract.collection = collection
    contract.save(update_fields=["collection"])
    period = BillingPeriod.objects.create(
        contract=contract, from_at=FROM_AT, to_at=TO_AT, state=PeriodState.CLOSED, rated_at=TO_AT
    )
    draft = Invoice.objects.create(
        issuer=provider,
        tenant=tenant,
        contract=contract,
        period=period,
        kind="token_share",
        currency=currency,
        updated_at=ISSUED_AT,
    )
    InvoiceLine.objects.bulk_create(_line(draft, position, line) for position, line in enumerate(lines, start=1))
    return draft


def _line(invoice: Invoice, position: int, line: Line) -> InvoiceLine:
    amount = Decimal(line.amount)
    return InvoiceLine(
        invoice=invoice,
        position=position,
        group=line.model,
        description=f"{line.model}, output tokens ({position})",
        term_kind="token_share",
        term_ref="S-0001",
        model=line.model,
        quantity=Decimal(1_000_000),
        unit="tokens",
        unit_price=amount,
        unit_price_unit="per_mtok",
        share_percent=Decimal(100),
        rule="token_share",
        from_at=FROM_AT,
        to_at=TO_AT,
        quality={"A": "1000000"},
        base_amount=amount,
        exact_amount=amount,
        amount=amount,
    )


def _book(invoice: Invoice, total: Decimal, at: datetime) -> None:
    post(
        key=f"invoice:{invoice.pk}:issued",
        cause="invoice",
        cause_id=invoice.pk,
        memo="Invoice issued",
        at=at,
        entries=(
            Entry(invoice.tenant_id, AccountKind.TENANT_RECEIVABLE, invoice.currency, total),
            Entry(invoice.issuer_id, AccountKind.PROVIDER_PAYABLE, invoice.currency, -total),
        ),
    )
