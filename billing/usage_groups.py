"""How usage is summed for rating: by what decides its price, and by stretches of time; and told apart by caller."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import msgspec
from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Case,
    CharField,
    DateField,
    DateTimeField,
    Expression,
    F,
    Field,
    Func,
    IntegerField,
    Max,
    Min,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)

from billing.money import largest_remainder_units
from billing.rating.quantities import QUANTITIES
from billing.usage_spans import Span, Window
from metering.day_models import UsageDay
from metering.key_models import KeyHour
from metering.key_queries import stay_at
from metering.key_sums import BILLS
from metering.models import UsageHour, Witness
from tenants.limits.written_once import written_once

ABOUT = ("deployment_id", "model", "quantity", "quality", "context_over", "marks")
SHARED = ("deployment_id", "model", "quality", "context_over", "marks")
"""What hours by key have of it; their quantities are columns."""

DAY: Final = timedelta(days=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Callers = Mapping[tuple[Any, ...], Mapping[str, Mapping[str, int]]]
"""By group and stretch: by caller, counts by quantity."""
Hour = tuple[datetime, datetime, int]
"""Where the use of an hour begins and ends, and how much it was."""


class _DayIn(Func):
    """The day of an instant in an IANA time zone given by an expression."""

    arity = 2
    template = "((%(expressions)s)::date)"
    arg_joiner = " AT TIME ZONE "
    output_field = DateField()


_RAW: Final["Field[Any, Any]"] = Field()
"""As the driver gives it: nothing is converted value by value, of which a month has thousands."""


class _Micros(Func):
    """An instant as microseconds since 1970."""

    template = "(extract(epoch FROM %(expressions)s) * 1000000)::bigint"
    output_field = _RAW


class _Instants(dict[int, datetime]):
    """Instants by their microseconds, each made once: a month of usage names the same few thousands of times."""

    def __missing__(self, micros: int) -> datetime:
        at = self[micros] = EPOCH + timedelta(microseconds=micros)
        return at


class Days(NamedTuple):
    """By whose days usage is summed: those of a time zone, of others by deployment; without a zone not by day."""

    zone: str | None = None
    others: tuple[tuple[str, Collection[UUID]], ...] = ()
    daily: Collection[UUID] | None = None
    """The deployments that are summed by day; None: all."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """How finely usage is summed: between instants and by day (null: not by day), or hour by hour without these."""

    edges: Sequence[datetime] = ()
    days: Days | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What tells a stretch."""
        return ("from_at",) if self.days is None else ("day", "stretch")

    @property
    def asked(self) -> tuple[Any, ...]:
        """The same as `written_once` takes it."""
        edges = list(self.edges) or ()
        return (edges, None if self.days is None else tuple(self.days))

    @classmethod
    def of_asked(cls, edges: Sequence[datetime], days: tuple[Any, ...] | None) -> Self:
        """Return what was asked."""
        return cls(edges, None if days is None else Days(*days))

    def told(self, rows: QuerySet[Any]) -> Any:
        """Return hours with what tells their stretch."""
        if self.days is None:
            return rows
        stretch: Expression = Value(0, output_field=IntegerField())
        if self.edges:
            thresholds = Value(list(self.edges), output_field=ArrayField(DateTimeField()))
            stretch = Func(F("from_at"), thresholds, function="width_bucket", output_field=IntegerField())
        return rows.annotate(day=_day_of(self.days), stretch=stretch)


class Group(msgspec.Struct, frozen=True):
    """Usage hours or days added up: what they have in common, what tells their stretch, where they lie, how much."""

    deployment_id: UUID
    model: str
    quantity: str
    quality: str
    context_over: int
    marks: str
    stretch: tuple[Any, ...]
    start: datetime
    end: datetime
    count: int

    @property
    def about(self) -> tuple[Any, ...]:
        """ABOUT of it."""
        return (self.deployment_id, self.model, self.quantity, self.quality, self.context_over, self.marks)

    @property
    def shared(self) -> tuple[Any, ...]:
        """SHARED of it, and what tells its stretch."""
        return (self.deployment_id, self.model, self.quality, self.context_over, self.marks, *self.stretch)


