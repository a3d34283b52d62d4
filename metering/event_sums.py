"""Usage events into usage hours: summed by what they have in common and by the part of the hour they fall in. Pure.

Requests of different length (`metering.context_bands`) or marks (`metering.event_marks`) stay apart, since they may
differ in price.
A part of an hour begins at the last edge before the event (the deployment's own, or a cut of its price) and ends at
the next. An hour grows in version 1 until an hour after its end; what is received later goes into a version for each
hour of receipt. So which row an event goes to follows from stored bytes alone, and any chunks of calls give the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from metering.context_bands import CONTEXT_BANDS
from metering.event_columns import NOBODY, NUMBERS, OwnedColumns, instant_us, places_of, unix_us
from metering.event_items import COUNT_FIELDS
from metering.event_marks import INTERRUPTED_BIT, MARK_SETS, QUANTITIES, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from metering.event_columns import Ints

HOUR_US: Final = 3_600_000_000
REQUESTS: Final = "requests"
INPUT, CACHE_WRITE = NUMBERS.index("input"), NUMBERS.index("cache_write")
ABORTED, MARKED = NUMBERS.index("aborted"), NUMBERS.index("marks")
SUMMED: Final = (*COUNT_FIELDS, *QUANTITIES)
SUMMED_PLACES: Final = [NUMBERS.index(name) for name in SUMMED]
BANDS: Final = np.array(CONTEXT_BANDS, dtype=np.int64)
ALWAYS: Final = ("input", "output", REQUESTS)
"""Counted when they are zero too: they were reported."""

Group = tuple[UUID, str, str, UUID, UUID]
"""Reporter, source, model, tenant, deployment or NOBODY."""


@dataclass(frozen=True, slots=True)
class ReceivedEvents:
    """The events of one stored call."""

    reporter_id: UUID
    received_at: datetime
    events: OwnedColumns


@dataclass(frozen=True, slots=True)
class EventSum:
    """Events in one part of an hour that agree in all but their counts, summed."""

    reporter_id: UUID
    source: str
    model: str
    tenant_id: UUID
    deployment_id: UUID | None
    hour_at: datetime
    from_at: datetime
    to_at: datetime
    version: int
    context_over: int
    marks: str
    totals: dict[str, int]
    records: int


@dataclass(frozen=True, slots=True)
class Explaining:
    """What the events of a deployment and model in one hour say that engines count otherwise; tokens and requests."""

    deployment_id: UUID
    model: str
    hour_at: datetime
    several_requests: int
    several_input: int
    repeated_input: int
    further_answers: int
    aborted_requests: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Every event of several calls as one row of numbers."""

    groups: tuple[Group, ...]
    group: Ints
    occurred_us: Ints
    received_us: Ints
    numbers: Ints


def deployments_in(calls: Iterable[ReceivedEvents]) -> set[UUID]:
    """Return the deployments whose edges `sum_events` needs."""
    return {owner.deployment_id for call in calls for owner in call.events.owners} - {NOBODY}


