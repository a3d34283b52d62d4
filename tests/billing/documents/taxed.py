"""An issued invoice with frozen parties and two rates of tax."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from billing.ledger import Entry, post
from billing.models import AccountKind, Invoice, InvoiceLineTax, InvoiceTax
from billing.tax.parties import freeze_parties
from tenants.profiles import ProfileFields, ensure_profiles, keep_profile
from tests.billing.issued import ISSUED_AT, Line, make_draft, make_parties


@transaction.atomic
def taxed_invoice(*, exempt: bool = True, language: str = "en") -> Invoice:
    """100.00 EUR at 19 % and 50.00 exempt: 169.00, booked; or the first line alone."""
    parties = make_parties()
    kinds = (("S", 19, "", 100, 19), ("E", 0, "Exempt by law.", 50, 0))[: 2 if exempt else 1]
    lines, subtotal = tuple(Line(f"{taxable}.00") for *_rate, taxable, _tax in kinds), sum(one[3] for one in kinds)
    draft = make_draft(lines, provider=parties[0], tenant=parties[1], currency="EUR")
    rates = [
        InvoiceTax.objects.create(
            invoice=draft,
            position=position,
            category=category,
            percent=percent,
            source="built_in",
            reason=reason,
            taxable=taxable,
            tax=tax,
        )
        for position, (category, percent, reason, taxable, tax) in enumerate(kinds, 1)
    ]
    for line, rate in zip(draft.lines.order_by("position"), rates, strict=True):
        InvoiceLineTax.objects.create(line=line, rate=rate, tax=rate.tax)
    for organization, vat_id in zip(parties, ("DE136695976", "FR40303265045"), strict=True):
        given = ProfileFields(
            legal_name=organization.name, country=vat_id[:2], email="a@b.example", vat_id=vat_id, language=language
        )
        keep_profile(organization=organization, given=given, by="x@y.example", now=ISSUED_AT)
    freeze_parties(draft, ensure_profiles(parties, ISSUED_AT))
    totals = {"subtotal": subtotal, "tax": 19, "total": subtotal + 19}
    Invoice.objects.filter(pk=draft.pk).update(
        number="X-2", state="issued", issued_at=ISSUED_AT, due_at=ISSUED_AT, **totals
    )
    post(
        key=f"invoice:{draft.pk}:issued",
        cause="invoice",
        cause_id=draft.pk,
        memo="Invoice issued",
        at=ISSUED_AT,
        entries=(
            Entry(draft.tenant_id, AccountKind.TENANT_RECEIVABLE, "EUR", Decimal(subtotal + 19)),
            Entry(draft.issuer_id, AccountKind.PROVIDER_PAYABLE, "EUR", Decimal(-subtotal)),
            Entry(draft.issuer_id, AccountKind.TAX_PAYABLE, "EUR", Decimal(-19)),
        ),
    )
    return Invoice.objects.get(pk=draft.pk)
