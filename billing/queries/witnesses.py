"""What the gateway and the engines counted of the same tokens, deployment by deployment."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from billing.basis import BILLED_QUALITIES
from billing.models import TermDeployment
from billing.terms import in_words
from billing.usage_spans import metered_by
from metering.day_models import UsageDay
from metering.models import Quantity, UsageHour, Witness
from metering.summed_usage import DAY, parts_of, start_of
from tenants.limits.reader import within_own
from tenants.limits.written_once import written_once
from tenants.models import Organization

WITNESSES = (Witness.ENGINE, Witness.GATEWAY)
COUNTED_ONCE = (Quantity.INPUT, Quantity.CACHE_WRITE, Quantity.OUTPUT)
"""Cached input is a part of input and reasoning a part of output: adding them would count tokens twice."""
OWN_SHARES = "what witnesses counted of deployments under terms whose contracts name the reader as their tenant"


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """The two counts of a deployment's tokens; None where a witness saw nothing."""

    deployment: str
    term_ref: str
    billed_by: str
    billed: int | None
    control: int | None
    tolerance_percent: Decimal

    @property
    def difference(self) -> int | None:
        """Billed less control, in tokens; None where one of them is unknown."""
        return None if self.billed is None or self.control is None else self.billed - self.control

    @property
    def share(self) -> Decimal | None:
        """The difference as a share of what the controlling witness counted."""
        if self.difference is None or not self.control:
            return None
        return Decimal(self.difference) / self.control

    @property
    def within_tolerance(self) -> bool | None:
        """Whether the difference is as small as the contract allows; None where there is nothing to compare."""
        if self.difference is None or self.control is None:
            return None
        return abs(self.difference) * 100 <= self.tolerance_percent * self.control


def witness_rows(organization: Organization, from_at: datetime, to_at: datetime) -> tuple[WitnessRow, ...]:
    """Return both counts of every deployment under the tenant's token shares over `[from_at, to_at)`.

    Nine queries at most.
    """
    with within_own(organization.pk, OWN_SHARES):
        return _rows(organization, from_at, to_at)


def _rows(organization: Organization, from_at: datetime, to_at: datetime) -> tuple[WitnessRow, ...]:
    bound = _bound(organization.pk, from_at, to_at)
    in_words([each.term for each in bound])
    counted = _counted([each.deployment_id for each in bound], from_at, to_at)
    rows = []
    for each in bound:
        sums = counted[each.deployment_id]
        witness, tolerance_percent = metered_by(each.term.wording_at(to_at))
        billed_by = Witness(witness)
        control_by = Witness.ENGINE if billed_by is Witness.GATEWAY else Witness.GATEWAY
        if sums:
            rows.append(
                WitnessRow(
                    deployment=each.deployment.name,
                    term_ref=each.term.ref,
                    billed_by=billed_by,
                    billed=sums.get(billed_by),
                    control=sums.get(control_by),
                    tolerance_percent=tolerance_percent,
                )
            )
    return tuple(rows)


@written_once
def _bound(tenant: UUID, from_at: datetime, to_at: datetime) -> QuerySet[TermDeployment]:
    return (
        TermDeployment.objects.filter(
            Q(to_at__isnull=True) | Q(to_at__gt=from_at), term__contract__tenant=tenant, from_at__lt=to_at
        )
        .select_related("term", "deployment")
        .order_by("deployment__name", "deployment_id", "from_at")
    )


def _counted(deployments: list[UUID], from_at: datetime, to_at: datetime) -> dict[UUID, dict[str, int]]:
    parts, among = parts_of(from_at, to_at), frozenset(deployments)
    of_day = ((day, among.intersection(changed)) for day, changed in parts.stale.items())
    stale = tuple((day, its) for day, its in of_day if its)
    rows = [_in_hours(((since, until, among),)) for since, until in parts.hours]
    if stale:
        rows.append(_in_hours(tuple((start_of(day), start_of(day + DAY), its) for day, its in stale)))
    if parts.days is not None:
        first, end = parts.days
        rows.append(_in_days(among, start_of(first), start_of(end), stale))
    sums: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for deployment, witness, tokens in chain.from_iterable(rows):
        sums[deployment][witness] += int(tokens)
    # Sums leave out hours with nothing in them, and a witness that counted nothing is not one that is not there.
    alone = set() if parts.days is None else {each for each in among if len(sums[each]) < len(WITNESSES)}
    if alone:
        for deployment, witness, tokens in _in_empty_hours(alone, from_at, to_at):
            sums[deployment][witness] += int(tokens)
    return sums


@written_once
def _in_hours(
    spans: tuple[tuple[datetime, datetime, Collection[UUID]], ...],
) -> QuerySet[UsageHour, tuple[UUID, str, Any]]:
    """What was counted in the hours of deployments that begin in `[from, to)`."""
    which = Q(pk__in=[])
    for from_at, to_at, deployments in spans:
        which |= Q(deployment_id__in=deployments, from_at__gte=from_at, from_at__lt=to_at)
    return _summed(UsageHour.objects.filter(which))


@written_once
def _in_days(
    deployments: Collection[UUID], from_at: datetime, to_at: datetime, stale: tuple[tuple[date, Collection[UUID]], ...]
) -> QuerySet[UsageDay, tuple[UUID, str, Any]]:
    """What the sums of whole days come to but for stale ones. Asked for by their hours, one index finds them all."""
    days = UsageDay.objects.filter(deployment_id__in=deployments, from_at__gte=from_at, from_at__lt=to_at)
    for day, its in stale:
        days = days.exclude(deployment_id__in=its, utc_day=day)
    return _summed(days)


@written_once
def _in_empty_hours(
    deployments: Collection[UUID], from_at: datetime, to_at: datetime
) -> QuerySet[UsageHour, tuple[UUID, str, Any]]:
    hours = UsageHour.objects.filter(deployment_id__in=deployments, from_at__gte=from_at, from_at__lt=to_at, value=0)
    return _summed(hours)


def _summed(usage: QuerySet[Any]) -> QuerySet[Any, tuple[UUID, str, Any]]:
    counted = usage.filter(witness__in=WITNESSES, quantity__in=COUNTED_ONCE, quality__in=BILLED_QUALITIES)
    sums: QuerySet[Any, tuple[UUID, str, Any]] = counted.values_list("deployment_id", "witness").annotate(
        tokens=Sum("value")
    )
    return sums.order_by("deployment_id")
