"""Amounts that are put on the next bill: corrections upward and late fees, linked to the invoice they are about."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.dunning import DunningStep
from billing.models.invoices import Invoice, InvoiceLine
from billing.models.terms import Term
from tenants.ids import new_id


class DebitCause(models.TextChoices):
    """Why more is owed."""

    CORRECTION = "correction", "an invoice came to too little"
    LATE_FEE = "late_fee", "an invoice was not paid when it was due"


class Debit(models.Model):
    """An amount of which an invoice gave cause, owed by a term of its contract. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="debits")
    line = models.ForeignKey(InvoiceLine, models.PROTECT, null=True, related_name="debits")
    term = models.OneToOneField(Term, models.PROTECT, related_name="debit", help_text="what bills it")
    cause = models.CharField(max_length=12, choices=DebitCause.choices)
    amount = models.DecimalField(max_digits=38, decimal_places=4, help_text="before tax")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=200)
    step = models.OneToOneField(DunningStep, models.PROTECT, null=True, related_name="debit")
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(amount__gt=0), name="debit_of_something")]
        indexes: ClassVar = [models.Index(fields=["invoice", "at"], name="debit_by_invoice")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.cause}"


class DebitTakenBack(models.Model):
    """A debit that was taken back before it was billed. Append-only."""

    debit = models.OneToOneField(Debit, models.PROTECT, primary_key=True, related_name="taken_back")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.debit_id} {self.at:%F}"
