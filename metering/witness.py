"""Two witnesses side by side: what the engines counted, what the gateways reported, and what explains the rest.

Per deployment, model, class and hour, or over a whole window. Three queries, however many rows.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, Q, Sum, When

from clusters.models import Deployment
from metering.checks import Residual, residual
from metering.day_models import UsageDay, UsageWeek
from metering.event_models import ExplainingHour
from metering.models import Meter, Quantity, UsageHour, Witness
from metering.queries import BILLED, FILTER_FIELDS
from metering.residuals import NOTHING, Sampled, Stretch, explain, leaves_cached_out
from metering.summed_usage import week_parts_of
from tenants.limits.reader import within_own

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from tenants.models import Organization

HOUR: Final = timedelta(hours=1)
DEPLOYMENTS_AT_ONCE: Final = 25
COMPARED: Final = (Quantity.INPUT, Quantity.CACHED_INPUT, Quantity.OUTPUT, Quantity.REASONING, Quantity.REQUESTS)
FINISHED: Final[Mapping[str, str]] = {
    Quantity.INPUT: Quantity.FINISHED_INPUT,
    Quantity.OUTPUT: Quantity.FINISHED_OUTPUT,
}
FINISHED_CLASSES: Final = frozenset(FINISHED.values())
BESIDE: Final = FINISHED_CLASSES | {Quantity.CACHED_INPUT.value}
"""Classes that explain another."""
_ENGINE, _BILLED = Q(witness=Witness.ENGINE), Q(quality__in=BILLED)
COUNTS: Final = {
    "engine": Case(When(_ENGINE & _BILLED, then="value")),
    "gateway": Case(When(Q(witness=Witness.GATEWAY) & _BILLED, then="value")),
    "quarantined": Case(When(_ENGINE & ~_BILLED, then="value")),
}
"""What bills of either witness, and what of the engines' is held back."""
_Key = tuple["UUID", str, str]
"""Deployment, model and class."""
ADDED: Final = """
    SELECT deployment_id::text, model, quantity, coalesce(sum(engine), 0)::bigint, coalesce(sum(gateway), 0)::bigint,
        coalesce(sum(quarantined), 0)::bigint{at}
    FROM ({parts}) AS parts GROUP BY deployment_id, model, quantity{at}
    ORDER BY deployment_id, model COLLATE "C", quantity COLLATE "C"{at}
"""
OWN_DEPLOYMENTS: Final = "usage of deployments that name their tenant and their provider, of which the reader is one"


class WitnessHour(msgspec.Struct, frozen=True):
    """Both witnesses of one deployment, model and class in one hour; `quarantined` is held back from `engine`."""

    deployment_id: UUID
    deployment: str
    model: str
    quantity: str
    hour_at: datetime
    residual: Residual
    quarantined: int


class WitnessTotal(msgspec.Struct, frozen=True):
    """The same over the whole window."""

    deployment_id: UUID
    deployment: str
    model: str
    quantity: str
    residual: Residual
    quarantined: int


class _Counted(msgspec.Struct, frozen=True):
    """What was counted of one series in an hour or a window; `quarantined` is of the engines'."""

    key: _Key
    at: datetime
    engine: int = 0
    gateway: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class _Window:
    """Whose usage is compared and when; of all deployments where none are named."""

    organization: Organization | None
    from_at: datetime
    to_at: datetime
    only_ids: Collection[UUID] | None = None

    def hours(self, filters: Mapping[str, str]) -> QuerySet[UsageHour]:
        """Choose what is compared of usage hours."""
        chosen = {FILTER_FIELDS[name]: value for name, value in filters.items()}
        return self.of(UsageHour.objects.filter(from_at__gte=self.from_at, from_at__lt=self.to_at, **chosen))

    def of(self, usage: QuerySet[Any]) -> QuerySet[Any]:
        """Choose what is compared of hours or days."""
        chosen = usage.filter(
            deployment__isnull=False,
            witness__in=(Witness.ENGINE, Witness.GATEWAY),
            quantity__in=(*COMPARED, *FINISHED.values()),
        )
        if self.only_ids is not None:
            chosen = chosen.filter(deployment_id__in=self.only_ids)
        if self.organization is None:
            return chosen
        # Who only reported sees one of the two witnesses: to compare it would tell of a difference that is not there.
        return chosen.filter(Q(deployment__tenant=self.organization) | Q(deployment__provider=self.organization))


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
    return list(_hours(_Window(organization, from_at, to_at), filters))


def each_residual_hour(
    *, organization: Organization, from_at: datetime, to_at: datetime, filters: Mapping[str, str] | None = None
) -> Iterator[WitnessHour]:
    """Yield what `residual_hours` returns, in its order, read some deployments at a time: a year is never in memory."""
    chosen = Deployment.objects.for_org(organization)
    if filters and "deployment" in filters:
        chosen = chosen.filter(slug=filters["deployment"])
    ids = list(chosen.order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(ids), DEPLOYMENTS_AT_ONCE):
        window = _Window(organization, from_at, to_at, ids[first : first + DEPLOYMENTS_AT_ONCE])
        yield from _hours(window, filters)


