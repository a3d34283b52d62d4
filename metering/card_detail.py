"""One card over the last months: who held which part of it, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clusters.models import Allocation
from clusters.own_floor import own_floor

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

HOLDERS_MAX: Final = 200
"""The newest; the API of allocations has them all."""


@dataclass(frozen=True, slots=True)
class HoldSpan:
    """A part of a card in somebody's hands; `to_at` is None where no end is set."""

    kind: str
    label: str
    profile: str
    share_permille: int
    tenant_id: UUID
    tenant: str
    from_at: datetime
    to_at: datetime | None


def holders_of(*, provider: Organization, card_id: UUID, limit: int = HOLDERS_MAX) -> tuple[HoldSpan, ...]:
    """Return who held and will hold the slices of a provider's card, retired ones too, the newest first; one query."""
    rows = (
        Allocation.objects.filter(slice__accelerator_id=card_id, slice__accelerator__node__cluster__provider=provider)
        .order_by("-from_at", "slice__label", "id")
        .values_list(
            "slice__kind", "slice__label", "slice__profile", "slice__share_permille", "tenant_id", "tenant__name",
            "from_at", "to_at",
        )
    )  # fmt: skip
    with own_floor(provider):
        return tuple(HoldSpan(*row) for row in rows[:limit])
