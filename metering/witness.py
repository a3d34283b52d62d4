"""Two witnesses side by side: what the engines counted, what the gateways reported, and what explains the rest.

Per deployment, model, class and hour, or over a whole window. Three queries, however many rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Q, Sum

from clusters.models import Binding, Deployment
from metering.day_models import UsageDay
from metering.event_models import ExplainingHour
from metering.models import Meter, Quantity, UsageHour, Witness
from metering.queries import BILLED, FILTER_FIELDS, usage_in
from metering.residuals import NOTHING, Sampled, Stretch, explain
from metering.summed_usage import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from metering.checks import Residual
    from tenants.models import Organization

HOUR: Final = timedelta(hours=1)
DEPLOYMENTS_AT_ONCE: Final = 25
COMPARED: Final = (Quantity.INPUT, Quantity.CACHED_INPUT, Quantity.OUTPUT, Quantity.REASONING, Quantity.REQUESTS)
FINISHED: Final[Mapping[str, str]] = {
    Quantity.INPUT: Quantity.FINISHED_INPUT,
    Quantity.OUTPUT: Quantity.FINISHED_OUTPUT,
}
NO_ENGINES: Final[frozenset[str]] = frozenset()
_Key = tuple["UUID", str, str, str]
"""Deployment, model, class, and the deployment's slug."""


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
    key: _Key
    at: datetime
    engine: int
    gateway: int
    quarantined: int

    def plus(self, other: _Counted) -> _Counted:
        """Return both together."""
        return _Counted(
            self.key,
            self.at,
            self.engine + other.engine,
            self.gateway + other.gateway,
            self.quarantined + other.quarantined,
        )


@dataclass(frozen=True, slots=True)
class _Window:
    """Whose usage is compared and when; of all deployments where none are named."""

    organization: Organization | None
    from_at: datetime
    to_at: datetime
    only_ids: Collection[UUID] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """The same for `metering.queries.usage_in`."""
        return {"organization": self.organization, "from_at": self.from_at, "to_at": self.to_at}

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
    return [
        WitnessHour(*_parts(counted.key), counted.at, residual, counted.quarantined)
        for counted, residual in _compared(_Window(organization, from_at, to_at), filters, _by_hour)
    ]


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
        for counted, residual in _compared(window, filters, _by_hour):
            yield WitnessHour(*_parts(counted.key), counted.at, residual, counted.quarantined)


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

    `summed` reads days that are over as their sums (`metering.summed_usage`): the same, but that series in which
    nothing was counted at all may be missing. Two queries more.
    """
    window = _Window(organization, from_at, to_at, deployment_ids)
    compared = _compared(window, filters, _summed if summed else _in_total)
    return [WitnessTotal(*_parts(counted.key), residual, counted.quarantined) for counted, residual in compared]


def _parts(key: tuple[UUID, str, str, str]) -> tuple[UUID, str, str, str]:
    deployment_id, model, quantity, slug = key
    return deployment_id, slug, model, quantity


def _compared(
    window: _Window,
    filters: Mapping[str, str] | None,
    count: Callable[[_Window, Mapping[str, str]], Sequence[_Counted]],
) -> list[tuple[_Counted, Residual]]:
    chosen = dict(filters or {})
    only = chosen.pop("class", None)
    rows = count(window, chosen)
    by_place = {(row.key[0], row.key[1], row.key[2], row.at): row for row in rows}
    sampled = _sampled(window, by_hour=count is _by_hour)
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


def _by_hour(window: _Window, filters: Mapping[str, str]) -> Sequence[_Counted]:
    usage = window.of(usage_in(**window.asked, filters=filters)).annotate(at=F("hour_at"))
    return [_row(row, row["at"]) for row in _sums(usage, "at")]


def _in_total(window: _Window, filters: Mapping[str, str]) -> Sequence[_Counted]:
    usage = window.of(usage_in(**window.asked, filters=filters))
    return [_row(row, window.from_at) for row in _sums(usage)]


def _summed(window: _Window, filters: Mapping[str, str]) -> Sequence[_Counted]:
    """The same as `_in_total`, from sums of days as far as they stand and from the hours of the rest."""
    parts = parts_of(window.from_at, window.to_at)
    if parts.days is None:
        return _in_total(window, filters)
    chosen = {FILTER_FIELDS[name]: value for name, value in filters.items()}
    found: dict[_Key, _Counted] = {}
    hours = _sums(window.of(usage_in(**window.asked, filters=filters)).filter(parts.hours))
    days = _sums(window.of(UsageDay.objects.filter(parts.days, **chosen)))
    for row in (_row(each, window.from_at) for each in chain(hours, days)):
        known = found.get(row.key)
        found[row.key] = row if known is None else known.plus(row)
    for row in _told_nothing(window, found):
        found.setdefault(row.key, row)
    return sorted(found.values(), key=lambda row: row.key)


def _told_nothing(window: _Window, found: Mapping[_Key, _Counted]) -> Iterator[_Counted]:
    """Engines that tell what they finished, and finished nothing: sums leave nothings out, and it says something.

    Asked of those deployments alone of which an engine counted tokens, and an engine of which tells such figures.
    """
    known = {key[:3] for key in found}
    unsaid = {
        key[0]
        for key, row in found.items()
        if row.engine and key[2] in FINISHED and (*key[:2], FINISHED[key[2]]) not in known
    }
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
    keys = nothing.values_list("deployment_id", "model", "quantity", "deployment__slug").distinct()
    for deployment_id, model, quantity, slug in keys:
        yield _Counted((deployment_id, model, quantity, slug), window.from_at, 0, 0, 0)


def _sums(usage: QuerySet[Any], *more: str) -> QuerySet[Any, dict[str, Any]]:
    """Add hours or days up by witness: what bills, and what of the engines' is held back."""
    keys = ["deployment_id", "model", "quantity", "deployment__slug", *more]
    sums: QuerySet[Any, dict[str, Any]] = (
        usage.values(*keys)
        .annotate(
            engine=Sum("value", filter=Q(witness=Witness.ENGINE, quality__in=BILLED), default=0),
            gateway=Sum("value", filter=Q(witness=Witness.GATEWAY, quality__in=BILLED), default=0),
            held=Sum("value", filter=Q(witness=Witness.ENGINE) & ~Q(quality__in=BILLED), default=0),
        )
        .order_by(*keys)
    )
    return sums


def _row(row: Mapping[str, Any], at: datetime) -> _Counted:
    return _Counted(
        (row["deployment_id"], row["model"], row["quantity"], row["deployment__slug"]),
        at,
        int(row["engine"]),
        int(row["gateway"]),
        int(row["held"]),
    )


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


def _engines(deployment_ids: set[UUID]) -> dict[UUID, frozenset[str]]:
    """The kinds of engine that ever served deployments."""
    found: dict[Any, set[str]] = defaultdict(set)
    rows = Binding.objects.filter(deployment_id__in=deployment_ids).values_list("deployment_id", "endpoint__engine")
    for deployment_id, engine in rows.distinct():
        found[deployment_id].add(engine)
    return {deployment_id: frozenset(engines) for deployment_id, engines in found.items()}
