"""Public prices of others, as imported from a source on a date."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tenants.ids import new_id


class IndexSource(models.TextChoices):
    """Where public prices come from."""

    LITELLM = "litellm", "LiteLLM's price file: models"
    GPU_HOURS = "gpu_hours", "table of GPU-hour prices"


class IndexImport(models.Model):
    """One import: every price that a source said on a date. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source = models.CharField(max_length=16, choices=IndexSource.choices)
    as_of = models.DateField(help_text="the day of which the prices are")
    sha256 = models.CharField(max_length=64, help_text="of the imported file")
    read = models.PositiveIntegerField(help_text="entries of the file")
    skipped = models.JSONField(help_text="what could not be taken: where, and why")
    imported_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "as_of", "sha256"], name="index_import_once")
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.as_of}"


class IndexPrice(models.Model):
    """One public price: per 1M tokens, per image, per second, per request, or per GPU-hour. Append-only."""

    id = models.BigAutoField(primary_key=True)
    imported = models.ForeignKey(IndexImport, models.PROTECT, related_name="prices")
    seller = models.CharField(max_length=100)
    name = models.CharField(max_length=300, help_text="as the source names the model or card")
    model = models.CharField(max_length=200, help_text="by which own models and cards are compared")
    unit = models.CharField(max_length=16, help_text="per_mtok, per_image, per_second, per_request, per_gpu_hour")
    quantity = models.CharField(max_length=32, blank=True, default="")
    context_over = models.PositiveIntegerField(default=0, db_default=0)
    mark = models.CharField(max_length=16, blank=True, default="", help_text="batch, priority, spot, reserved")
    currency = models.CharField(max_length=3)
    price = models.DecimalField(max_digits=38, decimal_places=18, help_text="for one of `unit`")
    stated_on = models.DateField(help_text="when the source read it")
    link = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["imported", "seller", "name", "unit", "quantity", "context_over", "mark"],
                name="index_price_once",
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="index_price_not_negative"),
        ]
        indexes: ClassVar = [models.Index(fields=["imported", "model"], name="index_price_by_model")]

    def __str__(self) -> str:
        return f"{self.seller} {self.name} {self.price} {self.unit}"
