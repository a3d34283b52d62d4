"""Checkpoints of the ledger: what every account stood at, so that a balance need not sum all of the past."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from billing.models.ledger import LedgerAccount
from tenants.ids import new_id
from tenants.models import Organization


class LedgerCheckpoint(models.Model):
    """The sums of every entry up to one, in the order of their ids. Append-only; no entry comes in behind it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    taken_at = models.DateTimeField()
    to_entry = models.UUIDField(unique=True, help_text="entries with this id or a smaller one are summed")
    latest_at = models.DateTimeField(help_text="the latest instant that a summed entry was posted for")

    def __str__(self) -> str:
        return self.taken_at.isoformat()


class CheckpointBalance(models.Model):
    """What one account stood at in one book. Append-only."""

    checkpoint = models.ForeignKey(LedgerCheckpoint, models.PROTECT, related_name="balances")
    account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="+")
    provider = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+")
    debit = models.DecimalField(max_digits=38, decimal_places=4)
    credit = models.DecimalField(max_digits=38, decimal_places=4, help_text="without its sign")
    entries = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["checkpoint", "account", "provider"], nulls_distinct=False, name="checkpoint_balance_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.debit - self.credit}"
