"""The versions of price books as rating takes them."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from billing import models
from billing.rating.book import PriceVersion
from billing.rating.price_lists import PriceKey, version_of
from billing.rating.rated import PriceUnit

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


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
    prices = prices_by_version([row.id for row in rows])
    found: dict[UUID | None, tuple[PriceVersion, ...]] = {}
    for row in rows:
        version = version_of(str(row.id), row.effective_at, prices[row.id], announced_at=row.announced_at)
        found[row.book_id] = (*found.get(row.book_id, ()), version)
    return found


def all_versions(book_ids: Collection[UUID]) -> dict[UUID | None, tuple[PriceVersion, ...]]:
    """Return by book every version that was ever published, in the order they start."""
    return load_versions(book_ids=book_ids, from_at=BEGINNING, to_at=END)


def prices_by_version(version_ids: Collection[UUID]) -> dict[UUID, dict[PriceKey, Decimal]]:
    """Return the prices of versions; three queries, whatever their number."""
    found: dict[UUID, dict[PriceKey, Decimal]] = {version_id: {} for version_id in version_ids}
    for token in models.TokenPrice.objects.filter(version__in=version_ids):
        key = PriceKey(PriceUnit.PER_MTOK, token.model, token.token_class, token.context_over)
        found[token.version_id][key] = token.price_per_mtok
    for gpu in models.GpuPrice.objects.filter(version__in=version_ids):
        found[gpu.version_id][PriceKey(PriceUnit.PER_GPU_HOUR, gpu.accelerator_model)] = gpu.price_per_gpu_hour
    for other in models.UnitPrice.objects.filter(version__in=version_ids):
        found[other.version_id][PriceKey(other.unit, other.model, other.quantity)] = other.price_per_unit
    return found
