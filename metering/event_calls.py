"""Reading stored usage events: those of calls, one by its name, and how many wait to be rolled up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Q

from clusters.models import Deployment
from metering.event_columns import COUNTED, NOBODY, NUMBERS, instant_us, places_of, unix_us
from metering.event_keys import key_of
from metering.event_models import EventCall, EventConflict, EventKey, EventPartTotal, WaitingEvents
from metering.event_pack import unpack
from metering.event_spans import attributed_now
from metering.event_sums import REQUESTS, ReceivedEvents
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from django.db.models import QuerySet

    from metering.event_columns import OwnedColumns
    from tenants.models import Organization

READ_CALLS: Final = 500
"""Calls held in memory at once."""


CONFLICTS_SHOWN_MAX: Final = 100
LOOKED_AT_MAX: Final = 500
LISTED_CALLS: Final = 16
"""Calls read at once where the newest are looked for."""
MINUTE_US: Final = 60_000_000
Minute = tuple[datetime, UUID, str, UUID | None]
"""Start of the minute, tenant, model, deployment or nobody's."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it was reported, with whose it is."""

    reporter_id: UUID
    source: str
    event_id: str
    tenant_id: UUID
    deployment_id: UUID | None
    model: str
    key: str
    occurred_at: datetime
    received_at: datetime
    numbers: dict[str, int]


def read_calls(calls: Iterable[tuple[UUID, datetime, Any]]) -> list[ReceivedEvents]:
    """Return the events of `(reporter, received at, body)`, without their ids."""
    return [ReceivedEvents(reporter, at, unpack(bytes(body), with_ids=False)) for reporter, at, body in calls]


def rolled_calls(*narrowed: Q) -> Iterator[list[ReceivedEvents]]:
    """Yield the events of calls that are in usage hours, all or narrowed, some calls at a time, in the order of their
    receipt.
    """
    waiting = WaitingEvents.objects.values("call")
    rows = EventCall.objects.filter(*narrowed).exclude(id__in=waiting).order_by("received_at", "id")
    chunk = []
    for row in rows.values_list("reporter_id", "received_at", "body").iterator(chunk_size=READ_CALLS):
        chunk.append(row)
        if len(chunk) == READ_CALLS:
            yield read_calls(chunk)
            chunk = []
    if chunk:
        yield read_calls(chunk)


Totals = dict[tuple[UUID, str, str], dict[str, int]]
"""By reporter, source and model: each of COUNTED, and `requests`."""


def rolled_totals() -> tuple[int, Totals]:
    """Return how many events ever went into usage hours, and their sums; those in the archive alone included."""
    totals: Totals = {}
    for calls in rolled_calls():
        add_totals(totals, calls)
    for one in EventPartTotal.objects.all():
        _add(totals, (one.reporter_id, one.source, one.model), {name: int(value) for name, value in one.sums.items()})
    return sum(sums[REQUESTS] for sums in totals.values()), totals


def add_totals(totals: Totals, calls: Iterable[ReceivedEvents]) -> None:
    """Add the events of calls to their sums."""
    for call in calls:
        owners = call.events.owners
        for owner, places in zip(owners, places_of(call.events.owner, len(owners)), strict=True):
            numbers = call.events.numbers[places, : len(COUNTED)].sum(axis=0).tolist()
            sums = dict(zip((*COUNTED, REQUESTS), (*numbers, len(places)), strict=True))
            _add(totals, (call.reporter_id, owner.source, owner.model), sums)


def _add(totals: Totals, key: tuple[UUID, str, str], sums: dict[str, int]) -> None:
    kept = totals.setdefault(key, {})
    for name, value in sums.items():
        kept[name] = kept.get(name, 0) + value


def waiting_events(*, before: datetime, deployment_ids: Collection[UUID] = (), tenant_id: UUID | None = None) -> int:
    """Return how many events of these deployments, or of a tenant, from before an instant wait to be rolled up."""
    tenants = set(Deployment.objects.filter(id__in=deployment_ids).values_list("tenant_id", flat=True))
    tenants |= set() if tenant_id is None else {tenant_id}
    waiting = EventCall.objects.filter(
        tenants__overlap=list(tenants), id__in=WaitingEvents.objects.values("call"), first_at__lt=before
    )
    wanted = frozenset(deployment_ids)
    return sum(_count(call.events, unix_us(before), wanted, tenant_id) for call in _present(waiting))


