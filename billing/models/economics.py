"""What clusters cost by their owner's figures, and the days worked out from them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from clusters.models import Cluster
from tenants.ids import new_id
from tenants.models import Organization


class ClusterCost(models.Model):
    """What a cluster costs from an instant until the next one's, as its provider entered it. Append-only.

    A correction is another row with the same instant: of those the greatest number counts.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, models.PROTECT, related_name="costs")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the cluster")
    effective_at = models.DateTimeField(help_text="a full UTC hour")
    currency = models.CharField(max_length=3, help_text="ISO 4217")
    power_price_per_kwh = models.DecimalField(max_digits=24, decimal_places=12)
    pue = models.DecimalField(max_digits=8, decimal_places=4, help_text="all energy of the site over its cards'")
    rent_per_month = models.DecimalField(max_digits=24, decimal_places=6)
    overhead_per_month = models.DecimalField(max_digits=24, decimal_places=6, help_text="network, people, software")
    grid_g_per_kwh = models.DecimalField(
        max_digits=10, decimal_places=3, null=True, help_text="grams of CO2e per kWh of the grid; null: not known"
    )
    grid_source = models.CharField(max_length=200, blank=True, default="", help_text="where the grid's factor is from")
    entered_by = models.CharField(max_length=254, help_text="the person or key that entered it")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cluster", "number"], name="cluster_cost_number"),
            models.CheckConstraint(
                condition=Q(power_price_per_kwh__gte=0, rent_per_month__gte=0, overhead_per_month__gte=0, pue__gte=1),
                name="cluster_cost_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster_id} v{self.number}"


class CardCost(models.Model):
    """What one card of a model cost, and over how many days that is written off. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cost = models.ForeignKey(ClusterCost, models.PROTECT, related_name="cards")
    accelerator_model = models.CharField(max_length=100)
    capex_per_gpu = models.DecimalField(max_digits=24, decimal_places=6)
    life_days = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cost", "accelerator_model"], name="card_cost_once"),
            models.CheckConstraint(condition=Q(capex_per_gpu__gte=0, life_days__gte=1), name="card_cost_sane"),
        ]

    def __str__(self) -> str:
        return f"{self.accelerator_model} {self.capex_per_gpu}"


class MarginRow(models.Model):
    """What one use of a cluster took, cost and earned on a UTC day. Derived: a day's rows are replaced together.

    `kind` is held, served, idle, or unplaced for what was earned without a place (then `cluster` is null). `costed_ms`
    and `metered_ms` are the GPU time that amounts are known for. Amounts in another currency than the costs' are rows
    of their own.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    cluster = models.ForeignKey(Cluster, models.CASCADE, null=True, related_name="+", db_index=False)
    tenant = models.ForeignKey(Organization, models.CASCADE, null=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=8)
    model = models.CharField(max_length=200, blank=True, default="")
    currency = models.CharField(max_length=3)
    gpu_ms = models.BigIntegerField(default=0)
    costed_ms = models.BigIntegerField(default=0)
    metered_ms = models.BigIntegerField(default=0)
    energy_mj = models.DecimalField(max_digits=30, decimal_places=0, default=0)
    input_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    gpu_cost = models.DecimalField(max_digits=50, decimal_places=18, default=0, help_text="cards and rent")
    energy_cost = models.DecimalField(max_digits=50, decimal_places=18, null=True)
    overhead_cost = models.DecimalField(max_digits=50, decimal_places=18, default=0)
    carbon_g = models.DecimalField(max_digits=30, decimal_places=6, null=True)
    revenue = models.DecimalField(max_digits=50, decimal_places=18, default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider", "day", "cluster", "tenant", "kind", "model", "currency"],
                name="margin_row_once",
                nulls_distinct=False,
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["tenant", "day"],
                include=["gpu_ms", "metered_ms", "energy_mj", "carbon_g"],
                name="margin_by_tenant",
            ),
            models.Index(fields=["provider", "model", "day"], name="margin_by_model"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.model}"


class MarginDay(models.Model):
    """When a provider's day was last worked out."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    summed_at = models.DateTimeField()
    rolled_s = models.BigIntegerField(
        default=0, db_default=0, help_text="seconds of the day, over all nodes, that were usage hours then"
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "day"], name="margin_day_once")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.day}"
