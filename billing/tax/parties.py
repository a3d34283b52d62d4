"""Freezing who stands on an invoice: the versions of both parties' billing profiles in force as it is issued."""

from collections.abc import Mapping
from uuid import UUID

from billing.models import Invoice, InvoiceParties
from tenants.models import BillingProfile


def freeze_parties(invoice: Invoice, profiles: Mapping[UUID, BillingProfile]) -> InvoiceParties:
    """Keep who stands on an invoice, in the transaction that issues it; `profiles` are by organization."""
    made = parties_row(invoice, profiles)
    made.save(force_insert=True)
    return made


def parties_row(invoice: Invoice, profiles: Mapping[UUID, BillingProfile]) -> InvoiceParties:
    """Return the row of who stands on an invoice, to be stored with it."""
    return InvoiceParties(invoice=invoice, seller=profiles[invoice.issuer_id], buyer=profiles[invoice.tenant_id])
