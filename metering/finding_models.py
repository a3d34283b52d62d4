"""What the checks of validated hours found."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from clusters.models import Node
from tenants.ids import new_id


class FindingState(models.TextChoices):
    """Whether it is still so."""

    OPEN = "open"
    SETTLED = "settled", "later figures pass"


class UsageFinding(models.Model):
    """What a rule of `metering.validation` found in one hour of a meter. It edits nothing; later figures settle it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="usage_findings", db_index=False)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, related_name="findings", db_index=False)
    hour_at = models.DateTimeField(help_text="start of the UTC hour")
    rule = models.CharField(max_length=16)
    severity = models.CharField(max_length=8)
    observed = models.BigIntegerField()
    expected = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=FindingState.choices, default=FindingState.OPEN)
    found_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["meter", "hour_at", "rule"], name="usage_finding_once")
        ]
        indexes: ClassVar = [models.Index(fields=["node", "hour_at"], name="usage_finding_by_node")]

    def __str__(self) -> str:
        return f"{self.rule} {self.hour_at:%F %H}"


class NodeValidation(models.Model):
    """How far a node's usage hours were checked; a sweep claims this row with SKIP LOCKED."""

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="validation")
    validated_to_at = models.DateTimeField(help_text="every hour that ended by then was checked")
    looked_at = models.DateTimeField(help_text="rows written since are checked again")

    def __str__(self) -> str:
        return f"{self.node_id} to {self.validated_to_at}"
