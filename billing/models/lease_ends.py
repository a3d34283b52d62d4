"""What parties are told by letter of the ends of leases."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.leasing import LeaseEndReason
from billing.models.terms import Term
from tenants.ids import new_id
from tenants.models import Organization


class LeaseTold(models.TextChoices):
    """What of a lease's end a letter says."""

    ENDING = "ending", "it ends soon"
    ENDED = "ended", "it has ended"


class LeaseNoticeQuerySet(models.QuerySet["LeaseNotice"]):
    """Words for choosing letters."""

    def to_tell(self) -> LeaseNoticeQuerySet:
        """Letters that did not go out and are still true: of an end that was moved meanwhile nobody is told."""
        return self.filter(Q(kind=LeaseTold.ENDED) | Q(term__to_at=F("ends_at")), sent_at__isnull=True)


class LeaseNotice(models.Model):
    """That a party is told by letter of a lease's end; who reads it is looked up as it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="end_notices")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+", help_text="who is told")
    kind = models.CharField(max_length=8, choices=LeaseTold.choices)
    ends_at = models.DateTimeField(help_text="the end that it tells of")
    reason = models.CharField(max_length=20, choices=LeaseEndReason.choices, blank=True, default="")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="not tried before")
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    sent_to = models.JSONField(default=list)
    last_error = models.CharField(max_length=300, blank=True, default="")

    objects = LeaseNoticeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["term", "organization", "kind", "ends_at"], name="lease_notice_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(sent_at__isnull=True), name="lease_notice_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.term_id} {self.kind}"
