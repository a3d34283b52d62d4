"""Statements to providers: what was booked for them in a month, frozen, and which entries of the ledger that were."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.ledger import LedgerEntry
from tenants.ids import new_id
from tenants.models import Organization


class StatementSequence(models.Model):
    """The next statement number of a provider; its row is locked while a statement is made."""

    provider = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="+")
    next_number = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return str(self.next_number)


class ProviderStatementQuerySet(models.QuerySet["ProviderStatement"]):
    """Words for choosing statements."""

    def for_org(self, organization: Organization) -> ProviderStatementQuerySet:
        """Statements to `organization`."""
        return self.filter(provider=organization)


class ProviderStatement(models.Model):
    """What a provider was owed before a month, what was booked since, and what it is owed after it. Append-only.

    Amounts are above zero where they are owed to the provider. `earned` is net of deposits, fee and tax; `tax` is what
    tenants owe as tax and the provider hands on; `deposit` is what it holds for tenants; `received` is what reached it
    past the operator (its own bank, prepaid credit), below zero; `moved` are corrections and the like; `paid_out` is
    below zero.
    """

    PREFIX: ClassVar = "STM-"
    """What its number begins with; a number follows that counts per provider."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="statements")
    sequence = models.PositiveBigIntegerField(help_text="1, 2, 3 … per provider")
    number = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    month = models.DateField(help_text="its first day")
    made_at = models.DateTimeField()
    opening = models.DecimalField(max_digits=38, decimal_places=4)
    earned = models.DecimalField(max_digits=38, decimal_places=4)
    tax = models.DecimalField(max_digits=38, decimal_places=4)
    deposit = models.DecimalField(max_digits=38, decimal_places=4, default=0, db_default=0)
    received = models.DecimalField(max_digits=38, decimal_places=4, default=0, db_default=0)
    moved = models.DecimalField(max_digits=38, decimal_places=4)
    paid_out = models.DecimalField(max_digits=38, decimal_places=4)
    closing = models.DecimalField(max_digits=38, decimal_places=4)
    document = models.TextField(help_text="canonical JSON, exactly the bytes that were hashed")
    sha256 = models.CharField(max_length=64)

    objects = ProviderStatementQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "sequence"], name="statement_sequence_once"),
            models.UniqueConstraint(fields=["provider", "number"], name="statement_number_once"),
            models.UniqueConstraint(fields=["provider", "currency", "month"], name="statement_month_once"),
            models.CheckConstraint(
                condition=Q(
                    closing=F("opening")
                    + F("earned")
                    + F("tax")
                    + F("deposit")
                    + F("received")
                    + F("moved")
                    + F("paid_out")
                ),
                name="statement_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class StatementEntry(models.Model):
    """An entry of the provider's accounts that a statement is made of: every entry is on one at most. Append-only."""

    entry = models.OneToOneField(LedgerEntry, models.PROTECT, primary_key=True, related_name="statement_entry")
    statement = models.ForeignKey(ProviderStatement, models.PROTECT, related_name="taken")

    def __str__(self) -> str:
        return f"{self.statement_id} {self.entry_id}"