def sums_of(rows: QuerySet[UsageHour] | QuerySet[UsageDay], stretches: Stretches) -> QuerySet[Any, tuple[Any, ...]]:
    """Return usage hours or days added up, for `grouped`."""
    told = stretches.told(rows).values_list(*ABOUT, *stretches.names)
    sums: QuerySet[Any, tuple[Any, ...]] = told.annotate(
        total=Sum("value", output_field=_RAW), first=_Micros(Min("from_at")), last=_Micros(Max("to_at"))
    )
    return sums.order_by()


def grouped(sums: Iterable[tuple[Any, ...]], stretches: Stretches) -> list[Group]:
    """Return what `sums_of` the same stretches gives, in the order of ABOUT and time."""
    found = list(sums)
    # Put in order here: asked for an order, PostgreSQL sorts every hour by its words to find the groups. A day may be
    # null; identifiers are compared as the numbers that they are, which is ten times as fast.
    day, last = len(ABOUT), len(ABOUT) + len(stretches.names) - 1
    found.sort(key=lambda row: (row[0].int, row[1:day], row[day] is not None, row[day], row[last]))
    at = _Instants()
    # Six of them are ABOUT, which no checker can count.
    return [Group(*row[:day], row[day:-3], at[row[-2]], at[row[-1]], int(row[-3])) for row in found]  # type: ignore[call-arg]


def hours_of(rows: QuerySet[UsageHour]) -> Iterator[tuple[tuple[Any, ...], Sequence[Hour]]]:
    """Yield what `grouped` gives hour by hour as the values of ABOUT and the hours of each, in the same order.

    A group's hours come in three arrays, so that what they have in common is read once, and not with each hour.
    """
    arrays = {"starts": ArrayAgg("from_at"), "ends": ArrayAgg("to_at"), "counts": ArrayAgg("value")}
    groups = sorted(rows.values_list(*ABOUT).annotate(**arrays).order_by(), key=lambda row: (row[0].int, row[1:6]))
    for *about, starts, ends, counts in groups:
        yield tuple(about), _once_each(sorted(zip(starts, ends, counts, strict=True)))


Count = tuple[datetime, datetime, tuple[Any, ...], int]
"""Where a day begins and ends, what tells its stretch, and how much was used in it."""


def arrays_of(rows: QuerySet[UsageDay]) -> QuerySet[UsageDay, tuple[Any, ...]]:
    """Return sums of days with what they have in common read once, for `days_of`."""
    arrays = {"days": ArrayAgg("utc_day"), "counts": ArrayAgg("value")}
    return rows.values_list(*ABOUT).annotate(**arrays).order_by()


def days_of(arrays: Iterable[tuple[Any, ...]], stretches: Stretches) -> Iterator[tuple[tuple[Any, ...], list[Count]]]:
    """Yield what `arrays_of` gives as the values of ABOUT and the counts of each.

    No edge of the stretches lies within one of the days, which are UTC's.
    """
    places: dict[date, tuple[datetime, datetime, tuple[Any, ...]]] = {}
    for *about, days, counts in arrays:
        found = []
        for day, count in zip(days, counts, strict=True):
            if day not in places:
                start = datetime.combine(day, time.min, UTC)
                places[day] = (start, start + DAY, (day, bisect_right(stretches.edges, start)))
            found.append((*places[day], count))
        yield tuple(about), found


def _once_each(hours: list[Hour]) -> list[Hour]:
    """Add up the hours that begin alike, as two meters have them; `hours` are in order."""
    if len({start for start, _, _ in hours}) == len(hours):
        return hours
    joined: list[Hour] = []
    for start, end, count in hours:
        if joined and joined[-1][0] == start:
            count += joined.pop()[2]
        joined.append((start, end, count))
    return joined


def days_in(zone: str, daily: Collection[UUID], every: Collection[UUID]) -> Days:
    """Return the days of one zone, of those of every deployment that are summed by day."""
    return Days(zone, (), _daily(daily, every)) if daily else Days()


