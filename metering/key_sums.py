"""Usage events by key: the sums of `metering.event_sums`, told apart by the label of the caller. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import add
from typing import TYPE_CHECKING, Final

import numpy as np

from metering.event_columns import pointed_at
from metering.event_sums import REQUESTS, SUMMED, sum_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.event_columns import OwnedColumns
    from metering.event_sums import EventSum, ReceivedEvents

COUNTED: Final = (*SUMMED, REQUESTS)
"""What is summed of a key: tokens by class, other quantities, requests."""
NOTHING: Final = (0,) * len(COUNTED)
BILLS: Final = "A"
CONTROL: Final = "C"


@dataclass(frozen=True, slots=True)
class KeyPart:
    """What `KeySum` is about: a tenant's label in one part of an hour, of requests that may go at one price."""

    tenant_id: UUID
    label: str
    from_at: datetime
    deployment_id: UUID | None
    model: str
    quality: str
    context_over: int
    marks: str


@dataclass(frozen=True, slots=True)
class KeySum:
    """What was counted under a label; `counts` has a number for each of COUNTED."""

    part: KeyPart
    hour_at: datetime
    to_at: datetime
    counts: tuple[int, ...]


def labelled(calls: Iterable[ReceivedEvents]) -> list[ReceivedEvents]:
    """Return the events that carry a label, of those calls that have any."""
    found = []
    for call in calls:
        named = np.array([bool(label) for label in call.events.labels])
        if named.any():
            chosen = call.events.chosen(named[call.events.label])
            if len(chosen):
                found.append(replace(call, events=chosen))
    return found


def sum_keys(
    calls: Sequence[ReceivedEvents],
    edges: Mapping[UUID, Sequence[datetime]],
    bills: Callable[[UUID | None, UUID, datetime], bool],
) -> list[KeySum]:
    """Sum the events of calls in which every event has a label; `edges` as `sum_events` takes them.

    `bills` says of a deployment, reporter and hour whether its events are those that bill. Any chunks of calls add up
    to the same.
    """
    sums: dict[KeyPart, KeySum] = {}
    found = sum_events([replace(call, events=_by_label(call.events)) for call in calls], edges) if calls else ()
    add_sums(sums, (_of_key(one, bills) for one in found))
    return list(sums.values())


def add_sums(sums: dict[KeyPart, KeySum], more: Iterable[KeySum]) -> None:
    """Add sums to those kept by what they are about; a part ends where any of them says that it does."""
    for one in more:
        before = sums.get(one.part)
        sums[one.part] = one if before is None else _both(before, one)


def missing_of(wanted: Mapping[KeyPart, KeySum], stored: Mapping[KeyPart, KeySum]) -> list[KeySum]:
    """Return what must be added to stored sums to make them those that are wanted; nothing where they are."""
    found = []
    for part in sorted(wanted.keys() | stored.keys(), key=str):
        one, kept = wanted.get(part), stored.get(part)
        taken = [-count for count in kept.counts] if kept else NOTHING
        counts = tuple(map(add, one.counts if one else NOTHING, taken))
        about = one or kept
        if any(counts) and about is not None:
            found.append(replace(about, counts=counts))
    return found


def _both(before: KeySum, one: KeySum) -> KeySum:
    counts = tuple(map(add, before.counts, one.counts))
    return replace(before, to_at=min(before.to_at, one.to_at), counts=counts)


def _of_key(one: EventSum, bills: Callable[[UUID | None, UUID, datetime], bool]) -> KeySum:
    """Read a sum in which the label stands in the place of the gateway's name."""
    part = KeyPart(
        one.tenant_id,
        one.source,
        one.from_at,
        one.deployment_id,
        one.model,
        BILLS if bills(one.deployment_id, one.reporter_id, one.hour_at) else CONTROL,
        one.context_over,
        one.marks,
    )
    return KeySum(part, one.hour_at, one.to_at, tuple(one.totals.get(name, 0) for name in COUNTED))


def _by_label(events: OwnedColumns) -> OwnedColumns:
    """Return events with their label in the place of their gateway's name, which is no matter here."""
    pairs, place = pointed_at(zip(events.owner.tolist(), events.label.tolist(), strict=True))
    owners = tuple(events.owners[owner]._replace(source=events.labels[label]) for owner, label in pairs)
    return replace(events, owners=owners, owner=place)
