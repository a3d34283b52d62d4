"""What other people's formats need kept beside usage: whose a subject is, what waits for an owner, collectors."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from clusters.models import Node
from tenants.ids import new_id
from tenants.models import ApiKey, Organization


class SubjectAlias(models.Model):
    """Which tenant a reporter's own word for a customer stands for; the subject `*` stands for all other words."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reporter = models.ForeignKey(Organization, models.CASCADE, related_name="subject_aliases")
    subject = models.CharField(max_length=200)
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        app_label = "metering"
        constraints: ClassVar = [models.UniqueConstraint(fields=["reporter", "subject"], name="subject_alias_once")]

    def __str__(self) -> str:
        return f"{self.subject} is {self.tenant_id}"


class HeldReport(models.Model):
    """A well-formed report of usage whose subject is nobody known; taken in as an event once it is named."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reporter = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    input = models.CharField(max_length=16, help_text="the format it came in")
    source = models.CharField(max_length=200)
    event_id = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    occurred_at = models.DateTimeField()
    counts = models.JSONField(help_text="input, cached_input, cache_write, output, reasoning")
    received_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "metering"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reporter", "source", "event_id"], name="held_report_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["reporter", "subject"], condition=Q(released_at=None), name="held_by_subject")
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id} of {self.subject}"


class RejectedSample(models.Model):
    """Some of the items that were no usage, per reason: a few slots, of which the newest of each is kept."""

    reporter = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    input = models.CharField(max_length=16)
    code = models.CharField(max_length=48)
    slot = models.PositiveSmallIntegerField()
    sample = models.JSONField(help_text="id, subject and what was found; never content")
    at = models.DateTimeField()

    class Meta:
        app_label = "metering"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reporter", "input", "code", "slot"], name="rejected_sample_slot")
        ]

    def __str__(self) -> str:
        return f"{self.input} {self.code} {self.slot}"


class Collector(models.Model):
    """A program of a provider that sends registers without an agent: its key, and the node its readings belong to.

    The node has no key of its own; its batches are sealed by this server and carry no signature.
    """

    api_key = models.OneToOneField(ApiKey, models.PROTECT, primary_key=True, related_name="collector")
    node = models.OneToOneField(Node, models.PROTECT, related_name="collector")
    created_at = models.DateTimeField()

    class Meta:
        app_label = "metering"

    def __str__(self) -> str:
        return f"collector {self.node_id}"


class CollectorEndpoint(models.Model):
    """What is known of one target of a collector: its engine, and each series' last reading and epoch."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    collector = models.ForeignKey(Collector, models.CASCADE, related_name="endpoints")
    url = models.CharField(max_length=512)
    state = models.BinaryField(help_text="`metering.compat.series.TargetState`")

    class Meta:
        app_label = "metering"
        constraints: ClassVar = [models.UniqueConstraint(fields=["collector", "url"], name="collector_endpoint_url")]

    def __str__(self) -> str:
        return self.url
