"""The invoices that are still growing: what each open billing period comes to so far."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from billing.bases import Grain, read_bases, window_of
from billing.basis import days_together, rate
from billing.models import BillingPeriod, ContractState, PeriodState
from billing.rating.lines import make_bill
from tenants.limits.written_once import written_once
from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A period that is not invoiced yet; `amount` is what its invoice would be if it ended now."""

    period_id: UUID
    contract: str
    issuer: str
    currency: str
    time_zone: str
    from_at: datetime
    to_at: datetime
    amount: Decimal

    def is_over(self, now: datetime) -> bool:
        """Whether the period has ended and waits to be closed."""
        return now >= self.to_at


def draft_rows(organization: Organization, now: datetime) -> tuple[DraftRow, ...]:
    """Return what a tenant's open periods come to so far; the number of queries does not grow with contracts.

    A contract has one period that runs, and may have one before it that waits for late readings.
    """
    periods = _open(organization.pk, now)
    windows = [window_of(period, to_at=min(now, period.to_at)) for period in periods]
    bases = read_bases(windows, grain=Grain.PERIOD, summed=True)
    rows = [
        DraftRow(
            period_id=period.pk,
            contract=period.contract.number,
            issuer=period.contract.provider.name,
            currency=period.contract.currency,
            time_zone=period.contract.time_zone,
            from_at=period.from_at,
            to_at=period.to_at,
            amount=make_bill(rate(days_together(basis)).lines, period.contract.currency).total,
        )
        for period, basis in zip(periods, bases, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (row.to_at, row.contract)))


@written_once
def _open(tenant: UUID, now: datetime) -> QuerySet[BillingPeriod]:
    return (
        BillingPeriod.objects.filter(contract__tenant=tenant, state=PeriodState.OPEN, from_at__lte=now)
        .exclude(contract__state__in=(ContractState.DRAFT, ContractState.OFFERED))
        .select_related("contract__provider")
        .order_by("from_at", "contract__number")
    )
