"""Slices held on demand or on spot, what happened to them, and how big volumes are: facts, recorded once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from billing.models.terms import Term
from clusters.models import Allocation
from tenants.ids import new_id


class Session(models.Model):
    """Slices of one kind taken together under a term on demand or on spot. Append-only.

    `name` is the caller's own: a start that is sent again is the same session. Its end is that of its allocations.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="sessions")
    name = models.CharField(max_length=100)
    accelerator_model = models.CharField(max_length=100)
    count = models.PositiveIntegerField()
    from_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["term", "name"], name="session_once"),
            models.CheckConstraint(condition=Q(count__gt=0), name="session_count"),
        ]

    def __str__(self) -> str:
        return f"{self.term_id} {self.name}"


class SessionAllocation(models.Model):
    """A slice held by a session. Append-only."""

    session = models.ForeignKey(Session, models.PROTECT, related_name="held")
    allocation = models.OneToOneField(Allocation, models.PROTECT, related_name="session_allocation")

    def __str__(self) -> str:
        return f"{self.session_id} {self.allocation_id}"


class SessionStep(models.TextChoices):
    """What can happen to a session."""

    STARTED = "started"
    STATE = "state"
    STOPPED = "stopped"
    TAKEN_BACK = "taken_back"


class SessionEvent(models.Model):
    """One step of a session, at the instant from which it holds. Append-only.

    `state` is what the session is in from then on. `noticed_at` is when a take-back was announced, None: it was not.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="events")
    step = models.CharField(max_length=12, choices=SessionStep.choices)
    state = models.CharField(max_length=12, blank=True, default="")
    at = models.DateTimeField()
    noticed_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "step", "at"], name="session_event_once"),
            models.CheckConstraint(
                condition=Q(noticed_at__isnull=True) | Q(at__gt=F("noticed_at")), name="notice_before"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.step}"


class VolumeSize(models.Model):
    """How many decimal gigabytes a volume has from an instant on; none: it is gone. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    term = models.ForeignKey(Term, models.PROTECT, related_name="volumes")
    volume = models.CharField(max_length=100)
    gigabytes = models.PositiveIntegerField()
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["term", "volume", "at"], name="volume_size_once")]

    def __str__(self) -> str:
        return f"{self.volume} {self.gigabytes}"
