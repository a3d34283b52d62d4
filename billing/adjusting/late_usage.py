"""Finds closed periods of which more is known than when they were last put on a bill."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from billing.models import Adjustment, BillingPeriod, PeriodState, TermDeployment
from metering.models import UsageHour

STORED_WITHIN = timedelta(minutes=10)
"""How long usage may take from its instant of storing to being seen by others: no transaction takes longer."""


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """A closed period: whether usage was stored since it was last looked at, and whether a bill adjusts it already."""

    period: BillingPeriod
    is_late: bool
    is_adjusted: bool


def closed_before(into: BillingPeriod) -> list[ClosedPeriod]:
    """Return the closed periods before one, in order, with what the bill of that one has to do with them; one query."""
    closed = BillingPeriod.objects.filter(
        contract=into.contract_id, state=PeriodState.CLOSED, to_at__lte=into.from_at
    ).annotate(late=_late(), is_adjusted=Exists(Adjustment.objects.filter(period=OuterRef("pk"), into=into)))
    rows = list(closed.order_by("from_at"))
    return [ClosedPeriod(row, getattr(row, "late"), getattr(row, "is_adjusted")) for row in rows]  # noqa: B009  annotated


def late_contracts(contract_ids: Collection[UUID]) -> list[UUID]:
    """Return which of the contracts have closed periods with usage that is on no bill yet; one query."""
    closed = BillingPeriod.objects.filter(contract__in=contract_ids, state=PeriodState.CLOSED).filter(_late())
    return sorted(set(closed.values_list("contract_id", flat=True)))


def _late() -> Exists:
    bound = TermDeployment.objects.filter(term__contract=OuterRef(OuterRef("contract"))).values("deployment_id")
    return Exists(
        UsageHour.objects.filter(
            deployment_id__in=bound,
            from_at__gte=OuterRef("from_at"),
            from_at__lt=OuterRef("to_at"),
            updated_at__gt=Coalesce(OuterRef("restated_at"), OuterRef("closed_at")) - STORED_WITHIN,
        )
    )
