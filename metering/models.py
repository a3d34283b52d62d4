"""Batches as received, meters, usage hours, usage events, and what could not be metered."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db import models
from django.db.models import F, Q

from clusters.models import Accelerator, Deployment, Endpoint, Node
from metering.adjustment_models import UsageAdjustment
from metering.card_models import AcceleratorHour as AcceleratorHour  # and so Django finds that module's models
from metering.control_models import IngestCount as IngestCount  # and so Django finds that module's models
from metering.day_models import UsageDay as UsageDay  # and so Django finds that module's models
from metering.event_models import EventConflict as EventConflict
from metering.finding_models import UsageFinding as UsageFinding  # and so Django finds that module's models
from metering.key_models import UsageKey as UsageKey  # and so Django finds that module's models
from metering.retention_models import PartitionArchive as PartitionArchive
from tenants.ids import new_id
from tenants.models import Organization


class Witness(models.TextChoices):
    """Who counted."""

    ENGINE = "engine", "engine registers"
    GATEWAY = "gateway", "gateway events"
    ENERGY = "energy", "NVML energy"


class Quantity(models.TextChoices):
    """What a meter counts. Cached input is a part of input and reasoning a part of output: never add them.

    The finished ones are what the engine's registers of requests that came to their end show, against its plain ones.
    """

    INPUT = "input", "input tokens"
    CACHED_INPUT = "cached_input", "cached input tokens"
    CACHE_WRITE = "cache_write", "cache write tokens"
    OUTPUT = "output", "output tokens"
    REASONING = "reasoning", "reasoning tokens"
    REQUESTS = "requests", "requests"
    IMAGES = "images", "images"
    AUDIO_SECONDS = "audio_seconds", "seconds of audio"
    VIDEO_SECONDS = "video_seconds", "seconds of video"
    STEPS = "steps", "steps"
    FINISHED_INPUT = "finished_input", "input tokens of finished requests"
    FINISHED_OUTPUT = "finished_output", "output tokens of finished requests"
    ENERGY_MJ = "energy_mj", "energy in millijoules"


class Quality(models.TextChoices):
    """How sure a figure is."""

    ACTUAL = "A", "actual"
    ESTIMATED = "E", "estimated"
    SUBSTITUTED = "S", "substituted"
    QUARANTINED = "Q", "quarantined"
    GAP = "G", "gap"
    CONTROL = "C", "control"


class Batch(models.Model):
    """Readings shipped together, as received: these bytes are the evidence and the store. Append-only.

    Cut by month of `received_at` (`metering.partition_plans`), which never falls along a node's chain. (node, seq) is
    unique: within a part by an index, across parts because the node's cursor passes each number once.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="batches", db_index=False, db_constraint=False)
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64, help_text="SHA-256 of the body as sent, hexadecimal")
    prev_hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=88, help_text="Ed25519, base64")
    content_encoding = models.CharField(max_length=8)
    body = models.BinaryField()
    readings = models.PositiveIntegerField()
    outcome = models.JSONField(help_text="readings that were not accepted, by outcome")
    metered_to_at = models.DateTimeField()
    received_at = models.DateTimeField()
    clock_skew_ms = models.BigIntegerField(null=True, help_text="server's clock minus the node's when it was sent")

    def __str__(self) -> str:
        return f"{self.node_id} #{self.seq}"


class BatchConflict(models.Model):
    """Other bytes received under a stored batch's number; kept as evidence, alarmed. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="batch_conflicts")
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=88)
    body = models.BinaryField()
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "seq", "hash"], name="batch_conflict_once")]

    def __str__(self) -> str:
        return f"{self.node_id} #{self.seq} conflict"


class NodeCursor(models.Model):
    """Where a node's chain of batches stands. Ingest locks this row; it is made when the node enrols."""

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="cursor")
    last_seq = models.BigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, default="0" * 64)
    metered_to_at = models.DateTimeField(null=True, help_text="the node reported everything before this instant")
    last_received_at = models.DateTimeField(null=True)
    clock_skew_ms = models.BigIntegerField(null=True, help_text="server's clock minus the node's at the last batch")
    shipped = models.BinaryField(default=b"", help_text="each meter's last number received: `metering.shipped`")
    key_version = models.PositiveIntegerField(
        default=1, db_default=1, help_text="which of the node's keys signed the last batch"
    )

    def __str__(self) -> str:
        return f"{self.node_id} at {self.last_seq}"


