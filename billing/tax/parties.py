"""Freezing who stands on an invoice: the versions of both parties' billing profiles in force as it is issued."""

from datetime import datetime

from billing.models import Invoice, InvoiceParties
from tenants.profiles import ensure_profiles


def freeze_parties(invoice: Invoice, now: datetime) -> InvoiceParties:
    """Keep who stands on an invoice, in the transaction that issues it."""
    profiles = ensure_profiles([invoice.issuer, invoice.tenant], now)
    return InvoiceParties.objects.create(
        invoice=invoice, seller=profiles[invoice.issuer_id], buyer=profiles[invoice.tenant_id]
    )
