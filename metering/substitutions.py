"""Reading what people put in the place of what was metered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Q, Sum

from metering.adjustment_models import Substitution, SubstitutionState
from metering.models import UsageHour
from metering.queries import BILLED
from tenants.limits.reader import within_own
from tenants.listing.paging import Page, Paged, page_values

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class SubstitutionRow:
    """One substitution with what it is about; people by name, for the provider's own pages."""

    id: UUID
    provider: str
    tenant: str | None
    meter_id: UUID
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
    proposed_by_id: UUID
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None


OF_BOTH: Final = "each names the reader as its provider or its tenant, and what was used or served as its own"
_ORDER: Final = ("-from_at", "-proposed_at", "id")
_COLUMNS: Final = (
    "id",
    "provider__name",
    "tenant__name",
    "meter_id",
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
    "proposed_by_id",
    "proposed_by__name",
    "proposed_at",
    "decided_by__name",
    "decided_at",
)


def substitutions_for(
    *,
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    states: Collection[str] = tuple(SubstitutionState.values),
    offset: int = 0,
    limit: int = 500,
) -> list[SubstitutionRow]:
    """Return the substitutions of a window, newest first: all of a provider, and of a tenant what was approved."""
    found = _substitutions(organization).filter(from_at__gte=from_at, from_at__lt=to_at, state__in=states)
    rows = found.order_by(*_ORDER).values_list(*_COLUMNS)
    with within_own(organization.pk, OF_BOTH):
        return [SubstitutionRow(*row) for row in rows[offset : offset + limit]]


def substitution_page(
    *, organization: Organization, from_at: datetime, to_at: datetime, page: Page
) -> Paged[SubstitutionRow]:
    """Return a page of what `substitutions_for` returns; one query. Raises WrongCursor."""
    found = _substitutions(organization).filter(from_at__gte=from_at, from_at__lt=to_at)
    with within_own(organization.pk, OF_BOTH):
        paged = page_values(found, page, _ORDER, _COLUMNS)
    return Paged([SubstitutionRow(*row) for row in paged.rows], paged.next_cursor)


def count_substitutions(*, organization: Organization, from_at: datetime, to_at: datetime) -> dict[str, int]:
    """Count what `substitutions_for` lists, by state."""
    rows = _substitutions(organization).filter(from_at__gte=from_at, from_at__lt=to_at).values_list("state")
    with within_own(organization.pk, OF_BOTH):
        return dict(rows.annotate(Count("id")).order_by("state"))


def standing_now(rows: Collection[SubstitutionRow]) -> dict[UUID, int]:
    """Return what is billable now in the place of each substitution, in the meter's own unit; by its id."""
    usage = UsageHour.objects.filter(
        meter_id__in={one.meter_id for one in rows},
        from_at__in={one.from_at for one in rows},
        quality__in=BILLED,
    )
    sums = usage.values_list("meter_id", "from_at").annotate(Sum("value")).order_by()
    known = {(meter_id, from_at): int(value) for meter_id, from_at, value in sums}
    return {one.id: known.get((one.meter_id, one.from_at), 0) for one in rows}


def _substitutions(organization: Organization) -> QuerySet[Substitution]:
    approved = Q(tenant=organization, state=SubstitutionState.APPROVED)
    return Substitution.objects.filter(Q(provider=organization) | approved)