def days_of_contracts(windows: Sequence[Window], spans: Iterable[Span], daily: Collection[UUID]) -> Days:
    """Return the days of the contract that a usage hour bills under."""
    if not daily:
        return Days()
    deployments: dict[str, set[UUID]] = defaultdict(set)
    for span in spans:
        deployments[windows[span.window].contract.time_zone].add(span.deployment_id)
    first, *others = sorted(deployments)
    every = set().union(*deployments.values())
    return Days(first, tuple((name, frozenset(deployments[name])) for name in others), _daily(daily, every))


def _daily(daily: Collection[UUID], every: Collection[UUID]) -> Collection[UUID] | None:
    return None if len(daily) == len(every) else frozenset(daily)


def _day_of(days: Days) -> Expression:
    """The day of a usage hour where its deployment is summed by day, null where it is not."""
    nothing: Expression = Value(None, output_field=DateField())
    if days.zone is None:
        return nothing
    zone = Case(
        *(When(deployment_id__in=deployments, then=Value(name)) for name, deployments in days.others),
        default=Value(days.zone),
        output_field=CharField(),
    )
    day = _DayIn("from_at", zone if days.others else Value(days.zone))
    return day if days.daily is None else Case(When(deployment_id__in=days.daily, then=day), default=nothing)


def caller_of(key_id: UUID, project: str | None) -> str:
    """Name a key while it was in a project, as usage names its caller."""
    return f"{key_id}|{project or ''}"


def callers_of(spans: Iterable[Span], stretches: Stretches) -> Callers:
    """Return what was used by key of what bills by gateways' reports, by the same groups and stretches; one query."""
    chosen: dict[tuple[datetime, datetime], set[UUID]] = defaultdict(set)
    for span in spans:
        if span.witness == Witness.GATEWAY:
            chosen[span.from_at, span.to_at].add(span.deployment_id)
    if not chosen:
        return {}
    asked = tuple((*times, frozenset(deployments)) for times, deployments in sorted(chosen.items()))
    shared = len(SHARED) + len(stretches.names)
    found: dict[tuple[Any, ...], dict[str, Mapping[str, int]]] = defaultdict(dict)
    for row in _by_key(asked, stretches.asked):
        group, (key_id, project, *counts) = tuple(row[:shared]), row[shared:]
        found[group][caller_of(key_id, project)] = dict(zip(QUANTITIES, map(int, counts), strict=True))
    return found


@written_once
def _by_key(
    chosen: tuple[tuple[datetime, datetime, Collection[UUID]], ...], asked: tuple[Any, ...]
) -> QuerySet[KeyHour, tuple[Any, ...]]:
    """What was used by key over `[from_at, to_at)` of deployments, by SHARED and stretch."""
    which, stretches = Q(pk__in=[]), Stretches.of_asked(*asked)
    for from_at, to_at, deployments in chosen:
        which |= Q(deployment_id__in=deployments, from_at__gte=from_at, from_at__lt=to_at)
    told = KeyHour.objects.filter(which, quality=BILLS).annotate(
        project=Subquery(stay_at("key_id", "from_at").values("project__slug"))
    )
    rows = stretches.told(told).values_list(*SHARED, *stretches.names, "key_id", "project")
    sums: QuerySet[KeyHour, tuple[Any, ...]] = rows.annotate(**{f"sum_{name}": Sum(name) for name in QUANTITIES})
    return sums.order_by()


def told_apart(counted: int, quantity: str, by_caller: Mapping[str, Mapping[str, int]]) -> list[tuple[str, int]]:
    """Divide the count of a quantity among its callers; what has none, or is more than they used, is ""'s.

    Where callers used more than what bills (a correction that knows no keys), they share what bills.
    """
    parts = {caller: counts[quantity] for caller, counts in sorted(by_caller.items())}
    parts = {caller: count for caller, count in parts.items() if count > 0}
    if sum(parts.values()) > counted:
        shares = largest_remainder_units(counted, list(parts.values()))
        return [(caller, count) for caller, count in zip(parts, shares, strict=True) if count]
    rest = counted - sum(parts.values())
    return [*parts.items(), *([("", rest)] if rest or not parts else [])]
