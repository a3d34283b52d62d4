"""The versions of price books as rating takes them."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.rating.book import PriceVersion
from billing.rating.price_lists import PriceKey, version_of
from billing.rating.rated import PriceUnit

BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)

IN_FORCE: Final = """
    SELECT id, book_id, effective_at, announced_at FROM billing_priceversion version
    WHERE book_id = ANY (%(books)s) AND (effective_at < %(to_at)s OR effective_at <= %(from_at)s) AND NOT EXISTS (
        SELECT FROM billing_priceversion later WHERE later.book_id = version.book_id
        AND later.effective_at > version.effective_at AND later.effective_at <= %(from_at)s
    ) ORDER BY effective_at
"""
"""The versions of books that start before the end, without those that another follows by the start."""


def load_versions(
    *, book_ids: Collection[UUID], from_at: datetime, to_at: datetime
) -> dict[UUID | None, tuple[PriceVersion, ...]]:
    """Return by book the versions in force at some instant of `[from_at, to_at)`, in the order they start."""
    with connection.cursor() as cursor:
        cursor.execute(IN_FORCE, {"books": list(book_ids), "from_at": from_at, "to_at": to_at})
        rows = cursor.fetchall()
    prices = prices_by_version([row[0] for row in rows])
    found: dict[UUID | None, tuple[PriceVersion, ...]] = {}
    for version_id, book_id, effective_at, announced_at in rows:
        version = version_of(str(version_id), effective_at, prices[version_id], announced_at=announced_at)
        found[book_id] = (*found.get(book_id, ()), version)
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
