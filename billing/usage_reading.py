"""What was used under terms, as rating takes it: piece by piece, or as series of counts."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from billing.rating.inputs import Used
from billing.summed_days import Summed, in_days
from billing.usage_groups import (
    Callers,
    Group,
    Stretches,
    arrays_of,
    callers_of,
    days_of,
    grouped,
    hours_of,
    sums_of,
    told_apart,
)
from billing.usage_spans import Chosen, Span, billed_days, billed_hours, billed_usage, by_deployment, chosen_of
from metering.day_models import UsageDay
from metering.models import Witness
from tenants.limits.written_once import written_once


def used_of(
    spans: Sequence[Span], stretches: Stretches, *, told: Collection[int] = (), summed: Summed | None = None
) -> Mapping[tuple[int, UUID], list[Used]]:
    """Return what bills of spans, by the window's number and the term's id.

    In the windows `told` it is told apart by caller. What is `summed` by day is read as such.
    """
    found: dict[tuple[int, UUID], list[Used]] = defaultdict(list)
    if not spans:
        return found
    of_deployment = by_deployment(spans)
    if stretches.days is None and not told:
        return _by_hour(spans, of_deployment)
    callers, rows, by_day = _read(spans, stretches, told, summed)
    more = grouped(_days_summed(chosen_of(by_day), stretches.asked), stretches) if by_day else ()
    # Groups of a deployment follow each other; to look one up by its id, or to write that out, is dear.
    for number, groups in chain(groupby(rows, _deployment), groupby(more, _deployment)):
        deployment_id = UUID(int=number)
        deployment = str(deployment_id)
        # Once a span and not once a group: a month has thousands, and to hash an id takes Python's own code.
        its = [
            (span, callers if _is_told(span, told) else {}, found[span.window, span.term_id])
            for span in of_deployment[deployment_id]
        ]
        for group in groups:
            for span, apart, into in its:
                if span.from_at <= group.start < span.to_at:
                    into += _used(deployment, group, apart)
    return found


Counted = tuple[datetime, datetime, str, int]
"""Where a stretch begins and ends, who used it ("" where that is not told apart), and how much."""


class Series(msgspec.Struct, frozen=True):
    """What was used of one quantity, quality, band and mark of a deployment, by stretch of time and by caller."""

    deployment: str
    model: str
    quantity: str
    quality: str
    context_over: int
    marks: str
    counts: list[Counted]

    def used(self) -> Iterator[Used]:
        """Yield the same piece by piece."""
        for start, end, caller, count in self.counts:
            about = (self.deployment, self.model, self.quantity, self.quality, start, end, count)
            yield Used(*about, self.context_over, self.marks, caller)


def series_of(
    spans: Sequence[Span], stretches: Stretches, *, told: Collection[int] = (), summed: Summed | None = None
) -> Mapping[tuple[int, UUID], list[Series]]:
    """Return what `used_of` does as series: what counts have in common is read once and not with each of them.

    A sum of a day begins and ends with the day, and not where its first and last hour do.
    """
    found: dict[tuple[int, UUID], list[Series]] = defaultdict(list)
    if not spans:
        return found
    callers, rows, by_day = _read(spans, stretches, told, summed)
    groups = ((group.about, [(group.start, group.end, group.stretch, group.count)]) for group in rows)
    days = days_of(_in_arrays(chosen_of(by_day)), stretches) if by_day else ()
    of_deployment = by_deployment(spans)
    names = {deployment_id: str(deployment_id) for deployment_id in of_deployment}
    for about, counts in chain(groups, days):
        deployment_id, model, quantity, quality, over, marks = about
        for span in of_deployment[deployment_id]:
            own = [each for each in counts if span.from_at <= each[0] < span.to_at]
            if not own:
                continue
            apart = [(start, end, "", count) for start, end, _, count in own]
            if callers and _is_told(span, told):
                shared = (deployment_id, model, quality, over, marks)
                apart = [
                    (start, end, caller, part)
                    for start, end, stretch, count in own
                    for caller, part in told_apart(count, quantity, callers.get((*shared, *stretch), {}))
                ]
            found[span.window, span.term_id].append(
                Series(names[deployment_id], model, quantity, quality, over, marks, apart)
            )
    return found


def _read(
    spans: Sequence[Span], stretches: Stretches, told: Collection[int], summed: Summed | None
) -> tuple[Callers, Sequence[Group], Sequence[Span]]:
    """Return the callers of what is told apart, the groups of what is read by the hour, and what is read by the day."""
    callers = callers_of([span for span in spans if span.window in told], stretches) if told else {}
    by_hour, by_day = in_days(spans, stretches.edges, summed) if summed else (spans, ())
    rows = grouped(_hours_summed(chosen_of(by_hour), stretches.asked), stretches) if by_hour else ()
    return callers, rows, by_day


@written_once
def _hours_summed(chosen: Chosen, stretches: tuple[Any, ...]) -> QuerySet[Any, tuple[Any, ...]]:
    # Hours in which nothing flowed would widen the span of a line, by day and by hour differently.
    return sums_of(billed_hours(chosen).exclude(value=0), Stretches.of_asked(*stretches))


@written_once
def _days_summed(chosen: Chosen, stretches: tuple[Any, ...]) -> QuerySet[Any, tuple[Any, ...]]:
    return sums_of(billed_days(chosen), Stretches.of_asked(*stretches))


@written_once
def _in_arrays(chosen: Chosen) -> QuerySet[UsageDay, tuple[Any, ...]]:
    return arrays_of(billed_days(chosen))


def _is_told(span: Span, told: Collection[int]) -> bool:
    """Whether callers are told apart of a span: no key is known of what engines counted."""
    return span.window in told and span.witness == Witness.GATEWAY


def _deployment(group: Group) -> int:
    return group.deployment_id.int


def _by_hour(
    spans: Sequence[Span], of_deployment: Mapping[UUID, Sequence[Span]]
) -> Mapping[tuple[int, UUID], list[Used]]:
    """Return usage hour by hour, whoever used it."""
    found: dict[tuple[int, UUID], list[Used]] = defaultdict(list)
    for about, hours in hours_of(billed_usage(spans).exclude(value=0)):
        deployment_id, model, quantity, quality, context_over, marks = about
        deployment, its = str(deployment_id), of_deployment[deployment_id]
        for span in its:
            # What was asked for lies within the spans; which of them an hour is in has to be told where there are more.
            own = hours if len(its) == 1 else [hour for hour in hours if span.from_at <= hour[0] < span.to_at]
            found[span.window, span.term_id] += [
                Used(deployment, model, quantity, quality, start, end, count, context_over, marks)
                for start, end, count in own
            ]
    return found


def _used(deployment: str, group: Group, callers: Callers) -> list[Used]:
    about = (deployment, group.model, group.quantity, group.quality, group.start, group.end)
    if not callers:
        return [Used(*about, group.count, group.context_over, group.marks)]
    parts = told_apart(group.count, group.quantity, callers.get(group.shared, {}))
    return [Used(*about, count, group.context_over, group.marks, caller) for caller, count in parts]
