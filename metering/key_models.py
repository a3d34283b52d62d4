"""Use by key: the labels by which a tenant's gateways name callers, hours summed by them, and projects of keys."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Q

from clusters.models import Deployment, HalfOpenRange
from tenants.ids import new_id
from tenants.models import Organization


class UsageKey(models.Model):
    """A label that events of a tenant carry as their `key`; made when usage under it is first counted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="usage_keys")
    label = models.CharField(max_length=200)
    first_counted_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, help_text="since when the tenant calls it deleted; its history stays")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "label"], name="usage_key_once")]

    def __str__(self) -> str:
        return self.label


class KeyHour(models.Model):
    """Usage of one key in one part of an hour: what `UsageHour` holds of gateways' events, told apart by key.

    It grows with the usage hours, in the transaction that adds to them, and is corrected where they are; usage that
    carries no key is in them alone. So what is counted by key is never more than what is counted.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    key = models.ForeignKey(UsageKey, models.PROTECT, related_name="hours", db_index=False)
    deployment = models.ForeignKey(Deployment, models.PROTECT, null=True, related_name="+", db_index=False)
    model = models.CharField(max_length=200)
    hour_at = models.DateTimeField(help_text="start of the UTC hour")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    quality = models.CharField(max_length=1, help_text="A: bills, where gateways do; C: another's reports do")
    context_over = models.PositiveIntegerField(help_text="band of request length (`metering.context_bands`)")
    marks = models.CharField(max_length=48, blank=True, help_text="`metering.event_marks`, joined by +")
    input = models.BigIntegerField()
    cached_input = models.BigIntegerField()
    cache_write = models.BigIntegerField()
    output = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    images = models.BigIntegerField()
    audio_seconds = models.BigIntegerField()
    video_seconds = models.BigIntegerField()
    steps = models.BigIntegerField()
    requests = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["key", "from_at", "deployment", "model", "quality", "context_over", "marks"],
                name="key_hour_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(to_at__gt=F("from_at")), name="key_hour_span"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "from_at"], name="key_hour_by_tenant"),
            models.Index(fields=["deployment", "from_at"], name="key_hour_by_deployment"),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} {self.model} {self.hour_at:%F %H}"


class Project(models.Model):
    """A tenant's own name for a group of keys."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="projects", db_index=False)
    slug = models.SlugField(max_length=64)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "slug"], name="project_slug_once")]

    def __str__(self) -> str:
        return self.name


class ProjectKey(models.Model):
    """A key's stay in a project over `[from_at, to_at)`: what a key used belongs to the project of that time."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, models.PROTECT, related_name="stays")
    key = models.ForeignKey(UsageKey, models.PROTECT, related_name="stays", db_index=False)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(to_at__isnull=True) | Q(to_at__gt=F("from_at")), name="project_key_span"
            ),
            ExclusionConstraint(
                name="one_key_one_project",
                expressions=[
                    ("key", RangeOperators.EQUAL),
                    (
                        HalfOpenRange("from_at", "to_at", RangeBoundary(inclusive_lower=True, inclusive_upper=False)),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} in {self.project_id}"


class KeyedUsageQuerySet(models.QuerySet["KeyedUsage"]):
    """Words for choosing usage by key."""

    def for_org(self, organization: Organization) -> KeyedUsageQuerySet:
        """What `UsageHour.objects.for_org` gives; told apart by key where the organization is the tenant."""
        others = (
            Q(deployment__provider=organization)
            | Q(meter__node__cluster__provider=organization)
            | Q(meter__reporter=organization)
        )
        return self.filter(Q(tenant=organization) | (Q(is_part=False) & others))


class KeyedUsage(models.Model):
    """Usage hours with what is known of keys told apart, as the database's view `metering_keyedusage`.

    Every usage hour without a key, every key's part of it, and the same taken away from what has no key: sums by key
    add up to the usage hours, by construction.
    """

    id = models.UUIDField(primary_key=True)
    is_part = models.BooleanField(help_text="whether it comes from `KeyHour`")
    key = models.ForeignKey(UsageKey, models.DO_NOTHING, null=True, related_name="+")
    meter = models.ForeignKey("metering.Meter", models.DO_NOTHING, null=True, related_name="+")
    witness = models.CharField(max_length=8)
    quantity = models.CharField(max_length=16)
    model = models.CharField(max_length=200)
    hour_at = models.DateTimeField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    deployment = models.ForeignKey(Deployment, models.DO_NOTHING, null=True, related_name="+")
    tenant = models.ForeignKey(Organization, models.DO_NOTHING, null=True, related_name="+")
    quality = models.CharField(max_length=1)
    context_over = models.PositiveIntegerField()
    marks = models.CharField(max_length=48)
    value = models.BigIntegerField()
    records = models.BigIntegerField()

    objects = KeyedUsageQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "metering_keyedusage"

    def __str__(self) -> str:
        return f"{self.key_id} {self.quantity} {self.value}"
