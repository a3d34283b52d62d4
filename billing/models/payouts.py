"""Payouts: how a provider is paid, what was sent to it, what came back, and its account at Stripe."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.models.statements import ProviderStatement
from tenants.ids import new_id
from tenants.models import Organization


class PayoutMethod(models.TextChoices):
    """How money goes to a provider."""

    BANK = "bank", "bank transfer"
    STRIPE = "stripe", "transfer to its Stripe account"


class PayoutSchedule(models.TextChoices):
    """When what is available is paid out."""

    WITH_STATEMENT = "with_statement", "after each statement"
    WEEKLY = "weekly", "each Monday"
    DAILY = "daily", "each day"


class PayoutTerms(models.Model):
    """How a provider is paid out; its row is locked while a payout of it is made. Amounts are in every currency."""

    provider = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="payout_terms")
    method = models.CharField(max_length=8, choices=PayoutMethod.choices, default=PayoutMethod.BANK)
    schedule = models.CharField(max_length=16, choices=PayoutSchedule.choices, default=PayoutSchedule.WITH_STATEMENT)
    minimum_amount = models.DecimalField(max_digits=38, decimal_places=4, default=0, help_text="less waits")
    hold_days = models.PositiveSmallIntegerField(default=7, help_text="how long card payments are held back")
    reserve_amount = models.DecimalField(max_digits=38, decimal_places=4, default=0, help_text="always held back")
    held_reason = models.CharField(max_length=200, blank=True, default="", help_text="nothing is paid out while set")
    next_number = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(minimum_amount__gte=0, reserve_amount__gte=0), name="payout_terms_amounts"
            )
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.schedule}"


class PayoutState(models.TextChoices):
    """Where a payout stands; it only goes on: in transit, paid or failed, and of paid ones some come back."""

    IN_TRANSIT = "in_transit"
    PAID = "paid"
    FAILED = "failed"
    REVERSED = "reversed"


class PayoutQuerySet(models.QuerySet["Payout"]):
    """Words for choosing payouts."""

    def for_org(self, organization: Organization) -> PayoutQuerySet:
        """Payouts that `organization` gets, or that it makes as the operator."""
        return self if organization.is_operator else self.filter(provider=organization)


class Payout(models.Model):
    """Money sent to a provider. What it is and how much never changes, its state only goes on.

    `next_try_at` is when a transfer is tried next, None: it waits for a person. `reference` is the bank's, or the id
    of the transfer at Stripe.
    """

    PREFIX: ClassVar = "PO-"
    """What its number begins with; a number follows that counts per provider."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="payouts")
    number = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    method = models.CharField(max_length=8, choices=PayoutMethod.choices)
    statement = models.ForeignKey(ProviderStatement, models.PROTECT, null=True, related_name="payouts")
    account_id = models.CharField(max_length=64, blank=True, default="", help_text="at Stripe, where it goes there")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    state = models.CharField(max_length=12, choices=PayoutState.choices, default=PayoutState.IN_TRANSIT)
    reference = models.CharField(max_length=200, blank=True, default="")
    settled_at = models.DateTimeField(null=True, help_text="when it was paid or failed")
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    updated_at = models.DateTimeField()
    changed_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="when the row was last written, by the database's own clock"
    )

    objects = PayoutQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "number"], name="payout_number_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_positive"),
            models.CheckConstraint(
                condition=Q(state="in_transit", settled_at__isnull=True)
                | (~Q(state="in_transit") & Q(settled_at__isnull=False)),
                name="payout_settled_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], condition=Q(state="in_transit"), name="payout_due"),
            models.Index(fields=["provider", "-created_at"], name="payout_by_provider"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def came_back(self) -> Decimal:
        """What of it came back; reads its reversals, which lists prefetch."""
        return sum((each.amount for each in self.reversals.all()), Decimal(0))


class PayoutReversal(models.Model):
    """Part or all of a paid payout that came back. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payout = models.ForeignKey(Payout, models.PROTECT, related_name="reversals")
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    reason = models.CharField(max_length=200)
    reference = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_reversal_positive"),
            models.UniqueConstraint(fields=["payout", "reference"], name="payout_reversal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.payout_id} {self.amount}"


class StripePayee(models.Model):
    """A provider's own account at Stripe, as last seen there."""

    provider = models.OneToOneField(Organization, models.PROTECT, primary_key=True, related_name="stripe_payee")
    account_id = models.CharField(max_length=64, unique=True)
    is_submitted = models.BooleanField(default=False)
    can_receive = models.BooleanField(default=False)
    missing = models.JSONField(default=list, help_text="what Stripe still asks its owner for")
    disabled_reason = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.account_id


class PayoutFile(models.Model):
    """A file of transfers for the operator's bank (ISO 20022 pain.001), as it was made. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=32, unique=True)
    currency = models.CharField(max_length=3)
    transfers = models.PositiveIntegerField()
    control_sum = models.DecimalField(max_digits=38, decimal_places=4)
    body = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    made_by = models.CharField(max_length=200)
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(control_sum__gt=0, transfers__gt=0), name="payout_file_of_something")
        ]

    def __str__(self) -> str:
        return self.number


class PayoutFilePart(models.Model):
    """That a payout is in a file: once. Append-only."""

    payout = models.OneToOneField(Payout, models.PROTECT, primary_key=True, related_name="file_part")
    file = models.ForeignKey(PayoutFile, models.PROTECT, related_name="parts")

    def __str__(self) -> str:
        return f"{self.payout_id} {self.file_id}"
