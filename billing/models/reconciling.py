"""Comparing our books with Stripe's: its movements, our looks at them, and what differs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.invoices import Invoice
from tenants.ids import new_id


class StripeMovement(models.Model):
    """A change of our balance at Stripe, as Stripe's own books have it. Append-only."""

    id = models.CharField(primary_key=True, max_length=100)
    kind = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    fee = models.DecimalField(max_digits=38, decimal_places=4)
    net = models.DecimalField(max_digits=38, decimal_places=4)
    source_id = models.CharField(max_length=100, blank=True, default="", db_index=True)
    created_at = models.DateTimeField(db_index=True)
    available_at = models.DateTimeField()
    kept_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(net=models.F("amount") - models.F("fee")), name="stripe_movement_nets")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.net} {self.currency}"


class Reconciliation(models.Model):
    """One comparison of our books with Stripe's, over `[from_at, to_at)`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    day = models.DateField(null=True, unique=True, help_text="the night it is of; null: asked for by a person")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=254)
    finished_at = models.DateTimeField(null=True)
    looked_at = models.JSONField(default=dict, help_text="how many of what were compared")
    found = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-started_at"], name="reconciliation_latest")]

    def __str__(self) -> str:
        return f"{self.from_at:%Y-%m-%d} to {self.to_at:%Y-%m-%d}"


class DifferenceKind(models.TextChoices):
    """What differs between our books and Stripe's."""

    INVOICE_PAID = "invoice_paid", "paid at Stripe, not in our books"
    INVOICE_OPEN = "invoice_open", "settled in our books, open at Stripe"
    INVOICE_GONE = "invoice_gone", "pushed by us, not at Stripe"
    INVOICE_UNKNOWN = "invoice_unknown", "at Stripe, not in our books"
    INVOICE_AMOUNT = "invoice_amount", "another number, currency or amount at Stripe"
    CHARGE_UNBOOKED = "charge_unbooked", "a charge at Stripe that pays nothing in our books"
    CHARGE_AMOUNT = "charge_amount", "a charge at Stripe of another amount than was booked"
    PAYMENT_GONE = "payment_gone", "booked as paid by card, without a charge at Stripe"
    REFUND_UNBOOKED = "refund_unbooked", "a refund at Stripe that our books do not have"
    TRANSFER_UNBOOKED = "transfer_unbooked", "a transfer at Stripe that our books do not have"
    CUSTOMER_BALANCE = "customer_balance", "a customer with a balance at Stripe"
    BALANCE = "balance", "the balance at Stripe is not the one of our books"


class Difference(models.Model):
    """One thing that differs; it stays open until a later look does not find it, or a person settles it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=20, choices=DifferenceKind.choices)
    stripe_id = models.CharField(max_length=100)
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="differences")
    ours = models.CharField(max_length=300)
    theirs = models.CharField(max_length=300)
    our_side = models.JSONField(
        default=dict, db_default={}, help_text="number, state, amounts in Stripe's integers, currency; empty: nothing"
    )
    their_side = models.JSONField(default=dict, db_default={})
    object_at = models.DateTimeField(help_text="of what differs: later looks go back to it")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=254, blank=True, default="")
    way = models.CharField(max_length=16, blank=True, default="", help_text="how it was settled")
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "stripe_id"], name="difference_once")]
        indexes: ClassVar = [
            models.Index(fields=["first_seen_at"], condition=Q(settled_at__isnull=True), name="difference_open")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.stripe_id}"
