"""Cards on file, and what tenants must be told of an invoice's collection."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.invoices import Invoice
from tenants.ids import new_id
from tenants.models import Organization


class VisitState(models.TextChoices):
    """What became of a visit to Stripe's page."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class CardVisit(models.Model):
    """A visit of an organization to Stripe's page on which it leaves a card. Looked at until it is over."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="card_visits")
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=VisitState.choices, default=VisitState.OPEN)
    session_id = models.CharField(max_length=100, blank=True, default="")
    url = models.TextField(blank=True, default="", help_text="Stripe's page, while the visit is open")
    started_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    next_look_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_look_at"], condition=Q(state="open"), name="card_visit_open"),
            models.Index(fields=["organization", "-created_at"], name="card_visit_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.state}"


class CardOnFile(models.Model):
    """The payment method that pays an organization's invoices at Stripe, as far as it may be shown."""

    organization = models.OneToOneField(Organization, models.PROTECT, primary_key=True, related_name="card_on_file")
    payment_method_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=32)
    brand = models.CharField(max_length=32, blank=True, default="")
    last4 = models.CharField(max_length=4, blank=True, default="")
    expires_year = models.PositiveIntegerField(null=True)
    expires_month = models.PositiveIntegerField(null=True)
    kept_by = models.CharField(max_length=254)
    kept_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.brand or self.kind} {self.last4}".strip()


class NoticeKind(models.TextChoices):
    """Why a tenant is told of an invoice's collection."""

    CONSENT_NEEDED = "consent_needed", "the bank asks for the card holder's consent"
    CARD_DECLINED = "card_declined", "the card was declined"
    CARD_MISSING = "card_missing", "there is no card on file"


class CollectionNotice(models.Model):
    """One thing that a tenant is told of an invoice's collection: shown in the portal, and sent as a letter."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="collection_notices")
    kind = models.CharField(max_length=16, choices=NoticeKind.choices)
    attempt = models.PositiveIntegerField(help_text="which try to charge it is about")
    reason = models.CharField(max_length=500)
    decline_code = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="why the bank declined, as Stripe names it, if it did",
    )
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="when the letter is to be sent")
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    sent_to = models.JSONField(default=list)
    last_error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "kind", "attempt"], name="collection_notice_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="collection_notice_unsent")
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.kind}"


class CarriedDue(models.Model):
    """What an invoice too small to be charged has left to pay, asked for together with a later invoice.

    One row a try: `released_at` ends it, when the later invoice is closed by other means.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="carried_by")
    carrier = models.ForeignKey(Invoice, models.PROTECT, related_name="carries")
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="carried_due_positive"),
            models.CheckConstraint(condition=~Q(invoice=models.F("carrier")), name="carried_due_by_another"),
            models.UniqueConstraint(fields=["invoice"], condition=Q(released_at__isnull=True), name="carried_due_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.invoice_id}"


class PaymentSource(models.Model):
    """By which payment at Stripe a payment of ours came in; several of ours may have come in by one."""

    payment = models.OneToOneField("billing.Payment", models.PROTECT, primary_key=True, related_name="source")
    payment_intent_id = models.CharField(max_length=100, blank=True, default="", db_index=True)
    charge_id = models.CharField(max_length=100, blank=True, default="", db_index=True)
    stripe_invoice_id = models.CharField(max_length=100, blank=True, default="")
    noted_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.charge_id or self.payment_intent_id


class Chargeback(models.Model):
    """A dispute that a card holder's bank opened at Stripe, as it stands."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    dispute_id = models.CharField(max_length=100, unique=True)
    payment = models.ForeignKey("billing.Payment", models.PROTECT, null=True, related_name="chargebacks")
    top_up = models.ForeignKey("billing.TopUp", models.PROTECT, null=True, related_name="chargebacks")
    charge_id = models.CharField(max_length=100)
    status = models.CharField(max_length=32)
    reason = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    withdrawn = models.DecimalField(max_digits=38, decimal_places=4, default=0, help_text="held back of us now")
    fee = models.DecimalField(max_digits=38, decimal_places=4, default=0)
    round = models.PositiveIntegerField(default=0, help_text="how often money was taken")
    respond_by = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-opened_at"], name="chargeback_latest")]

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.status}"
