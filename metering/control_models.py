"""What keeps watch over the metering itself: who should have reported, who fell silent, what does not fit together."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from clusters.models import Accelerator, Deployment, Node
from tenants.ids import new_id
from tenants.models import Organization


class NodeHour(models.Model):
    """One node in one UTC hour: how long it should have looked and how long it did. Derived; rebuilt from batches.

    A sweep writes what was expected when the hour is over; rollup adds what was observed whenever it comes in.
    """

    node = models.ForeignKey(Node, models.CASCADE, related_name="node_hours", db_index=False)
    hour_at = models.DateTimeField(help_text="start of the UTC hour")
    expected_ms = models.PositiveIntegerField(default=0, db_default=0, help_text="enrolled and not revoked")
    observed_ms = models.PositiveIntegerField(default=0, db_default=0, help_text="covered by looks close together")
    looks = models.PositiveIntegerField(default=0, db_default=0, help_text="instants at which the node looked")
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "hour_at"], name="node_hour_once")]
        indexes: ClassVar = [models.Index(fields=["hour_at"], name="node_hour_by_hour")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.hour_at:%F %H}"


class NodePresence(models.Model):
    """How far a node has been observed, and what its clock does; written in rollup's transaction.

    `clock` is `metering.clock.ClockState`. What stands here depends on the batches up to rollup's cursor alone, and on
    the pause that was given where one was: a simulated node looks less often than an agent can be set to.
    """

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="presence")
    observed_to_at = models.DateTimeField(null=True, help_text="the last instant at which the node looked")
    usual_pause_ms = models.PositiveIntegerField(null=True, help_text="how long it pauses between two looks")
    clock = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.node_id} {self.observed_to_at}"


class SilenceEnd(models.TextChoices):
    """How a silence ended."""

    FILLED = "filled", "the spool was replayed: nothing is missing"
    MISSED = "missed", "the node did not look in between"


class Silence(models.Model):
    """A node that should report and does not. Ended, it was filled from the spool, or is a gap on record."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    node = models.ForeignKey(Node, models.CASCADE, related_name="silences")
    from_at = models.DateTimeField(help_text="nothing is known from here on")
    to_at = models.DateTimeField(null=True, help_text="it was heard again; null while it is silent")
    end = models.CharField(max_length=8, choices=SilenceEnd.choices, blank=True, default="")
    found_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node"], condition=Q(to_at__isnull=True), name="one_silence_a_node"),
            models.CheckConstraint(condition=Q(to_at__isnull=True) | Q(to_at__gte=F("from_at")), name="silence_span"),
        ]
        indexes: ClassVar = [models.Index(fields=["node", "from_at"], name="silence_by_node")]

    def __str__(self) -> str:
        return f"{self.node_id} since {self.from_at}"


class GatewaySource(models.Model):
    """How far a gateway's source says that it has sent everything; only ever further."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reporter = models.ForeignKey(Organization, models.PROTECT, related_name="gateway_sources")
    source = models.CharField(max_length=200, help_text="gateway's name for itself")
    complete_to_at = models.DateTimeField(help_text="every event before this instant was sent and acknowledged")
    told_at = models.DateTimeField(help_text="when it last said so")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["reporter", "source"], name="gateway_source_once")]

    def __str__(self) -> str:
        return f"{self.source} to {self.complete_to_at}"


class BillingReporter(models.Model):
    """Whose gateways' reports bill a deployment from an instant on: the latest row at or before an hour counts.

    The first row is of whoever reported first; a later one hands over. Append-only: what was billed by whom stays so.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="billing_reporters")
    reporter = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    from_at = models.DateTimeField(help_text="start of a UTC hour")
    named_by = models.CharField(max_length=200, blank=True, default="", help_text="empty: it reported first")
    named_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "from_at"], name="billing_reporter_once")
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} from {self.from_at:%F %H}"


class ComparisonTerms(models.Model):
    """What a contract says about comparing a deployment's witnesses; written by whoever makes the contract."""

    deployment = models.OneToOneField(Deployment, models.CASCADE, primary_key=True, related_name="comparison_terms")
    billed_by = models.CharField(max_length=8, help_text="the witness that bills; the other is the control")
    tolerance_percent = models.DecimalField(max_digits=7, decimal_places=4)

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.tolerance_percent} %"


class AlertKind(models.TextChoices):
    """What does not fit."""

    RESIDUAL = "residual", "the witnesses differ by more than the contract's tolerance"
    OUTPUT_ABOVE_ENERGY = "output_above_energy", "more output than the cards' energy can have made"
    OUTPUT_ABOVE_RATE = "output_above_rate", "more output than the best known rate allows"
    ENERGY_WITHOUT_TOKENS = "energy_without_tokens", "cards that work while no token is counted"
    GATEWAY_BEHIND = "gateway_behind", "a gateway that has not said for a while that it sent everything"
    UNPRICED = "unpriced", "usage that no price is in force for"
    INVERSION = "inversion", "something that sells below what it costs its provider"
    SECOND_REPORTER = "second_reporter", "reports of a deployment by another than whose reports bill"


class AlertState(models.TextChoices):
    """Whether it still does not fit."""

    OPEN = "open"
    CLEARED = "cleared", "later figures fit"


class Alert(models.Model):
    """Figures that do not fit together. Nothing is edited because of one: a person looks and says what it was.

    There is one per kind, subject and start of its stretch; its figures follow what comes in later.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=24, choices=AlertKind.choices)
    subject = models.CharField(max_length=300, help_text="what it is about, as one key")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    provider = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+", db_index=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+", db_index=False)
    deployment = models.ForeignKey(Deployment, models.PROTECT, null=True, related_name="alerts")
    node = models.ForeignKey(Node, models.PROTECT, null=True, related_name="alerts")
    accelerator = models.ForeignKey(Accelerator, models.PROTECT, null=True, related_name="+", db_index=False)
    model = models.CharField(max_length=200, blank=True, default="")
    quantity = models.CharField(max_length=16, blank=True, default="")
    measured = models.BigIntegerField(help_text="what was found, in the kind's unit")
    bound = models.BigIntegerField(help_text="what it should have stayed within, in the same unit")
    rule = models.CharField(max_length=200, blank=True, default="", help_text="where the bound comes from")
    state = models.CharField(max_length=8, choices=AlertState.choices, default=AlertState.OPEN)
    found_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "subject", "from_at"], name="alert_once"),
            models.CheckConstraint(condition=Q(to_at__gt=F("from_at")), name="alert_span"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["provider", "from_at"], name="alert_by_provider"),
            models.Index(fields=["tenant", "from_at"], name="alert_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.from_at:%F %H}"


class AlertSeen(models.Model):
    """A party's person looked at an alert and said what it was. Append-only; each party speaks for itself."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    alert = models.ForeignKey(Alert, models.PROTECT, related_name="seen")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    by = models.CharField(max_length=200)
    note = models.CharField(max_length=500)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "organization"], name="alert_seen_once")]

    def __str__(self) -> str:
        return f"{self.alert_id} by {self.by}"


class IngestCount(models.Model):
    """How often each outcome of ingest happened per reporter and hour: counts add up to what was received."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    reporter = models.CharField(max_length=200, help_text="node or organization id, or 'unknown'")
    kind = models.CharField(max_length=8, help_text="batch or event")
    outcome = models.CharField(max_length=48)
    hour_at = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reporter", "kind", "outcome", "hour_at"], name="ingest_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.count}"
