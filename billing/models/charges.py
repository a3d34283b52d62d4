"""Charges: usage or time × price version, exact, append-only; and usage that has no price."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from billing.models.contracts import BillingPeriod
from billing.models.prices import PriceVersion
from tenants.ids import new_id


class Charge(models.Model):
    """A booked difference of one rated line: charges of a line sum to what the line is worth. Append-only.

    `amount` and `base_amount` are exact (18 decimals); nothing is rounded before the invoice line.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="charges", db_index=False)
    line_key = models.CharField(max_length=300, help_text="what the rated line is about; stable between runs")
    seq = models.PositiveIntegerField(help_text="1, 2, 3 … within the line")
    contract_version = models.PositiveIntegerField()
    term_kind = models.CharField(max_length=16, help_text="kind of term: lease, token_share and so on")
    term_ref = models.CharField(max_length=32)
    rule = models.CharField(max_length=64)
    price_version = models.ForeignKey(PriceVersion, models.PROTECT, null=True, related_name="charges")
    model = models.CharField(max_length=200, help_text="served model, or accelerator model of a lease")
    token_class = models.CharField(max_length=16, blank=True, default="")
    context_over = models.PositiveIntegerField(
        default=0, db_default=0, help_text="threshold of the tier, in input tokens of a request; 0: no tier"
    )
    day = models.DateField(help_text="day in the contract's time zone")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    quantity = models.DecimalField(max_digits=40, decimal_places=6)
    unit = models.CharField(max_length=16, help_text="tokens or gpu_seconds")
    unit_price = models.DecimalField(max_digits=38, decimal_places=18)
    unit_price_unit = models.CharField(max_length=16, help_text="per_mtok or per_gpu_hour")
    base_amount = models.DecimalField(max_digits=50, decimal_places=18, help_text="before the share")
    amount = models.DecimalField(max_digits=50, decimal_places=18, help_text="what is owed")
    quality = models.JSONField(help_text="quantity by quality of this difference's line at the time")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["period", "line_key", "seq"], name="charge_once")]
        indexes: ClassVar = [
            # A list of leases says what was charged for each over all its days, which is read from here alone.
            models.Index(
                fields=["period", "term_ref"],
                include=["amount"],
                condition=models.Q(term_kind="lease"),
                name="charge_of_leases",
            )
        ]

    def __str__(self) -> str:
        return f"{self.line_key} {self.amount}"


class UnpricedUsage(models.Model):
    """Usage that no price is in force for: it waits here, visible to both parties, until a price is found."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="unpriced")
    term_ref = models.CharField(max_length=32)
    model = models.CharField(max_length=200)
    token_class = models.CharField(max_length=16, blank=True, default="")
    quantity = models.DecimalField(max_digits=40, decimal_places=6)
    unit = models.CharField(max_length=16)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["period", "term_ref", "model", "token_class"], name="unpriced_usage_once")
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.token_class} {self.quantity}"
