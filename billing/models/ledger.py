"""Double-entry ledger: accounts, postings and their entries. Append-only, balanced by database guard."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tenants.ids import new_id
from tenants.models import Organization


class AccountKind(models.TextChoices):
    """What an account holds; debit is positive."""

    TENANT_RECEIVABLE = "tenant_receivable"
    PREPAID_CREDIT = "prepaid_credit"
    TENANT_BALANCE = "tenant_balance"
    REFUND_IN_TRANSIT = "refund_in_transit"
    GRANTED_CREDIT = "granted_credit"
    DEPOSIT_HELD = "deposit_held"
    PROVIDER_PAYABLE = "provider_payable"
    PAYOUT_IN_TRANSIT = "payout_in_transit"
    OPERATOR_FEE = "operator_fee"
    TAX_PAYABLE = "tax_payable"
    SLA_CREDITS = "sla_credits"
    WRITE_OFF = "write_off"
    STRIPE_CLEARING = "stripe_clearing"
    STRIPE_FEES = "stripe_fees"
    BANK_CLEARING = "bank_clearing"
    BANK_UNMATCHED = "bank_unmatched"
    ROUNDING = "rounding"


NEVER_A_PROVIDERS = frozenset(
    {
        AccountKind.TENANT_RECEIVABLE,
        AccountKind.PREPAID_CREDIT,
        AccountKind.TENANT_BALANCE,
        AccountKind.OPERATOR_FEE,
    }
)
"""Accounts of the parties that a provider's book names beside it: its tenants, and the operator."""


class LedgerAccount(models.Model):
    """One organization's account of a kind in a currency; its balance is the sum of its entries."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=20, choices=AccountKind.choices)
    currency = models.CharField(max_length=3)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "kind", "currency"], name="ledger_account_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.currency}"


class LedgerPosting(models.Model):
    """One balanced event in the books. `key` names its cause, so that posting twice is a no-op. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=200, unique=True, help_text="for example invoice:<id>:issued")
    cause = models.CharField(max_length=16, help_text="invoice, payment, payout, adjustment")
    cause_id = models.UUIDField()
    memo = models.CharField(max_length=200)
    at = models.DateTimeField()
    provider = models.ForeignKey(
        Organization, models.PROTECT, null=True, related_name="+", help_text="in whose book it stands"
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["provider", "at"], name="postings_of_a_book"),
            models.Index(fields=["cause", "cause_id"], name="postings_of_a_cause"),
        ]

    def __str__(self) -> str:
        return self.key


class LedgerEntry(models.Model):
    """One side of a posting: positive is debit. Entries of a posting sum to zero per currency. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    posting = models.ForeignKey(LedgerPosting, models.PROTECT, related_name="entries")
    account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="entries")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=38, decimal_places=4)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(amount=0), name="ledger_entry_not_zero")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