class RollupCursor(models.Model):
    """How far a node's batches were rolled up into usage hours. Rollup claims this row with SKIP LOCKED."""

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="rollup_cursor")
    rolled_seq = models.BigIntegerField(default=0)
    rolled_to_at = models.DateTimeField(null=True, help_text="usage hours hold everything before this instant")

    def __str__(self) -> str:
        return f"{self.node_id} rolled to {self.rolled_seq}"


class Meter(models.Model):
    """One register that only rises: of an endpoint or accelerator (engine, energy), or of a gateway's source."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    witness = models.CharField(max_length=8, choices=Witness.choices)
    node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="meters")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, null=True, related_name="meters")
    accelerator = models.ForeignKey(Accelerator, models.PROTECT, null=True, related_name="meters")
    reporter = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+")
    source = models.CharField(max_length=200, blank=True, default="", help_text="gateway's name for itself")
    model = models.CharField(max_length=200, blank=True, default="", help_text="served model name")
    quantity = models.CharField(max_length=16, choices=Quantity.choices)
    labels = models.CharField(max_length=512, blank=True, default="", help_text="kept labels as sorted JSON")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["endpoint", "model", "quantity", "labels"],
                condition=Q(endpoint__isnull=False),
                name="endpoint_meter",
            ),
            models.UniqueConstraint(
                fields=["accelerator", "node", "quantity", "labels"],
                condition=Q(accelerator__isnull=False),
                name="accelerator_meter",
            ),
            models.UniqueConstraint(
                fields=["reporter", "source", "model", "quantity"],
                condition=Q(witness="gateway"),
                name="gateway_meter",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.witness} {self.quantity} {self.model}"


class MeterState(models.Model):
    """A meter's last register value that rollup has counted; written in the transaction that writes the hours."""

    meter = models.OneToOneField(Meter, models.CASCADE, primary_key=True, related_name="state")
    epoch = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    value = models.BigIntegerField()
    read_at = models.DateTimeField()
    closed = models.BooleanField(default=False, help_text="the value fell: this epoch's further readings do not count")
    base = models.BigIntegerField(default=0, db_default=0, help_text="value less all that was ever counted")

    def __str__(self) -> str:
        return f"{self.meter_id} {self.value}"


class _IsAny(models.Func):
    """Whether a column is one of an array, which is made once and found in the column's index."""

    arity = 2
    template = "%(expressions)s)"
    arg_joiner = " = ANY ("
    output_field = models.BooleanField()


class UsageHourQuerySet(models.QuerySet["UsageHour"]):
    """Words for choosing usage hours."""

    def for_org(self, organization: Organization) -> UsageHourQuerySet:
        """Usage of `organization` as tenant or provider of a deployment, on its nodes, or of its own gateways.

        Who provides nothing has few deployments and meters, which indexes find by their ids: asked of whatever the row
        joins, every hour of the window would be read. Among a provider's thousands each row had to look.
        """
        if organization.is_provider:
            return self.filter(
                Q(tenant=organization)
                | Q(deployment__provider=organization)
                | Q(meter__node__cluster__provider=organization)
                | Q(meter__reporter=organization)
            )
        deployments = Deployment.objects.filter(provider=organization).order_by()
        provided = Q(node__cluster__provider=organization)
        meters = Meter.objects.filter(provided | Q(reporter=organization)).order_by()
        return self.filter(
            Q(tenant=organization)
            | Q(_IsAny(F("deployment_id"), ArraySubquery(deployments.values("pk"))))
            | Q(_IsAny(F("meter_id"), ArraySubquery(meters.values("pk"))))
        )


