"""Quotes of leases, and what became of each lease step by step."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.contracts import Contract
from billing.models.terms import Term
from clusters.models import SliceKind
from tenants.ids import new_id
from tenants.models import Organization


class Quote(models.Model):
    """A price for slices over `[from_at, to_at)` that stands until it expires; nothing is held by it.

    `wording` is what a lease of it would say. `term` is the lease it was reserved as, for ever the same one.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="quotes")
    number = models.CharField(max_length=32, unique=True, help_text="for people, for example Q-0012")
    asked_by = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    accelerator_model = models.CharField(max_length=100)
    kind = models.CharField(max_length=8, choices=SliceKind.choices, default=SliceKind.WHOLE)
    profile = models.CharField(max_length=32, blank=True, default="")
    share_permille = models.PositiveSmallIntegerField(null=True)
    count = models.PositiveIntegerField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    price_per_gpu_hour = models.DecimalField(max_digits=24, decimal_places=12)
    amount = models.DecimalField(max_digits=50, decimal_places=18, help_text="of the whole span, before tax")
    wording = models.JSONField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    term = models.OneToOneField(Term, models.PROTECT, null=True, related_name="quote")
    reserved_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(to_at__gt=F("from_at")), name="quote_span"),
            models.CheckConstraint(condition=Q(count__gt=0), name="quote_count"),
            models.CheckConstraint(
                condition=Q(term__isnull=True, reserved_at__isnull=True)
                | Q(term__isnull=False, reserved_at__isnull=False),
                name="quote_reserved_at",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class LeaseStep(models.TextChoices):
    """What can happen to a lease."""

    RESERVED = "reserved"
    STARTED = "started"
    EXTENDED = "extended"
    RENEWED = "renewed"
    ENDED_EARLY = "ended_early"
    HELD_OVER = "held_over"
    ENDED = "ended"


class LeaseEndReason(models.TextChoices):
    """Why a lease ended when it did."""

    NOT_RENEWING = "not_renewing", "its terms let it end"
    ENDED_EARLY = "ended_early", "it was ended early"
    SLICE_TAKEN = "slice_taken", "not renewed: a slice is promised to somebody else"
    CONTRACT_NOT_OPEN = "contract_not_open", "not renewed: its contract does not run on"
    NO_PRICE = "no_price_in_force", "not renewed: the price book has no price for its card"


class LeaseEvent(models.Model):
    """One step of a lease, at the instant from which it holds. Append-only; the same step is recorded once.

    `to_at` is the lease's end after it; `reason` says of its end why it came, empty where that was not recorded.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="lease_events")
    step = models.CharField(max_length=12, choices=LeaseStep.choices)
    at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()
    reason = models.CharField(max_length=20, choices=LeaseEndReason.choices, blank=True, default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["term", "step", "at"], name="lease_event_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["term", "recorded_at"], name="lease_event_by_time")]

    def __str__(self) -> str:
        return f"{self.term_id} {self.step}"
