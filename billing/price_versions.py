"""The versions of price books as rating takes them."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
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


PRICES: Final = """
    SELECT version_id, %(per_mtok)s AS unit, model, token_class AS quantity, context_over, price_per_mtok
    FROM billing_tokenprice WHERE version_id = ANY (%(versions)s)
    UNION ALL SELECT version_id, %(per_gpu_hour)s, accelerator_model, '', 0, price_per_gpu_hour
    FROM billing_gpuprice WHERE version_id = ANY (%(versions)s)
    UNION ALL SELECT version_id, unit, model, quantity, 0, price_per_unit
    FROM billing_unitprice WHERE version_id = ANY (%(versions)s)
"""


def prices_by_version(version_ids: Collection[UUID]) -> dict[UUID, dict[PriceKey, Decimal]]:
    """Return the prices of versions; one query, whatever their number: all that rates or shows a price asks it."""
    found: dict[UUID, dict[PriceKey, Decimal]] = {version_id: {} for version_id in version_ids}
    if not found:
        return found
    asked: dict[str, Any] = {
        "versions": list(found),
        "per_mtok": PriceUnit.PER_MTOK.value,
        "per_gpu_hour": PriceUnit.PER_GPU_HOUR.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(PRICES, asked)
        for version_id, unit, model, quantity, context_over, price in cursor:
            found[version_id][PriceKey(unit, model, quantity, context_over)] = price
    return found