def waiting_by_tenant(*, before: datetime, tenant_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many events of tenants from before an instant wait to be rolled up; none has no entry. One query
    where none waits."""
    waiting = EventCall.objects.filter(
        tenants__overlap=list(tenant_ids), id__in=WaitingEvents.objects.values("call"), first_at__lt=before
    )
    found: dict[UUID, int] = defaultdict(int)
    for call in _present(waiting):
        for tenant_id in {one.tenant_id for one in call.events.owners} & set(tenant_ids):
            found[tenant_id] += _count(call.events, unix_us(before), (), tenant_id)
    return {tenant_id: count for tenant_id, count in found.items() if count}


def _present(calls: QuerySet[EventCall]) -> Iterator[ReceivedEvents]:
    """Yield the events of calls as they belong to deployments by now, without their ids."""
    rows = calls.values_list("reporter_id", "received_at", "body").iterator(chunk_size=READ_CALLS)
    while chunk := list(islice(rows, READ_CALLS)):
        yield from attributed_now(read_calls(chunk))


def _count(events: OwnedColumns, before_us: int, deployment_ids: Collection[UUID], tenant_id: UUID | None) -> int:
    mine = [one.deployment_id in deployment_ids or one.tenant_id == tenant_id for one in events.owners]
    return int(np.count_nonzero(np.array(mine)[events.owner] & (events.occurred_us < before_us)))


def find_event(*, reporter_id: UUID, source: str, event_id: str) -> StoredEvent | None:
    """Return one event by its name, or None where it was never received or has been archived."""
    known = EventKey.objects.filter(key=key_of(reporter_id, source, event_id).hex()).values_list("call").first()
    stored = EventCall.objects.filter(id=known[0]).first() if known else None
    if stored is None:
        return None
    (now,) = attributed_now([ReceivedEvents(stored.reporter_id, stored.received_at, unpack(bytes(stored.body)))])
    found = _one_by_one(now)
    return next((one for one in found if (one.source, one.event_id) == (source, event_id)), None)


def instants_of(*, reporter_id: UUID, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """Return when stored events of a reporter occurred, by source and id, as far as they are in LOOKED_AT_MAX calls."""
    wanted = {UUID(bytes=key_of(reporter_id, *name)): name for name in names}
    calls = set(EventKey.objects.filter(key__in=wanted.keys()).values_list("call", flat=True))
    found = {}
    for call in EventCall.objects.filter(id__in=sorted(calls)[:LOOKED_AT_MAX]).iterator(chunk_size=LISTED_CALLS):
        events = unpack(bytes(call.body))
        for owner, event_id, at_us in zip(events.owner.tolist(), events.ids, events.occurred_us.tolist(), strict=True):
            found[events.owners[owner].source, event_id] = at_us
    return {name: instant_us(found[name]) for name in names if name in found}


def events_of(call: EventCall) -> Iterator[StoredEvent]:
    """Yield the events of a call, in the order in which they were sent, with whose they were when they came."""
    return _one_by_one(ReceivedEvents(call.reporter_id, call.received_at, unpack(bytes(call.body))))


def _one_by_one(call: ReceivedEvents) -> Iterator[StoredEvent]:
    events = call.events
    for place, (event_id, number) in enumerate(zip(events.ids, events.owner.tolist(), strict=True)):
        owner = events.owners[number]
        yield StoredEvent(
            call.reporter_id,
            owner.source,
            event_id,
            owner.tenant_id,
            None if owner.deployment_id == NOBODY else owner.deployment_id,
            owner.model,
            events.labels[events.label[place]],
            instant_us(int(events.occurred_us[place])),
            call.received_at,
            dict(zip(NUMBERS, events.numbers[place].tolist(), strict=True)),
        )


@whole("what came under an event's name is its reporter's row, of which this tells others their part")
def conflicts_of(one: StoredEvent, reader: Organization) -> list[dict[str, object]]:
    """Return the first CONFLICTS_SHOWN_MAX other contents that came under an event's name, with when each first did.

    A gateway that serves many may give one id to requests of two: only the reporter sees both. The tenant sees what
    came in its own name, and the deployment's provider of that what names the deployment.
    """
    found = EventConflict.objects.filter(reporter_id=one.reporter_id, source=one.source, event_id=one.event_id)
    if reader.id != one.reporter_id:
        found = found.filter(content__tenant=str(one.tenant_id))
        if reader.id != one.tenant_id:
            provided = Deployment.objects.filter(id__in=[one.deployment_id], provider=reader)
            found = found.filter(content__deployment__in=list(provided.values_list("slug", flat=True)))
    rows = found.order_by("received_at", "id").values_list("received_at", "content")
    return [{"received_at": received_at, **content} for received_at, content in rows[:CONFLICTS_SHOWN_MAX]]


def known_ids(*, reporter_id: UUID, source: str, event_ids: Collection[str]) -> set[str]:
    """Return which of these ids the reporter's source used already."""
    named = {UUID(bytes=key_of(reporter_id, source, event_id)): event_id for event_id in event_ids}
    return {named[key] for key in EventKey.objects.filter(key__in=named.keys()).values_list("key", flat=True)}


def newest_events(
    *, reporter_id: UUID, from_at: datetime, to_at: datetime, wanted: Callable[[StoredEvent], bool], limit: int
) -> list[StoredEvent]:
    """Return the newest events that a reporter reported of `[from_at, to_at)` and that are wanted, newest first."""
    calls = EventCall.objects.filter(reporter_id=reporter_id, last_at__gte=from_at, first_at__lt=to_at)
    found: list[StoredEvent] = []
    for call in calls.order_by("-last_at", "id").iterator(chunk_size=LISTED_CALLS):
        if len(found) == limit and found[-1].occurred_at >= call.last_at:
            break
        found += (one for one in events_of(call) if from_at <= one.occurred_at < to_at and wanted(one))
        found = sorted(found, key=attrgetter("occurred_at"), reverse=True)[:limit]
    return found


def minutes_of(organization_id: UUID, from_at: datetime, to_at: datetime) -> dict[Minute, dict[str, int]]:
    """Return the numbers of events of `[from_at, to_at)`, and `requests`, summed by minute and by whose they are.

    Those of an organization as tenant, as reporter, or as provider of the deployment.
    """
    provided = set(Deployment.objects.filter(provider_id=organization_id).values_list("id", flat=True))
    served = set(Deployment.objects.filter(provider_id=organization_id).values_list("tenant_id", flat=True))
    which = Q(reporter_id=organization_id) | Q(tenants__overlap=[organization_id, *served])
    calls = EventCall.objects.filter(which, last_at__gte=from_at, first_at__lt=to_at)
    totals: dict[Minute, dict[str, int]] = defaultdict(lambda: dict.fromkeys((*COUNTED, REQUESTS), 0))
    for call in _present(calls):
        events = call.events
        mine = [
            organization_id in {call.reporter_id, one.tenant_id} or one.deployment_id in provided
            for one in events.owners
        ]
        within = (unix_us(from_at) <= events.occurred_us) & (events.occurred_us < unix_us(to_at))
        for place in np.flatnonzero(np.array(mine)[events.owner] & within).tolist():
            owner, at_us = events.owners[events.owner[place]], int(events.occurred_us[place])
            deployment_id = None if owner.deployment_id == NOBODY else owner.deployment_id
            kept = totals[instant_us(at_us - at_us % MINUTE_US), owner.tenant_id, owner.model, deployment_id]
            counted = events.numbers[place, : len(COUNTED)].tolist()
            for name, number in zip((*COUNTED, REQUESTS), (*counted, 1), strict=True):
                kept[name] += number
    return dict(totals)


def newest_counted(tenant_id: UUID) -> datetime | None:
    """Return up to when a tenant's events are in usage hours: when the newest hour was last added to."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT least(to_at, updated_at) FROM metering_usagehour
            WHERE tenant_id = %s AND witness = 'gateway' ORDER BY from_at DESC, updated_at DESC LIMIT 1
            """,
            [tenant_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None
