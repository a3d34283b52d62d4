"""Issued invoices whose lines bear taxes at several rates."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from django.db import transaction

from billing.ledger import Entry, post
from billing.models import AccountKind, Invoice, InvoiceLine, InvoiceLineTax, InvoiceState, InvoiceTax
from billing.money import round_to_minor
from billing.tax_rules.treatments import Category, Source
from tests.billing.issued import ISSUED_AT, Line, make_draft, make_parties


def make_taxed(*lines: tuple[str, str], currency: str = "USD", number: str = "T-1") -> Invoice:
    """An issued and booked invoice of lines by amount and percent; the last line of a rate bears what rounding left."""
    provider, tenant = make_parties()
    draft = make_draft([Line(amount) for amount, _ in lines], provider=provider, tenant=tenant, currency=currency)
    subtotal = round_to_minor(sum((Decimal(amount) for amount, _ in lines), Decimal(0)), currency)
    with transaction.atomic():
        tax = _tax(draft, [percent for _, percent in lines])
        Invoice.objects.filter(pk=draft.pk).update(
            state=InvoiceState.ISSUED,
            number=number,
            subtotal=subtotal,
            tax=tax,
            total=subtotal + tax,
            issued_at=ISSUED_AT,
            due_at=ISSUED_AT + timedelta(days=14),
            updated_at=ISSUED_AT,
        )
        post(
            key=f"invoice:{draft.pk}:issued",
            cause="invoice",
            cause_id=draft.pk,
            memo=f"Invoice {number} issued",
            at=ISSUED_AT,
            entries=[
                Entry(tenant.pk, AccountKind.TENANT_RECEIVABLE, currency, subtotal + tax),
                Entry(provider.pk, AccountKind.PROVIDER_PAYABLE, currency, -subtotal),
                Entry(provider.pk, AccountKind.TAX_PAYABLE, currency, -tax),
            ],
        )
    return Invoice.objects.get(pk=draft.pk)


def _tax(draft: Invoice, percents: list[str]) -> Decimal:
    by_rate: dict[str, list[InvoiceLine]] = defaultdict(list)
    for line, percent in zip(draft.lines.order_by("position"), percents, strict=True):
        by_rate[percent].append(line)
    whole = Decimal(0)
    for position, (percent, lines) in enumerate(sorted(by_rate.items()), 1):
        taxable = sum((line.amount for line in lines), Decimal(0))
        tax = _share(taxable, percent, draft.currency)
        rate = InvoiceTax.objects.create(
            invoice=draft,
            position=position,
            category=Category.STANDARD.value if Decimal(percent) else Category.ZERO.value,
            percent=Decimal(percent),
            source=Source.PROVIDER.value,
            taxable=taxable,
            tax=tax,
        )
        parts = [_share(line.amount, percent, draft.currency) for line in lines[:-1]]
        parts.append(tax - sum(parts, Decimal(0)))
        InvoiceLineTax.objects.bulk_create(
            InvoiceLineTax(line=line, rate=rate, tax=part) for line, part in zip(lines, parts, strict=True)
        )
        whole += tax
    return whole


def _share(amount: Decimal, percent: str, currency: str) -> Decimal:
    return round_to_minor(Fraction(amount) * Fraction(percent) / 100, currency)
