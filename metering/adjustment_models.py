"""Corrections of usage that stands, and what they are worked out from."""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from clusters.models import Deployment, Node
from tenants.ids import new_id
from tenants.models import Organization

ADJUSTMENT_VERSION_MIN: Final = 1_000_000
"""Versions of adjusting rows begin here; those of rows from readings count hours and stay below for a century."""


class AdjustmentCause(models.TextChoices):
    """Why usage that stood was corrected."""

    RESTATED = "restated", "a binding, lease or cut was stored after the usage was rolled up"
    REBUILT = "rebuilt", "recomputed from stored batches and events"
    SUBSTITUTED = "substituted", "put in by a person"


class UsageAdjustment(models.Model):
    """One correction of usage hours: its rows say by how much, each linked to the row that it corrects. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cause = models.CharField(max_length=16, choices=AdjustmentCause.choices)
    reason = models.CharField(max_length=1000)
    node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="usage_adjustments")
    from_at = models.DateTimeField(help_text="start of the first hour that was looked at")
    to_at = models.DateTimeField()
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.cause} {self.from_at:%F %H}"


class RollupCheckpoint(models.Model):
    """Where rollup stood after a batch: a node's usage can be worked out again from here on. One a day or so.

    `states` are the last counted values of the node's meters as `metering.checkpoints` packs them, `clock` what was
    known of the node's clock (`metering.clock.ClockState`).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.CASCADE, related_name="checkpoints", db_index=False)
    seq = models.BigIntegerField()
    metered_to_at = models.DateTimeField()
    states = models.BinaryField()
    clock = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "seq"], name="rollup_checkpoint_once")]

    def __str__(self) -> str:
        return f"{self.node_id} at {self.seq}"


class RollupOwners(models.Model):
    """Whose a node's usage was when it was rolled up: a difference to now is a binding or cut that came late.

    `spans` are those of `metering.owners`. `restate_from_at` is the instant from which stored hours contradict them;
    null: they agree up to `agreed_to_at`.
    """

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="rollup_owners")
    spans = models.JSONField(default=list)
    agreed_to_at = models.DateTimeField()
    restate_from_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True, help_text="when a sweep last compared them")

    def __str__(self) -> str:
        return f"{self.node_id} agreed to {self.agreed_to_at}"


class EventOwners(models.Model):
    """By which deployments a tenant's events were attributed when they were rolled up (`metering.event_ownership`).

    `spans` are those of `metering.event_owners`. Stored hours contradict them within `[restate_from_at, restate_to_at)`
    alone; null: nowhere.
    """

    tenant = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="+")
    spans = models.JSONField(default=list)
    restate_from_at = models.DateTimeField(null=True)
    restate_to_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True, help_text="when a sweep last compared them")

    def __str__(self) -> str:
        return f"{self.tenant_id} checked at {self.checked_at}"


class SubstitutionState(models.TextChoices):
    """Where a substitution stands."""

    PROPOSED = "proposed", "waits for a second person"
    APPROVED = "approved", "in the usage"
    REFUSED = "refused"


class Substitution(models.Model):
    """A value that a person puts in the place of what was metered in one part of an hour, once a second one agrees.

    It is withdrawn only by another substitution of the same part. `value_before` is what was billable when it was
    proposed; approved, its rows belong to `adjustment`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+")
    deployment = models.ForeignKey(Deployment, models.PROTECT, null=True, related_name="+", db_index=False)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, related_name="substitutions")
    hour_at = models.DateTimeField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    value_before = models.BigIntegerField()
    value = models.BigIntegerField()
    reason = models.CharField(max_length=1000)
    state = models.CharField(max_length=8, choices=SubstitutionState.choices, default=SubstitutionState.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(null=True)
    adjustment = models.OneToOneField(UsageAdjustment, models.PROTECT, null=True, related_name="substitution")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(value__gte=0), name="substitution_not_negative"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("proposed_by")), name="substitution_four_eyes"
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | Q(decided_by__isnull=False, adjustment__isnull=False),
                name="substitution_approved_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["meter", "from_at"], condition=Q(state="proposed"), name="one_proposal_a_part"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "-proposed_at"], name="substitution_by_provider")]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.from_at:%F %H} {self.value}"
