"""Price books and their immutable versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from metering.models import Quantity
from tenants.ids import new_id
from tenants.models import Organization

if TYPE_CHECKING:
    from datetime import datetime


class PriceBook(models.Model):
    """A provider's list of prices in one currency."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="price_books")
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, help_text="ISO 4217")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "name"], name="price_book_name")]

    def __str__(self) -> str:
        return self.name


class PriceVersionQuerySet(models.QuerySet["PriceVersion"]):
    """Words for choosing price versions."""

    def in_force(self, at: datetime) -> PriceVersionQuerySet:
        """Versions that have started by an instant, the one in force first."""
        return self.filter(effective_at__lte=at).order_by("-effective_at")


class PriceVersion(models.Model):
    """One immutable version of a price book, in force from an instant until the next one's. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    book = models.ForeignKey(PriceBook, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    announced_at = models.DateTimeField()
    effective_at = models.DateTimeField()

    objects = PriceVersionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["book", "number"], name="price_version_number"),
            models.UniqueConstraint(fields=["book", "effective_at"], name="price_version_instant"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class TokenPrice(models.Model):
    """Price of one class of a model's tokens, per 1,000,000 tokens; of all requests, or of long ones. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="token_prices")
    model = models.CharField(max_length=200)
    token_class = models.CharField(max_length=16, choices=Quantity.choices)
    context_over = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="holds for the whole of a request whose input exceeds so many tokens; 0: for all requests",
    )
    price_per_mtok = models.DecimalField(max_digits=24, decimal_places=12)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version", "model", "token_class", "context_over"], name="token_price_once"
            ),
            models.CheckConstraint(condition=Q(price_per_mtok__gte=0), name="token_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.token_class} {self.price_per_mtok}"


class GpuPrice(models.Model):
    """Price of one whole card of a model, per GPU-hour. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="gpu_prices")
    accelerator_model = models.CharField(max_length=100)
    price_per_gpu_hour = models.DecimalField(max_digits=24, decimal_places=12)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "accelerator_model"], name="gpu_price_once"),
            models.CheckConstraint(condition=Q(price_per_gpu_hour__gte=0), name="gpu_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.accelerator_model} {self.price_per_gpu_hour}"


class UnitPrice(models.Model):
    """Price of what is neither a token nor a GPU-hour, per one of its unit; or a factor. Append-only.

    Per request, image, second or step of a served model; per GB-month of a kind of storage; a factor on the prices of
    usage with a mark (`quantity`), of one served model or of all ("").
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PriceVersion, models.PROTECT, related_name="unit_prices")
    unit = models.CharField(
        max_length=16, help_text="per_request, per_image, per_second, per_step, per_gb_month, factor"
    )
    model = models.CharField(max_length=200, blank=True, default="")
    quantity = models.CharField(max_length=32, blank=True, default="", help_text="what is counted, or a mark")
    price_per_unit = models.DecimalField(max_digits=24, decimal_places=12)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "unit", "model", "quantity"], name="unit_price_once"),
            models.CheckConstraint(condition=Q(price_per_unit__gte=0), name="unit_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.quantity} {self.price_per_unit} {self.unit}"