def _hours(window: _Window, filters: Mapping[str, str] | None) -> Iterator[WitnessHour]:
    for slug, counted, compared in _compared(window, filters, _by_hour):
        deployment_id, model, quantity = counted.key
        yield WitnessHour(deployment_id, slug, model, quantity, counted.at, compared, counted.quarantined)


def residual_totals(
    *,
    organization: Organization | None,
    from_at: datetime,
    to_at: datetime,
    filters: Mapping[str, str] | None = None,
    deployment_ids: Collection[UUID] | None = None,
    summed: bool = False,
) -> list[WitnessTotal]:
    """Compare the witnesses over a whole window, of the given deployments only where they are given.

    `summed` reads weeks and days that are over as their sums (`metering.summed_usage`): the same, but that series in
    which nothing was counted at all may be missing. Four queries more at most.
    """
    window = _Window(organization, from_at, to_at, deployment_ids)
    compared = _compared(window, filters, _summed if summed else _in_total)
    return [
        WitnessTotal(counted.key[0], slug, counted.key[1], counted.key[2], residual, counted.quarantined)
        for slug, counted, residual in compared
    ]


def _compared(
    window: _Window,
    filters: Mapping[str, str] | None,
    count: Callable[[_Window, Mapping[str, str]], Sequence[_Counted]],
) -> list[tuple[str, _Counted, Residual]]:
    """Compare series by series, ordered by deployment, model, class and hour; the deployment's slug comes first."""
    chosen = dict(filters or {})
    only = chosen.pop("class", None)
    with within_own(window.organization.pk, OWN_DEPLOYMENTS) if window.organization else nullcontext():
        rows = count(window, chosen)
        sampled = _sampled(window, by_hour=count is _by_hour)
        known = _deployments(window, {row.key[0] for row in rows})
    found: list[tuple[str, _Counted, Residual]] = []
    wanted = COMPARED if only is None else tuple(quantity for quantity in COMPARED if quantity == only)
    for (deployment_id, model), group in groupby(rows, key=lambda row: row.key[:2]):
        slug, engines = known[deployment_id]
        served = list(group)
        if _is_bare(served, engines, sampled):
            found += [
                (slug, row, residual(engine=row.engine, gateway=row.gateway)) for row in served if row.key[2] in wanted
            ]
            continue
        series = {quantity: list(rows_of) for quantity, rows_of in groupby(served, key=lambda row: row.key[2])}
        beside = {(quantity, row.at): row for quantity in BESIDE & series.keys() for row in series[quantity]}
        for quantity, counted in series.items():
            if quantity not in wanted:
                continue
            stretches = [
                _stretch(row, beside, engines, sampled.get((deployment_id, model, row.at), NOTHING)) for row in counted
            ]
            compared = explain(quantity, engines, stretches)
            found += [(slug, row, one) for row, one in zip(counted, compared, strict=True)]
    return found


def _is_bare(
    served: Sequence[_Counted],
    engines: frozenset[str],
    sampled: Mapping[tuple[UUID, str, datetime], Sampled],
) -> bool:
    """Whether nothing is known that could explain a difference of any series of a deployment and model.

    So it is with most of what one witness counted alone: thousands of series of a large provider.
    """
    quantities = {row.key[2] for row in served}
    if len(quantities) != len(served) or not FINISHED_CLASSES.isdisjoint(quantities):
        return False
    if leaves_cached_out(Quantity.INPUT, engines):
        return False
    return not sampled or not any((*row.key[:2], row.at) in sampled for row in served)


def _stretch(
    row: _Counted, beside: Mapping[tuple[str, datetime], _Counted], engines: frozenset[str], sampled: Sampled
) -> Stretch:
    quantity = row.key[2]
    finished = beside.get((FINISHED.get(quantity, ""), row.at))
    cached = beside.get((Quantity.CACHED_INPUT.value, row.at)) if leaves_cached_out(quantity, engines) else None
    return Stretch(
        at=row.at,
        engine=row.engine,
        gateway=row.gateway,
        finished=finished.engine if finished else None,
        uncounted_cached=max(0, cached.gateway - cached.engine) if cached else 0,
        sampled=sampled,
    )


def _in_order(row: _Counted) -> tuple[int, str, str, datetime]:
    return row.key[0].int, row.key[1], row.key[2], row.at


def _by_hour(window: _Window, filters: Mapping[str, str]) -> Sequence[_Counted]:
    return _added(window, [window.hours(filters)], by_hour=True)


def _in_total(window: _Window, filters: Mapping[str, str]) -> Sequence[_Counted]:
    return _added(window, [window.hours(filters)])


