"""Webhooks out: where an organization wants to be told, what happened, and how telling it went."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from tenants.ids import new_id


class WebhookEndpoint(models.Model):
    """An address of an organization that is told what happens. The secret is kept as it is, since it signs."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="webhook_endpoints")
    url = models.CharField(max_length=500)
    kinds = ArrayField(models.CharField(max_length=64), help_text="kinds, or families as invoice.*; none: all")
    secret = models.CharField(max_length=100)
    old_secret = models.CharField(max_length=100, blank=True)
    old_secret_until = models.DateTimeField(null=True, help_text="until then both secrets sign")
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, help_text="nothing is sent there from then on")
    disabled_because = models.CharField(max_length=200, blank=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization"], name="webhook_endpoints_kept", condition=Q(removed_at=None)),
        ]

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """Something that happened, written in the transaction in which it did. Append-only; ids sort by time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=64)
    subject_id = models.UUIDField(help_text="what it happened to")
    occasion = models.CharField(max_length=100, blank=True, help_text="tells apart what can happen twice")
    body = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "kind", "subject_id", "occasion"], name="webhook_event_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class DeliveryState(models.TextChoices):
    """Where telling one endpoint of one event stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint: the outbox. Swept until it is delivered or given up."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=12, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="since it was written or replayed")
    due_at = models.DateTimeField(help_text="while it waits: not tried before")
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="webhook_deliveries_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.event_id}"


class WebhookAttempt(models.Model):
    """One try to deliver, and what came of it. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    delivery = models.ForeignKey(WebhookDelivery, models.PROTECT, related_name="tries")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text="HTTP status; null where there was no answer")
    error = models.CharField(max_length=300, blank=True)
    duration_ms = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.status or self.error}"
