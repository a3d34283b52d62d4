"""Two witnesses side by side: what the engines counted, what the gateways reported, and what explains the rest.

Per deployment, model, class and hour, or over a whole window. Three queries, however many rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Q, Sum

from clusters.models import Binding
from metering.event_models import ExplainingHour
from metering.models import Quantity, Witness
from metering.queries import BILLED, usage_in
from metering.residuals import NOTHING, Sampled, Stretch, explain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.checks import Residual
    from tenants.models import Organization

HOUR: Final = timedelta(hours=1)
COMPARED: Final = (Quantity.INPUT, Quantity.CACHED_INPUT, Quantity.OUTPUT, Quantity.REASONING, Quantity.REQUESTS)
FINISHED: Final[Mapping[str, str]] = {
    Quantity.INPUT: Quantity.FINISHED_INPUT,
    Quantity.OUTPUT: Quantity.FINISHED_OUTPUT,
}
NO_ENGINES: Final[frozenset[str]] = frozenset()
Series = tuple["UUID", str]


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
    at: datetime
    engine: int
    gateway: int
    quarantined: int


def residual_hours(
    *,
    organization: Organization | None,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None = None,
) -> list[WitnessHour]:
    """Compare the witnesses hour by hour over a window; deployments that only one of them saw are there too.

    Without an organization everybody's are compared.
    """
    return [
        WitnessHour(*_parts(counted.key), counted.at, residual, counted.quarantined)
        for counted, residual in _compared(organization, from_at, to_at, filters, by_hour=True)
    ]


def residual_totals(
    *,
    organization: Organization | None,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None = None,
    deployment_ids: Collection[UUID] | None = None,
) -> list[WitnessTotal]:
    """Compare the witnesses over a whole window, of the given deployments only where they are given."""
    compared = _compared(organization, from_at, to_at, filters, by_hour=False, only_ids=deployment_ids)
    return [WitnessTotal(*_parts(counted.key), residual, counted.quarantined) for counted, residual in compared]


def _parts(key: tuple[UUID, str, str, str]) -> tuple[UUID, str, str, str]:
    deployment_id, model, quantity, slug = key
    return deployment_id, slug, model, quantity


def _compared(
    organization: Organization | None,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None,
    *,
    by_hour: bool,
    only_ids: Collection[UUID] | None = None,
) -> list[tuple[_Counted, Residual]]:
    chosen = dict(filters or {})
    only = chosen.pop("class", None)
    rows = _counted(organization, from_at, to_at, chosen, by_hour=by_hour, only_ids=only_ids)
    by_place = {(row.key[0], row.key[1], row.key[2], row.at): row for row in rows}
    sampled = _sampled(organization, from_at, to_at, by_hour=by_hour)
    engines = _engines({row.key[0] for row in rows})
    found: list[tuple[_Counted, Residual]] = []
    for key, group in groupby(rows, key=lambda row: row.key):
        deployment_id, model, quantity, _ = key
        if quantity not in COMPARED or (only is not None and quantity != only):
            continue
        counted = list(group)
        stretches = [_stretch(row, by_place, sampled.get((deployment_id, model, row.at), NOTHING)) for row in counted]
        compared = explain(quantity, engines.get(deployment_id, NO_ENGINES), stretches)
        found += zip(counted, compared, strict=True)
    return found


def _stretch(row: _Counted, by_place: Mapping[tuple[UUID, str, str, datetime], _Counted], sampled: Sampled) -> Stretch:
    deployment_id, model, quantity, _ = row.key
    finished = by_place.get((deployment_id, model, FINISHED.get(quantity, ""), row.at))
    cached = by_place.get((deployment_id, model, Quantity.CACHED_INPUT.value, row.at))
    return Stretch(
        at=row.at,
        engine=row.engine,
        gateway=row.gateway,
        finished=finished.engine if finished else None,
        uncounted_cached=max(0, cached.gateway - cached.engine) if cached else 0,
        sampled=sampled,
    )


def _counted(
    organization: Organization | None,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str],
    *,
    by_hour: bool,
    only_ids: Collection[UUID] | None,
) -> Sequence[_Counted]:
    usage = usage_in(organization=organization, from_at=from_at, to_at=to_at, filters=filters).filter(
        deployment__isnull=False,
        witness__in=(Witness.ENGINE, Witness.GATEWAY),
        quantity__in=(*COMPARED, *FINISHED.values()),
    )
    if only_ids is not None:
        usage = usage.filter(deployment_id__in=only_ids)
    if organization is not None:
        # Who only reported sees one of the two witnesses: to compare it would tell of a difference that is not there.
        usage = usage.filter(Q(deployment__tenant=organization) | Q(deployment__provider=organization))
    keys = ["deployment_id", "model", "quantity", "deployment__slug"]
    if by_hour:
        usage = usage.annotate(at=F("hour_at"))
        keys.append("at")
    rows = (
        usage.values(*keys)
        .annotate(
            engine=Sum("value", filter=Q(witness=Witness.ENGINE, quality__in=BILLED), default=0),
            gateway=Sum("value", filter=Q(witness=Witness.GATEWAY, quality__in=BILLED), default=0),
            held=Sum("value", filter=Q(witness=Witness.ENGINE) & ~Q(quality__in=BILLED), default=0),
        )
        .order_by(*keys)
    )
    return [
        _Counted(
            (row["deployment_id"], row["model"], row["quantity"], row["deployment__slug"]),
            row.get("at", from_at),
            int(row["engine"]),
            int(row["gateway"]),
            int(row["held"]),
        )
        for row in rows
    ]


def _sampled(
    organization: Organization | None, from_at: datetime, to_at: datetime, *, by_hour: bool
) -> dict[tuple[UUID, str, datetime], Sampled]:
    """What gateways reported of requests with several answers, or aborted, as far as it was rolled up."""
    hours = ExplainingHour.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at)
    if organization is not None:
        hours = hours.filter(Q(deployment__tenant=organization) | Q(deployment__provider=organization))
    rows = hours.values("deployment_id", "model", *(["hour_at"] if by_hour else [])).annotate(
        several=Sum("several_requests"),
        tokens=Sum("several_input"),
        repeated=Sum("repeated_input"),
        answers=Sum("further_answers"),
        left=Sum("aborted_requests"),
    )
    return {
        (row["deployment_id"], row["model"], row.get("hour_at", from_at)): Sampled(
            *(int(row[name]) for name in ("several", "tokens", "repeated", "answers", "left"))
        )
        for row in rows
    }


def _engines(deployment_ids: set[UUID]) -> dict[UUID, frozenset[str]]:
    """The kinds of engine that ever served deployments."""
    found: dict[Any, set[str]] = defaultdict(set)
    rows = Binding.objects.filter(deployment_id__in=deployment_ids).values_list("deployment_id", "endpoint__engine")
    for deployment_id, engine in rows.distinct():
        found[deployment_id].add(engine)
    return {deployment_id: frozenset(engines) for deployment_id, engines in found.items()}
