"""Finds closed periods of which more is known than when they were last put on a bill."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.db.models.functions import Coalesce

from billing.models import Adjustment, BillingPeriod, PeriodState, TermDeployment, TermFact
from metering.models import UsageHour

STORED_WITHIN = timedelta(minutes=10)
"""How long usage may take from its instant of storing to being seen by others: no transaction takes longer."""

CLOCKS_WITHIN = timedelta(days=1)
"""How far a clock that stores usage may be behind the one that closed its period, for it to be found once a day."""


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """A closed period: whether more is known of it since it was last looked at, and whether a bill adjusts it."""

    period: BillingPeriod
    is_late: bool
    is_adjusted: bool


def closed_before(into: BillingPeriod, stored_within: timedelta = STORED_WITHIN) -> list[ClosedPeriod]:
    """Return the closed periods before one, in order, with what the bill of that one has to do with them; one query."""
    return closed_before_each([into], stored_within)[into.pk]


def closed_before_each(
    into: Sequence[BillingPeriod], stored_within: timedelta = STORED_WITHIN
) -> dict[UUID, list[ClosedPeriod]]:
    """Do `closed_before` for open periods of different contracts, by their ids; one query."""
    by_contract = {period.contract_id: period for period in into}
    adjusted = Adjustment.objects.filter(period=OuterRef("pk"), into__in=into)
    closed = BillingPeriod.objects.filter(
        contract__in=list(by_contract), state=PeriodState.CLOSED, to_at__lte=max(period.from_at for period in into)
    ).annotate(late=ExpressionWrapper(_late(stored_within), BooleanField()), is_adjusted=Exists(adjusted))
    found: dict[UUID, list[ClosedPeriod]] = {period.pk: [] for period in into}
    for row in closed.order_by("from_at"):
        before = by_contract[row.contract_id]
        if row.to_at <= before.from_at:
            found[before.pk].append(ClosedPeriod(row, getattr(row, "late"), getattr(row, "is_adjusted")))  # noqa: B009  annotated
    return found


def late_contracts(contract_ids: Collection[UUID], stored_within: timedelta = STORED_WITHIN) -> list[UUID]:
    """Return which of the contracts have closed periods with usage that is on no bill yet; one query."""
    closed = BillingPeriod.objects.filter(contract__in=contract_ids, state=PeriodState.CLOSED).filter(
        _late(stored_within)
    )
    return sorted(set(closed.values_list("contract_id", flat=True)))


LATE_FACTS = ("agreed_counts", "audit_finding", "stated_outage")
"""Facts that parties may settle of a closed period, where their share has no open one left to count in, and outages
that a provider states of one."""


def _late(stored_within: timedelta) -> Q:
    since = Coalesce(OuterRef("restated_at"), OuterRef("closed_at")) - stored_within
    settled = TermFact.objects.filter(
        term__contract=OuterRef("contract"),
        at__gte=OuterRef("from_at"),
        at__lt=OuterRef("to_at"),
        recorded_at__gt=since,
        document__fact__in=LATE_FACTS,
    )
    bound = TermDeployment.objects.filter(term__contract=OuterRef(OuterRef("contract"))).values("deployment_id")
    used = UsageHour.objects.filter(
        deployment_id__in=bound,
        from_at__gte=OuterRef("from_at"),
        from_at__lt=OuterRef("to_at"),
        updated_at__gt=since,
    )
    return Q(Exists(settled)) | Q(Exists(used))