def sum_events(calls: Sequence[ReceivedEvents], edges: Mapping[UUID, Sequence[datetime]]) -> list[EventSum]:
    """Sum the events of at least one call.

    `edges` are the instants of each deployment at which usage is parted; those outside the events' hours do not matter.
    """
    rows = _rows(calls)
    from_us = rows.occurred_us - rows.occurred_us % HOUR_US
    hour_us = from_us.copy()
    to_us = from_us + HOUR_US
    for group, places in zip(rows.groups, places_of(rows.group, len(rows.groups)), strict=True):
        sharp = np.array(sorted({unix_us(at) for at in edges.get(group[-1], ())}), dtype=np.int64)
        if sharp.size:
            _narrow(places, sharp, rows.occurred_us, from_us, to_us)
    version = 1 + np.maximum(0, (rows.received_us - hour_us) // HOUR_US - 1)
    # Group, band and marks as one number: a sort by three keys and not by five.
    within = (rows.group * len(BANDS) + _bands(rows.numbers)) * MARK_SETS + _marks(rows.numbers)
    order = np.lexsort((version, from_us, within))
    sorted_by = np.stack((within, from_us, version))[:, order]
    starts = np.flatnonzero(np.r_[True, (np.diff(sorted_by) != 0).any(axis=0)])
    totals = np.add.reduceat(rows.numbers[:, SUMMED_PLACES][order], starts, axis=0)
    ends = np.minimum.reduceat(to_us[order], starts)
    records = np.diff(np.r_[starts, len(order)])
    return [
        _sum(
            rows.groups[place // MARK_SETS // len(BANDS)],
            (CONTEXT_BANDS[place // MARK_SETS % len(BANDS)], text_of(place % MARK_SETS)),
            (start_us, end_us),
            version,
            [*total, n],
        )
        for (place, start_us, version), end_us, total, n in zip(
            sorted_by[:, starts].T.tolist(), ends.tolist(), totals.tolist(), records.tolist(), strict=True
        )
    ]


def explain_events(
    calls: Sequence[ReceivedEvents], bills: Callable[[UUID, UUID, datetime], bool] = lambda *_: True
) -> list[Explaining]:
    """Sum what explains a difference to the engines: prompts answered more than once, and callers that left.

    `bills` says of a deployment, reporter and hour whether its events are those that are compared.
    """
    rows = _rows(calls)
    samples, aborted = rows.numbers[:, NUMBERS.index("samples")], rows.numbers[:, ABORTED]
    sums: dict[tuple[UUID, str, int], list[int]] = {}
    for place in np.flatnonzero((samples > 1) | (aborted > 0)).tolist():
        reporter_id, _, model, _, deployment_id = rows.groups[rows.group[place]]
        at_us = int(rows.occurred_us[place])
        hour_us = at_us - at_us % HOUR_US
        if deployment_id == NOBODY or not bills(deployment_id, reporter_id, instant_us(hour_us)):
            continue
        kept = sums.setdefault((deployment_id, model, hour_us), [0, 0, 0, 0, 0])
        said = dict(zip(NUMBERS, rows.numbers[place].tolist(), strict=True))
        further = said["samples"] - 1
        several = int(further > 0)
        more = (several, several * said["input"], further * said["input"], further, said["aborted"])
        kept[:] = map(add, kept, more)
    return [
        Explaining(deployment_id, model, instant_us(hour_us), *kept)
        for (deployment_id, model, hour_us), kept in sorted(sums.items())
    ]


def _rows(calls: Sequence[ReceivedEvents]) -> _Rows:
    groups: dict[Group, int] = {}
    numbers, received = [], []
    for call in calls:
        named = [
            groups.setdefault((call.reporter_id, one.source, one.model, one.tenant_id, one.deployment_id), len(groups))
            for one in call.events.owners
        ]
        numbers.append(np.array(named, dtype=np.int64)[call.events.owner])
        received.append(np.full(len(call.events), unix_us(call.received_at)))
    return _Rows(
        tuple(groups),
        np.concatenate(numbers),
        np.concatenate([call.events.occurred_us for call in calls]),
        np.concatenate(received),
        np.concatenate([call.events.numbers for call in calls]),
    )


def _narrow(places: Ints, edges_us: Ints, occurred_us: Ints, from_us: Ints, to_us: Ints) -> None:
    """Part the hours of a group's events at the edges, in place."""
    following = np.searchsorted(edges_us, occurred_us[places], side="right")
    known = following > 0
    after = places[known]
    from_us[after] = np.maximum(from_us[after], edges_us[following[known] - 1])
    known = following < len(edges_us)
    before = places[known]
    to_us[before] = np.minimum(to_us[before], edges_us[following[known]])


def _bands(numbers: Ints) -> Ints:
    """Return for each event the place of its band."""
    length = numbers[:, INPUT] + numbers[:, CACHE_WRITE]
    places: Ints = np.maximum(np.searchsorted(BANDS, length, side="left") - 1, 0)
    return places


def _marks(numbers: Ints) -> Ints:
    """Return for each event its marks as a number, the one that follows from its status among them."""
    marks: Ints = numbers[:, MARKED] | (numbers[:, ABORTED] * INTERRUPTED_BIT)
    return marks


def _sum(group: Group, apart: tuple[int, str], part_us: tuple[int, int], version: int, totals: list[int]) -> EventSum:
    reporter_id, source, model, tenant_id, deployment_id = group
    from_us, to_us = part_us
    by_quantity = zip((*SUMMED, REQUESTS), totals, strict=True)
    return EventSum(
        reporter_id,
        source,
        model,
        tenant_id,
        None if deployment_id == NOBODY else deployment_id,
        instant_us(from_us - from_us % HOUR_US),
        instant_us(from_us),
        instant_us(to_us),
        version,
        *apart,
        {name: total for name, total in by_quantity if total or name in ALWAYS},
        totals[-1],
    )
