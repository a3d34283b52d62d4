"""Refunds, and questions of tenants about what they were billed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.corrections import BalanceAccount, CreditNote
from billing.models.invoices import Invoice, InvoiceLine
from billing.models.settlement import Payment
from billing.models.topups import TopUp
from tenants.ids import new_id
from tenants.models import Organization


class CorrectionPolicy(models.Model):
    """How a provider deals with corrections; one that never said so has the defaults."""

    provider = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="correction_policy")
    disputes_pause_dunning = models.BooleanField(
        default=True, help_text="whether an open question stops reminders and what follows them"
    )
    applies_balances = models.BooleanField(
        default=True, help_text="whether a tenant's balance pays its next invoices by itself"
    )

    def __str__(self) -> str:
        return str(self.provider_id)


class RefundMethod(models.TextChoices):
    """Which way money goes back."""

    CARD = "card", "to the card that paid"
    BANK_TRANSFER = "bank_transfer", "by bank transfer"


class RefundState(models.TextChoices):
    """Where a refund stands; it only goes forward."""

    PENDING = "pending", "to be sent"
    SENT = "sent", "on its way"
    DONE = "done", "arrived"
    FAILED = "failed", "came back to the balance"


class Refund(models.Model):
    """Money of a tenant's balance on its way back. What it is about never changes; its state only goes forward."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(BalanceAccount, models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    method = models.CharField(max_length=16, choices=RefundMethod.choices)
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="refunds")
    top_up = models.ForeignKey(
        TopUp,
        models.PROTECT,
        null=True,
        related_name="refunds",
        help_text="the purchase of credit whose card it goes to",
    )
    reason = models.CharField(max_length=500)
    requested_by = models.CharField(max_length=200, help_text="user e-mail, API key prefix or job name")
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=RefundState.choices, default=RefundState.PENDING)
    reference = models.CharField(max_length=200, blank=True, default="", help_text="of the bank, or Stripe's refund")
    last_error = models.CharField(max_length=500, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_positive"),
            models.CheckConstraint(
                condition=Q(method="card", payment__isnull=False, top_up__isnull=True)
                | Q(method="card", payment__isnull=True, top_up__isnull=False)
                | Q(method="bank_transfer", payment__isnull=True, top_up__isnull=True),
                name="refund_to_the_card_that_paid",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["state", "next_try_at"], name="refund_due")]

    def __str__(self) -> str:
        return f"{self.amount} {self.state}"


class DisputeState(models.TextChoices):
    """Where a tenant's question stands."""

    OPEN = "open", "open"
    CREDITED = "credited", "credited"
    UPHELD = "upheld", "the invoice stands"
    WITHDRAWN = "withdrawn", "withdrawn"


class DisputeQuerySet(models.QuerySet["Dispute"]):
    """Words for choosing disputes."""

    def for_org(self, organization: Organization) -> DisputeQuerySet:
        """Disputes that `organization` opened or must answer."""
        return self.filter(Q(tenant=organization) | Q(issuer=organization))


class Dispute(models.Model):
    """A tenant's question about an issued invoice or one of its lines, until it has an outcome."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="disputes")
    line = models.ForeignKey(InvoiceLine, models.PROTECT, null=True, related_name="disputes")
    issuer = models.ForeignKey(Organization, models.PROTECT, related_name="disputes_to_answer")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="disputes")
    pauses_dunning = models.BooleanField(help_text="as the issuer's policy was when it was opened")
    opened_by = models.CharField(max_length=200, help_text="user e-mail or API key prefix")
    opened_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=DisputeState.choices, default=DisputeState.OPEN)
    credit_note = models.OneToOneField(CreditNote, models.PROTECT, null=True, related_name="dispute")
    resolved_by = models.CharField(max_length=200, blank=True, default="")
    resolved_at = models.DateTimeField(null=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice", "line"],
                condition=Q(state="open"),
                nulls_distinct=False,
                name="one_open_dispute_of_a_line",
            ),
            models.CheckConstraint(
                condition=Q(state="open", resolved_at__isnull=True) | (~Q(state="open") & Q(resolved_at__isnull=False)),
                name="dispute_resolved_once_over",
            ),
            models.CheckConstraint(
                condition=Q(state="credited", credit_note__isnull=False)
                | (~Q(state="credited") & Q(credit_note__isnull=True)),
                name="dispute_credited_by_a_note",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-opened_at"], name="dispute_by_tenant"),
            models.Index(fields=["issuer", "-opened_at"], name="dispute_by_issuer"),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.state}"


class DisputeSide(models.TextChoices):
    """Who writes."""

    TENANT = "tenant"
    PROVIDER = "provider"


class DisputeMessage(models.Model):
    """What a side wrote about a dispute. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="messages")
    side = models.CharField(max_length=8, choices=DisputeSide.choices)
    author = models.CharField(max_length=200, help_text="user e-mail or API key prefix")
    text = models.CharField(max_length=4000)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.side} {self.at}"
