"""What cards show beside their energy: gauges by hour, of whole cards and of their instances, and events."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from clusters.models import Accelerator, Cluster, Node, Slice
from tenants.ids import new_id


class Activity(models.Model):
    """How busy something was in one hour: sums of permilles and how many samples each has. Unknown is no sample.

    A sample is a mean over the time since the sample before, so that the mean of an hour's samples is the hour's.
    """

    graphics_permille_sum = models.BigIntegerField(default=0, db_default=0)
    graphics_samples = models.PositiveIntegerField(default=0, db_default=0)
    sm_permille_sum = models.BigIntegerField(default=0, db_default=0)
    sm_samples = models.PositiveIntegerField(default=0, db_default=0)
    tensor_permille_sum = models.BigIntegerField(default=0, db_default=0)
    tensor_samples = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


class AcceleratorHour(Activity):
    """What a card's gauges showed in one hour. Unknown samples are counted apart, never as zero."""

    accelerator = models.ForeignKey(Accelerator, models.CASCADE, related_name="hours", db_index=False)
    hour_at = models.DateTimeField()
    utilisation_percent_sum = models.BigIntegerField(default=0)
    utilisation_samples = models.PositiveIntegerField(default=0)
    power_mw_sum = models.BigIntegerField(default=0)
    power_samples = models.PositiveIntegerField(default=0)
    memory_used_mib_max = models.PositiveIntegerField(null=True)
    clock_samples = models.PositiveIntegerField(default=0, db_default=0)
    throttled_samples = models.PositiveIntegerField(default=0, db_default=0, help_text="slowed by heat or hardware")
    power_capped_samples = models.PositiveIntegerField(default=0, db_default=0, help_text="held back by a power limit")
    last_utilisation_percent = models.PositiveSmallIntegerField(null=True)
    last_power_mw = models.PositiveIntegerField(null=True)
    last_read_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["accelerator", "hour_at"], name="accelerator_hour_once")
        ]
        # What a fleet draws now is in the hours of now. An hour's growth touches neither index: its instant stays, and
        # few cards are ever slowed.
        indexes: ClassVar = [
            models.Index(fields=["hour_at"], name="gauge_by_hour"),
            models.Index(fields=["hour_at"], condition=models.Q(throttled_samples__gt=0), name="gauge_throttled"),
        ]

    def __str__(self) -> str:
        return f"{self.accelerator_id} {self.hour_at}"


class Shown(models.Model):
    """What some cards show and use together at one instant."""

    at = models.DateTimeField()
    utilisation_percent_sum = models.BigIntegerField()
    utilisation_samples = models.BigIntegerField()
    energy_mj = models.BigIntegerField()
    energy_hours = models.BigIntegerField(help_text="of how many usage hours the energy is")

    class Meta:
        abstract = True


class FleetHour(Shown):
    """What the cards of a node show and use together at one instant of the hours above and of usage hours.

    `at` is the hour of gauges, and where a usage hour of energy begins. The database adds what is written of either in
    the transaction that writes it (`0031_fleet_hours`, `0033_cards_held`), and nothing else writes here; a card that
    moves takes its own along, and waits for who writes of it. Energy is of the qualities that count.
    """

    node = models.ForeignKey(Node, models.CASCADE, related_name="fleet_hours", db_index=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["node", "at"], name="fleet_hour_once")]
        indexes: ClassVar = [models.Index(fields=["at"], name="fleet_hour_by_time")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.at}"


class ClusterHour(Shown):
    """What the nodes of a cluster show and use together at one instant: its rows add up, and each is a part.

    The sweep of `metering.cluster_hours` adds up nodes; the database adds a row beside for what is written of a settled
    instant, in the transaction that writes it (`0036_cluster_hours`), until the sweep adds that instant up again. To be
    relied on within `ClusterHoursSummed` alone.
    """

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="hours", db_index=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["at"], name="cluster_hour_by_time")]

    def __str__(self) -> str:
        return f"{self.cluster_id} {self.at}"


class ClusterHoursSummed(models.Model):
    """From which instant on and up to which clusters are summed; one row. What lies outside is in the nodes' alone."""

    from_at = models.DateTimeField()
    to_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.from_at} {self.to_at}"


class PartitionHour(Activity):
    """How busy one MIG instance was in one hour; a card in MIG mode has no utilisation of its own."""

    slice = models.ForeignKey(Slice, models.CASCADE, related_name="hours", db_index=False)
    hour_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["slice", "hour_at"], name="partition_hour_once")]

    def __str__(self) -> str:
        return f"{self.slice_id} {self.hour_at}"


class AcceleratorEvent(models.Model):
    """Something that the driver reported of a card, or that a list of cards showed, by hour: how often and when.

    `kind` is `xid` with the XID as its code, another kind of the driver's with code 0, or `replaced`: another card
    stood in this one's slot before.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    accelerator = models.ForeignKey(Accelerator, models.CASCADE, related_name="events", db_index=False)
    kind = models.CharField(max_length=24)
    code = models.PositiveIntegerField(default=0)
    hour_at = models.DateTimeField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    detail = models.CharField(max_length=200, blank=True, default="")
    occurrences = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["accelerator", "hour_at", "kind", "code"], name="accelerator_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.code} {self.last_at}"
