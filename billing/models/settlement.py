"""Collecting an issued invoice: its steps, Stripe intents and events, payments."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.models.invoices import Invoice
from tenants.ids import new_id
from tenants.models import Organization


class SettlementState(models.TextChoices):
    """The next step of an issued invoice's collection."""

    CUSTOMER = "customer", "make the customer"
    DRAFT = "draft", "make the draft"
    LINES = "lines", "add the lines"
    GUARD = "guard", "compare the totals"
    FINALIZE = "finalize", "finalize"
    COLLECT = "collect", "collect"
    WAIT = "wait", "wait for the payment"
    ACTION = "action", "wait for the card holder's consent"
    PAID = "paid", "paid"
    BELOW_MINIMUM = "below_minimum", "below the smallest charge, carried in our books"
    BY_HAND = "by_hand", "payable by bank transfer"
    GATHERING = "gathering", "waits for the other invoices of its collective invoice"
    TOGETHER = "together", "asked for by the last invoice of its collective invoice"
    FAILED = "failed", "failed, needs a person"


class Settlement(models.Model):
    """How far the collection of an issued invoice has come. Swept: a row whose `next_try_at` has come is worked on."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="settlement")
    state = models.CharField(max_length=16, choices=SettlementState.choices)
    stripe_invoice_id = models.CharField(max_length=64, blank=True, default="")
    hosted_url = models.CharField(max_length=500, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1, help_text="raised when a draft had to be thrown away")
    last_error = models.CharField(max_length=500, blank=True, default="")
    next_try_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["state", "next_try_at"], name="settlement_due")]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.state}"


class IntentState(models.TextChoices):
    """What became of a call."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class StripeIntent(models.Model):
    """A call to Stripe, stored with its idempotency key before it is made and with its result after."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=200, unique=True, help_text="the Idempotency-Key sent")
    step = models.CharField(max_length=24)
    subject_id = models.UUIDField(help_text="the invoice or organization it is about")
    state = models.CharField(max_length=8, choices=IntentState.choices, default=IntentState.PENDING)
    result = models.JSONField(null=True)
    error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class StripeRate(models.Model):
    """When the next call to an endpoint of Stripe may be made; moved on by each call (`billing.stripe_pacing`)."""

    endpoint = models.CharField(primary_key=True, max_length=200)
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.endpoint


class StripeCustomer(models.Model):
    """An organization's customer at Stripe."""

    organization = models.OneToOneField(Organization, models.PROTECT, primary_key=True, related_name="stripe_customer")
    customer_id = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.customer_id


class StripeEvent(models.Model):
    """A webhook as received, by its unique id. A worker fetches the object it names and applies what is forward."""

    event_id = models.CharField(max_length=64, primary_key=True)
    type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    payload = models.JSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["received_at"],
                condition=Q(processed_at__isnull=True),
                name="stripe_event_unprocessed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Payment(models.Model):
    """Money received for an invoice. Append-only; `reference` makes a second record of the same money impossible."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments")
    method = models.CharField(max_length=16, help_text="stripe or bank_transfer")
    reference = models.CharField(max_length=200, unique=True)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    currency = models.CharField(max_length=3)
    received_at = models.DateTimeField()
    changed_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="when the row was last written, by the database's own clock"
    )

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(amount__gt=0), name="payment_positive")]
        indexes: ClassVar = [models.Index(fields=["changed_at", "id"], name="payment_by_change")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class PaymentReversal(models.Model):
    """Money of a payment that did not stay: matched to the wrong invoice, sent back, charged back. Append-only.

    The database refuses to take back more than came. `reference` makes a second record of the same event impossible.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="reversals")
    reference = models.CharField(max_length=200, unique=True)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200, help_text="user e-mail, API key prefix or job name")
    reversed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(amount__gt=0), name="payment_reversal_positive")]

    def __str__(self) -> str:
        return f"{self.amount} of {self.payment_id}"
