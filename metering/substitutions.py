"""Reading what people put in the place of what was metered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from metering.adjustment_models import Substitution, SubstitutionState

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class SubstitutionRow:
    """One substitution with what it is about; people by name, for the provider's own pages."""

    id: UUID
    from_at: datetime
    to_at: datetime
    node: str
    deployment: str | None
    model: str
    quantity: str
    value_before: int
    value: int
    reason: str
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None


def substitutions_for(
    *, organization: Organization, from_at: datetime, to_at: datetime, offset: int = 0, limit: int = 500
) -> list[SubstitutionRow]:
    """Return the substitutions of a window, newest first: all of a provider, and of a tenant what was approved."""
    approved = Q(tenant=organization, state=SubstitutionState.APPROVED)
    rows = (
        Substitution.objects.filter(Q(provider=organization) | approved)
        .filter(from_at__gte=from_at, from_at__lt=to_at)
        .order_by("-from_at", "-proposed_at", "id")
        .values_list(
            "id",
            "from_at",
            "to_at",
            "meter__node__name",
            "deployment__slug",
            "meter__model",
            "meter__quantity",
            "value_before",
            "value",
            "reason",
            "state",
            "proposed_by__name",
            "proposed_at",
            "decided_by__name",
            "decided_at",
        )
    )
    return [SubstitutionRow(*row) for row in rows[offset : offset + limit]]