def _summed(window: _Window, filters: Mapping[str, str]) -> Sequence[_Counted]:
    """The same as `_in_total`, from sums of weeks and days as far as they stand and from the hours of the rest."""
    parts = week_parts_of(window.from_at, window.to_at)
    if not parts.days and parts.weeks is None:
        return _in_total(window, filters)
    chosen = {FILTER_FIELDS[name]: value for name, value in filters.items()}
    usage = [window.hours(filters).filter(part) for part in parts.hours]
    usage += [window.of(UsageDay.objects.filter(part, **chosen)) for part in parts.days]
    if parts.weeks is not None:
        usage.append(window.of(UsageWeek.objects.filter(parts.weeks, **chosen)))
    rows = _added(window, usage)
    told = list(_told_nothing(window, rows))
    return sorted([*rows, *told], key=_in_order) if told else rows


def _added(window: _Window, usage: Iterable[QuerySet[Any]], *, by_hour: bool = False) -> list[_Counted]:
    """Add hours or days up, by the hour or over the whole window, in the order in which series are compared."""
    parts: list[str] = []
    given: list[Any] = []
    grouped = ("deployment_id", "model", "quantity", *(("hour_at",) if by_hour else ()))
    for part in usage:
        try:
            query, values = part.order_by().values(*grouped).annotate(**COUNTS).query.sql_with_params()
        except EmptyResultSet:  # of no deployment
            continue
        parts.append(f"({query})")
        given += values
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(ADDED.format(at=", hour_at" if by_hour else "", parts=" UNION ALL ".join(parts)), given)
        rows = cursor.fetchall()
    # One object an id: thousands of series are told apart by it, and comparing two takes Python's own code.
    ids = {text: UUID(text) for text in {row[0] for row in rows}}
    if by_hour:
        return [_Counted((ids[text], model, quantity), at, *counts) for text, model, quantity, *counts, at in rows]
    at = window.from_at
    return [_Counted((ids[text], model, quantity), at, *counts) for text, model, quantity, *counts in rows]


def _told_nothing(window: _Window, rows: Sequence[_Counted]) -> Iterator[_Counted]:
    """Engines that tell what they finished, and finished nothing: sums leave nothings out, and it says something.

    Asked of those deployments alone of which an engine counted tokens, and an engine of which tells such figures.
    """
    counted = [row.key for row in rows if row.engine and row.key[2] in FINISHED]
    said = {row.key for row in rows if row.key[2] in FINISHED_CLASSES}
    unsaid = {key[0] for key in counted if (*key[:2], FINISHED[key[2]]) not in said}
    telling = Meter.objects.filter(
        witness=Witness.ENGINE, quantity__in=FINISHED.values(), endpoint__bindings__deployment__in=unsaid
    )
    asked = list(telling.values_list("endpoint__bindings__deployment", flat=True).distinct()) if unsaid else []
    if not asked:
        return
    nothing = UsageHour.objects.filter(
        witness=Witness.ENGINE,
        quantity__in=FINISHED.values(),
        value=0,
        deployment__in=asked,
        from_at__gte=window.from_at,
        from_at__lt=window.to_at,
    )
    for key in nothing.values_list("deployment_id", "model", "quantity").distinct():
        if key not in said:
            yield _Counted(key, window.from_at)


def _sampled(window: _Window, *, by_hour: bool) -> dict[tuple[UUID, str, datetime], Sampled]:
    """What gateways reported of requests with several answers, or aborted, as far as it was rolled up."""
    hours = ExplainingHour.objects.filter(hour_at__gte=window.from_at, hour_at__lt=window.to_at)
    if window.only_ids is not None:
        hours = hours.filter(deployment__in=window.only_ids)
    if window.organization is not None:
        hours = hours.filter(Q(deployment__tenant=window.organization) | Q(deployment__provider=window.organization))
    rows = hours.values("deployment_id", "model", *(["hour_at"] if by_hour else [])).annotate(
        several=Sum("several_requests"),
        tokens=Sum("several_input"),
        repeated=Sum("repeated_input"),
        answers=Sum("further_answers"),
        left=Sum("aborted_requests"),
    )
    return {
        (row["deployment_id"], row["model"], row.get("hour_at", window.from_at)): Sampled(
            *(int(row[name]) for name in ("several", "tokens", "repeated", "answers", "left"))
        )
        for row in rows
    }


def _deployments(window: _Window, ids: set[UUID]) -> dict[UUID, tuple[str, frozenset[str]]]:
    """The slug of each deployment, and the kinds of engine that ever served it."""
    chosen = Deployment.objects.filter(id__in=ids)
    if window.organization is not None and len(ids) > DEPLOYMENTS_AT_ONCE:
        chosen = Deployment.objects.for_org(window.organization)  # to name a thousand takes longer
    slugs: dict[UUID, str] = {}
    engines: dict[UUID, set[str]] = defaultdict(set)
    rows = chosen.values_list("id", "slug", "bindings__endpoint__engine")
    for deployment_id, slug, engine in rows.distinct():
        slugs[deployment_id] = slug
        engines[deployment_id].update([engine] if engine is not None else [])
    return {deployment_id: (slug, frozenset(engines[deployment_id])) for deployment_id, slug in slugs.items()}
