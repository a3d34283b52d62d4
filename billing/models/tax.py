"""Who stands on an invoice, frozen as it is issued."""

from __future__ import annotations

from django.db import models

from billing.models.invoices import Invoice
from tenants.models import BillingProfile


class InvoiceParties(models.Model):
    """The versions of seller's and buyer's billing profiles that an invoice was issued with. Append-only."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="parties")
    seller = models.ForeignKey(BillingProfile, models.PROTECT, related_name="+")
    buyer = models.ForeignKey(BillingProfile, models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.seller_id} to {self.buyer_id}"