class UsageHour(models.Model):
    """Validated usage of one meter within one hour, for one deployment, at one quality, of requests of like length.

    An hour with a cut inside (a deployment's edge, a price's instant) has one row per part. While the hour is open the
    row grows; once its node or source was rolled past it, a change is a new row of the next version (an adjustment),
    so a sum over versions is the current figure. Corrections that do not come from readings belong to an adjustment,
    whose versions begin at `ADJUSTMENT_VERSION_MIN`; their values may be negative.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    meter = models.ForeignKey(Meter, models.PROTECT, related_name="hours", db_index=False)
    witness = models.CharField(max_length=8, choices=Witness.choices)
    quantity = models.CharField(max_length=16, choices=Quantity.choices)
    model = models.CharField(max_length=200, blank=True, default="")
    hour_at = models.DateTimeField(help_text="start of the UTC hour")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    deployment = models.ForeignKey(Deployment, models.PROTECT, null=True, related_name="usage_hours", db_index=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="usage_hours", db_index=False)
    quality = models.CharField(max_length=1, choices=Quality.choices)
    rule = models.CharField(max_length=48, help_text="id of the rule that gave the figure")
    version = models.PositiveIntegerField(default=1)
    context_over = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="tokens that each request's input exceeded (`metering.context_bands`); 0: no threshold, or not known",
    )
    marks = models.CharField(
        max_length=48,
        blank=True,
        default="",
        db_default="",
        help_text="marks that each request had (`metering.event_marks`), joined by +; empty: none, or not known",
    )
    value = models.BigIntegerField()
    records = models.BigIntegerField(default=0, help_text="readings or events behind the figure")
    first_batch_seq = models.BigIntegerField(null=True)
    last_batch_seq = models.BigIntegerField(null=True)
    adjustment = models.ForeignKey(UsageAdjustment, models.PROTECT, null=True, related_name="rows", db_index=False)
    adjusts_id = models.UUIDField(null=True, help_text="the usage hour that this row corrects")
    updated_at = models.DateTimeField()

    objects = UsageHourQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "meter",
                    "from_at",
                    "deployment",
                    "tenant",
                    "quality",
                    "rule",
                    "version",
                    "context_over",
                    "marks",
                ],
                name="usage_hour_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(to_at__gt=F("from_at")), name="usage_hour_span"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["deployment", "witness", "from_at"],
                include=["quantity", "model", "value", "quality"],
                name="usage_by_deployment",
            ),
            models.Index(fields=["tenant", "witness", "from_at"], name="usage_by_tenant"),
            models.Index(fields=["hour_at"], name="usage_by_hour"),
            models.Index(fields=["adjustment"], condition=Q(adjustment__isnull=False), name="usage_by_adjustment"),
            # Held back is next to nothing of all there is, and the overview asks for the last day's at each look.
            models.Index(fields=["hour_at"], condition=Q(quality="Q"), name="usage_held"),
        ]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.hour_at:%F %H} {self.value}"


class UsageCut(models.Model):
    """An instant at which usage of a deployment must be split, because its price or terms change there."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="cuts")
    at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, help_text="when a sweep last saw that gateways' usage is parted there")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["deployment", "at"], name="usage_cut_once")]
        indexes: ClassVar = [
            models.Index(fields=["at"], condition=Q(applied_at__isnull=True), name="usage_cut_not_applied")
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.at}"


class UsageGap(models.Model):
    """A span in which a node, endpoint or accelerator could not be metered; never the same as no usage."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.PROTECT, related_name="gaps")
    subject = models.CharField(max_length=16)
    subject_id = models.CharField(max_length=512, blank=True, default="")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    reason = models.CharField(max_length=48)
    detail = models.CharField(max_length=512, blank=True, default="")
    occurrences = models.PositiveIntegerField(default=1)
    value_max = models.JSONField(
        default=dict, help_text="what can have gone unseen at most: {'class model': count or null}"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["node", "subject", "subject_id", "from_at", "reason"], name="usage_gap_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.from_at}"
