"""Invoices of several contracts of one tenant with one provider, asked for together."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.invoices import Invoice
from tenants.ids import new_id
from tenants.models import Organization


class TogetherRule(models.Model):
    """Whether a provider asks one tenant for the invoices of all its contracts together."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    is_on = models.BooleanField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "tenant"], name="together_rule_once")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.tenant_id} {self.is_on}"


class CollectiveSequence(models.Model):
    """The next number of an issuer's collective invoices; its row is locked while one is made."""

    issuer = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="+")
    prefix = models.CharField(max_length=24)
    next_number = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.prefix}{self.next_number}"


class CollectiveQuerySet(models.QuerySet["Collective"]):
    """Words for choosing collective invoices."""

    def for_org(self, organization: Organization) -> CollectiveQuerySet:
        """Those that `organization` owes or issued."""
        return self.filter(Q(tenant=organization) | Q(issuer=organization))


class Collective(models.Model):
    """A demand for several invoices: one number, one sum, one due date, one reference. Append-only.

    What is owed, booked, taxed and corrected are its parts; this adds nothing to any of it. `total` is what they had
    left to pay as it was made.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=40)
    issuer = models.ForeignKey(Organization, models.PROTECT, related_name="collectives_issued")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="collectives")
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=38, decimal_places=4)
    issued_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="the latest of its parts' due dates")

    objects = CollectiveQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "number"], name="collective_number_once"),
            models.CheckConstraint(condition=Q(total__gt=0), name="collective_of_something"),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "-issued_at"], name="collective_by_tenant")]

    def __str__(self) -> str:
        return self.number


class CollectivePart(models.Model):
    """An invoice of a collective invoice, and what it had left to pay then. Append-only; an invoice is in one."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="collective_part")
    collective = models.ForeignKey(Collective, models.PROTECT, related_name="parts")
    position = models.PositiveIntegerField()
    amount = models.DecimalField(max_digits=38, decimal_places=4)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["collective", "position"], name="collective_part_position"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="collective_part_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.collective_id} {self.position}"
