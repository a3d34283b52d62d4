"""What came late for closed periods, and what each issuer wants of its closing."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.contracts import BillingPeriod
from billing.models.invoices import Invoice, InvoiceLine
from tenants.ids import new_id
from tenants.models import Organization

BACK_BILLING_MONTHS = 12


class IssuingRule(models.Model):
    """How a provider issues its invoices; what is not stored is as the defaults say."""

    provider = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="issuing_rule")
    back_billing_months = models.PositiveSmallIntegerField(
        null=True,
        default=BACK_BILLING_MONTHS,
        help_text="for how long after a period's end more can be billed of it; null: without end, 0: never",
    )
    approves = models.BooleanField(default=False, help_text="whether invoices wait for a person to approve them")
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"issuing of {self.provider_id}"


class Adjustment(models.Model):
    """What a line of a closed period comes to beside what was billed of it, found at one instant. Append-only.

    `amount` goes on the bill of the period `into`; `withheld` is owed but came too late to be billed. Adjustments of a
    line sum up: the latest is what its rating then gave, less all before.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="adjustments", db_index=False)
    source = models.CharField(max_length=300, help_text="which line of the period; stable between runs")
    seq = models.PositiveIntegerField(help_text="1, 2, 3 … within the line")
    into = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="adjusted_by")
    original = models.ForeignKey(
        InvoiceLine,
        models.PROTECT,
        null=True,
        related_name="adjustments",
        help_text="null: there was no such line",
    )
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="adjustments", help_text="null: the period had none"
    )
    term_kind = models.CharField(max_length=16)
    term_ref = models.CharField(max_length=32)
    model = models.CharField(max_length=200)
    rule = models.CharField(max_length=64)
    about = models.CharField(max_length=300, blank=True, default="")
    unit = models.CharField(max_length=16)
    quantity = models.DecimalField(max_digits=40, decimal_places=6)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    withheld = models.DecimalField(max_digits=38, decimal_places=4, default=0)
    found_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["period", "source", "seq"], name="adjustment_once"),
            models.CheckConstraint(
                condition=~Q(amount=0) | ~Q(withheld=0) | ~Q(quantity=0), name="adjustment_of_something"
            ),
            models.CheckConstraint(condition=~Q(period=models.F("into")), name="adjustment_into_another_period"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.amount}"
