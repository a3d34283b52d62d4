"""Usage hours summed by UTC day and by week, and which of those days are to be summed anew."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from clusters.models import Deployment
from tenants.models import Organization


class UsageDay(models.Model):
    """What the usage hours of one deployment, witness, class and so on come to in a UTC day; nothing of its own.

    `from_at` and `to_at` are where the hours with usage begin and end. Its names are those of `UsageHour`, so that the
    same conditions choose from both. `metering.usage_days` makes it and can make it again.
    """

    utc_day = models.DateField()
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="+", db_index=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+", db_index=False)
    witness = models.CharField(max_length=8)
    quantity = models.CharField(max_length=16)
    model = models.CharField(max_length=200)
    quality = models.CharField(max_length=1)
    context_over = models.PositiveIntegerField()
    marks = models.CharField(max_length=48)
    value = models.BigIntegerField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["deployment", "witness", "from_at"], name="usage_day_by_deployment"),
            models.Index(fields=["utc_day"], name="usage_day_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.utc_day} {self.value}"


class UsageWeek(models.Model):
    """What the sums of days come to in a week from Monday on, by UTC, with less told apart; nothing of its own.

    The database keeps it as sums of days are written and taken away, in the same transaction: at every instant it is
    what they come to, and no more to be relied on than they are. A series may stand at 0. Its names are those of
    `UsageHour`, so that the same conditions choose from both.
    """

    utc_week = models.DateField()
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="+", db_index=False)
    witness = models.CharField(max_length=8)
    quantity = models.CharField(max_length=16)
    model = models.CharField(max_length=200)
    quality = models.CharField(max_length=1)
    value = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["utc_week", "deployment", "witness", "quantity", "model", "quality"], name="usage_week_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["deployment", "utc_week"], name="usage_week_by_deployment")]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.utc_week} {self.value}"


class UsageDayChange(models.Model):
    """Usage hours of a day that was over were written: its sums are not to be relied on until they are made anew.

    The database notes it itself, in the transaction that writes the hours; each writer a row of its own, so that none
    waits for another.
    """

    # Not held by the database: to look the deployment up would lock its row, for every writer of late hours.
    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    day = models.DateField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["deployment", "day"], name="usage_day_changed")]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.day}"


class UsageDaysSummed(models.Model):
    """How far days are summed; one row. Days after `day` are in the hours alone."""

    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day}"
