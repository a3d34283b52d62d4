"""Two witnesses side by side: what the engines counted, what the gateways reported, and what explains the rest.

Per deployment, model, class and hour. A request that ends just after the full hour is counted by the engine before
it and reported after it: such differences of neighbouring hours cancel and are explained as in flight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

from django.db.models import Q, Sum
from django.db.models.functions import TruncHour

from metering.checks import Cause, Explained, Residual, residual
from metering.models import Quantity, Witness
from metering.queries import BILLED, usage_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

HOUR: Final = timedelta(hours=1)
COMPARED: Final = (Quantity.INPUT, Quantity.CACHED_INPUT, Quantity.OUTPUT, Quantity.REASONING, Quantity.REQUESTS)


@dataclass(frozen=True, slots=True)
class WitnessHour:
    """Both witnesses of one deployment, model and class in one hour; `quarantined` is held back from `engine`."""

    deployment_id: UUID
    deployment: str
    model: str
    quantity: str
    hour_at: datetime
    residual: Residual
    quarantined: int


@dataclass(frozen=True, slots=True)
class WitnessTotal:
    """The same over the whole window."""

    deployment_id: UUID
    deployment: str
    model: str
    quantity: str
    residual: Residual
    quarantined: int


@dataclass(frozen=True, slots=True)
class _Counted:
    key: tuple[UUID, str, str, str]
    hour_at: datetime
    engine: int
    gateway: int
    quarantined: int

    @property
    def difference(self) -> int:
        return self.engine - self.gateway


def residual_hours(
    *,
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None = None,
) -> list[WitnessHour]:
    """Compare the witnesses hour by hour over a window; deployments that only one of them saw are there too."""
    found = []
    for key, group in groupby(_counted(organization, from_at, to_at, filters), key=lambda one: one.key):
        counted = list(group)
        deployment_id, deployment, model, quantity = key
        for one, moved in zip(counted, in_flight([(each.hour_at, each.difference) for each in counted]), strict=True):
            explained = [Explained(Cause.IN_FLIGHT, moved)] if moved else []
            compared = residual(engine=one.engine, gateway=one.gateway, explained=explained)
            found.append(
                WitnessHour(deployment_id, deployment, model, quantity, one.hour_at, compared, one.quarantined)
            )
    return found


def residual_totals(
    *,
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None = None,
) -> list[WitnessTotal]:
    """Compare the witnesses over a whole window."""
    found = []
    for key, group in groupby(_counted(organization, from_at, to_at, filters), key=lambda one: one.key):
        counted = list(group)
        compared = residual(engine=sum(one.engine for one in counted), gateway=sum(one.gateway for one in counted))
        deployment_id, deployment, model, quantity = key
        quarantined = sum(one.quarantined for one in counted)
        found.append(WitnessTotal(deployment_id, deployment, model, quantity, compared, quarantined))
    return found


def in_flight(differences: Sequence[tuple[datetime, int]]) -> list[int]:
    """Return for each hour what of its difference its neighbours cancel; these sum to zero.

    `differences` are (hour, engine minus gateway) in order; an hour that is not there had none.
    """
    left = [difference for _, difference in differences]
    for index, ((hour_at, _), (next_at, _)) in enumerate(pairwise(differences)):
        here, there = left[index], left[index + 1]
        if next_at - hour_at == HOUR and here * there < 0:
            moved = min(abs(here), abs(there)) * (1 if here > 0 else -1)
            left[index] -= moved
            left[index + 1] += moved
    return [difference - rest for (_, difference), rest in zip(differences, left, strict=True)]


def _counted(
    organization: Organization, from_at: datetime, to_at: datetime, filters: Mapping[str, str] | None
) -> list[_Counted]:
    rows = (
        usage_in(organization=organization, from_at=from_at, to_at=to_at, filters=filters)
        .filter(deployment__isnull=False, witness__in=(Witness.ENGINE, Witness.GATEWAY), quantity__in=COMPARED)
        .annotate(at=TruncHour("from_at"))
        .values_list("deployment_id", "deployment__slug", "model", "quantity", "at")
        .annotate(
            engine=Sum("value", filter=Q(witness=Witness.ENGINE, quality__in=BILLED), default=0),
            gateway=Sum("value", filter=Q(witness=Witness.GATEWAY, quality__in=BILLED), default=0),
            held=Sum("value", filter=Q(witness=Witness.ENGINE) & ~Q(quality__in=BILLED), default=0),
        )
        .order_by("deployment_id", "model", "quantity", "at")
    )
    return [
        _Counted((deployment, slug, model, quantity), at, int(engine), int(gateway), int(held))
        for deployment, slug, model, quantity, at, engine, gateway, held in rows
    ]
