"""The versions of price books as rating takes them."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from billing import models
from billing.rating.book import PriceVersion, TokenClass


def load_versions(
    *, book_ids: Collection[UUID], from_at: datetime, to_at: datetime
) -> dict[UUID | None, tuple[PriceVersion, ...]]:
    """Return by book the versions in force at some instant of `[from_at, to_at)`, in the order they start."""
    later = models.PriceVersion.objects.filter(
        book=OuterRef("book"), effective_at__gt=OuterRef("effective_at"), effective_at__lte=from_at
    )
    rows = list(
        models.PriceVersion.objects.filter(
            Q(effective_at__lt=to_at) | Q(effective_at__lte=from_at), ~Exists(later), book__in=book_ids
        ).order_by("effective_at")
    )
    tokens: dict[UUID, dict[tuple[str, TokenClass], Decimal]] = defaultdict(dict)
    tiers: dict[UUID, dict[tuple[str, TokenClass, int], Decimal]] = defaultdict(dict)
    for price in models.TokenPrice.objects.filter(version__in=rows):
        about = (price.model, TokenClass(price.token_class))
        if price.context_over:
            tiers[price.version_id][*about, price.context_over] = price.price_per_mtok
        else:
            tokens[price.version_id][about] = price.price_per_mtok
    gpus: dict[UUID, dict[str, Decimal]] = defaultdict(dict)
    for gpu in models.GpuPrice.objects.filter(version__in=rows):
        gpus[gpu.version_id][gpu.accelerator_model] = gpu.price_per_gpu_hour
    found: dict[UUID | None, tuple[PriceVersion, ...]] = {}
    for row in rows:
        version = PriceVersion(str(row.id), row.effective_at, tokens[row.id], gpus[row.id], tiers[row.id])
        found[row.book_id] = (*found.get(row.book_id, ()), version)
    return found
