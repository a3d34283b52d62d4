"""What precedes and follows a price version: drafts, and who is told."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.contracts import Contract
from billing.models.prices import PriceBook, PriceVersion
from tenants.ids import new_id
from tenants.models import Organization


class PriceDraft(models.Model):
    """A list of prices that is being written; publishing makes a version of it, and then it stands for good."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    book = models.ForeignKey(PriceBook, models.PROTECT, related_name="drafts")
    effective_at = models.DateTimeField(help_text="from when the prices are to be in force")
    prices = models.JSONField(help_text="rows of billing.rating.price_rows")
    revision = models.PositiveIntegerField(default=1, help_text="rises by one with every change")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200, help_text="user e-mail or API key prefix")
    published = models.OneToOneField(PriceVersion, models.PROTECT, null=True, related_name="draft")

    def __str__(self) -> str:
        return f"draft of {self.book_id} for {self.effective_at:%F}"


class PriceNotice(models.Model):
    """That the tenant of a contract is told of a price version; what it says never changes, only that it was seen."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="notices")
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="price_notices")
    takes_effect_at = models.DateTimeField(null=True, help_text="for this contract; null: it keeps prices of its own")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    seen_by = models.CharField(max_length=200, blank=True, default="", help_text="e-mail of who opened it first")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "contract"], name="price_notice_once"),
            models.CheckConstraint(
                condition=Q(seen_at__isnull=True, seen_by="") | (Q(seen_at__isnull=False) & ~Q(seen_by="")),
                name="price_notice_seen_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.contract_id}"


class PriceMail(models.Model):
    """One letter about a price version to one address; it waits here until it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="mails")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="price_mails")
    address = models.EmailField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="not tried before")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(F("version"), F("tenant"), F("address"), name="price_mail_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="price_mail_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.address}"
