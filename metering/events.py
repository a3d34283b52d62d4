"""Taking usage events in: each exactly once, however often and by however many callers it is sent.

1. Items are read and checked one by one; what is wrong with one rejects that one.
2. Tenants and deployments are resolved for all at once.
3. One statement inserts the keys that are new: the digest of (reporter, source, id) is unique, and no time is in it.
4. The events of these keys are stored in one packed row, and wait for rollup.
5. What was there already is compared: the same content is a duplicate, other content a conflict that is kept.
6. Outcomes are counted, and the answer goes out after the commit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import transaction

from metering.event_columns import Owned, OwnedColumns, columns_of, columns_of_items, places_of
from metering.event_items import EVENTS_BYTES_MAX, EventsMalformed, Rejected, check_items, read_items
from metering.event_keys import contents_of, first_contents_of, keys_of
from metering.event_names import NAMES_A_DAY, names_too_many
from metering.event_rows import KeyKnown, copy_keys, insert_call, insert_keys, keep_conflicts, stored_contents
from metering.event_spans import deployments_of
from metering.ingest_counts import Kind, count_outcomes
from tenants.ids import new_id
from tenants.models import Organization
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.event_columns import EventColumns
    from metering.event_items import Event

REJECTED: Final = "rejected"
UNRESOLVED: Final = -1


class EventsTooLarge(Problem):
    """More bytes than a call may have."""

    status = 413
    code = "events_too_large"
    title = "The call is too large"


class EventsUnreadable(Problem):
    """The body is not a JSON array of events."""

    status = 400
    code = "events_malformed"
    title = "The events cannot be read"


@dataclass(frozen=True, slots=True)
class EventsTaken:
    """The outcomes of a call's items; with the length of `rejected` they add up to what was sent."""

    accepted: int
    duplicates: int
    conflicts: int
    rejected: tuple[Rejected, ...]

    def as_answer(self) -> dict[str, object]:
        """Return the JSON members of the answer."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "rejected": [asdict(one) for one in self.rejected],
        }


def ingest_events(*, reporter: Organization, payload: bytes, now: datetime) -> EventsTaken:
    """Store the usage events in a JSON array, in the name of the organization that reports them.

    Raises EventsTooLarge, EventsUnreadable.
    """
    if len(payload) > EVENTS_BYTES_MAX:
        count_refused_call(reporter=reporter, code=EventsTooLarge.code, now=now)
        raise EventsTooLarge(f"The body has more than {EVENTS_BYTES_MAX} bytes.")
    try:
        items, rejected = read_items(payload)
    except EventsMalformed as refused:
        count_refused_call(reporter=reporter, code=EventsUnreadable.code, now=now)
        raise EventsUnreadable(str(refused)) from refused
    columns = columns_of_items([item for _, item in items], now) if not rejected else None
    if columns is None:
        events, rejected = check_items(items, rejected, now)
        columns = columns_of(events)
    return _accept(reporter, columns, rejected, now)


def accept_events(
    *, reporter: Organization, events: Sequence[Event], rejected: Collection[Rejected] = (), now: datetime
) -> EventsTaken:
    """Store events that were read and checked (`metering.event_items.check_item`), in whatever format they came.

    `rejected` are the items of the same call that were none; their outcomes are counted with the others'. The index
    of an event is its place in what was sent.
    """
    return _accept(reporter, columns_of(events), rejected, now)


def _accept(reporter: Organization, events: EventColumns, rejected: Collection[Rejected], now: datetime) -> EventsTaken:
    """Store events as if all of them were new, as nearly always; else once more, telling those that are from others."""
    try:
        return _stored(reporter, events, rejected, now, all_new=True)
    except KeyKnown:
        return _stored(reporter, events, rejected, now, all_new=False)


def _stored(
    reporter: Organization, events: EventColumns, rejected: Collection[Rejected], now: datetime, *, all_new: bool
) -> EventsTaken:
    with transaction.atomic():
        owned, unresolved = _resolve(reporter, events, now)
        rejected = tuple(sorted([*rejected, *unresolved], key=attrgetter("index")))
        store = _store_new if all_new else _store
        taken = store(reporter, owned, rejected, now)
        _count(reporter, taken, now)
    return taken


def count_refused_call(*, reporter: Organization, code: str, now: datetime) -> None:
    """Count a call that was refused as a whole."""
    with transaction.atomic():
        count_outcomes(reporter=str(reporter.id), counts={("event", code): 1}, now=now)


def _resolve(reporter: Organization, events: EventColumns, now: datetime) -> tuple[OwnedColumns, list[Rejected]]:
    """Find tenants and deployments; an event whose tenant or named deployment is not there is rejected.

    So is one whose source and model are too many.
    """
    tenants = _tenants(reporter, {stream.tenant for stream in events.streams})
    names = {(stream.source, stream.model) for stream in events.streams if stream.tenant in tenants}
    too_many = names_too_many(reporter_id=reporter.id, names=names, now=now)
    deployments = deployments_of(reporter, set(tenants.values()))
    owners: dict[Owned, int] = {}
    owner = np.full(len(events), UNRESOLVED)
    rejected: list[Rejected] = []
    for stream, places in zip(events.streams, places_of(events.stream, len(events.streams)), strict=True):
        tenant_id = tenants.get(stream.tenant)
        if (stream.source, stream.model) in too_many:
            detail = f"More than {NAMES_A_DAY} new pairs of source and model in 24 hours; a source is a gateway."
            rejected += (Rejected(index, "too_many_names", "source", detail) for index in events.index[places].tolist())
        elif tenant_id is None:
            code = "unknown_tenant" if stream.tenant else "missing"
            detail = "Expected the slug of a tenant you report for."
            rejected += (Rejected(index, code, "tenant", detail) for index in events.index[places].tolist())
        elif stream.deployment and not deployments.serving(reporter.id, tenant_id).has_slug(stream.deployment):
            code = "unknown_deployment"
            detail = "The tenant has no such deployment."
            rejected += (Rejected(index, code, "deployment", detail) for index in events.index[places].tolist())
        else:
            serving = deployments.serving(reporter.id, tenant_id)
            for deployment_id, which in serving.parts(stream.model, stream.deployment, events.occurred_us[places]):
                one = Owned(stream.source, stream.model, tenant_id, deployment_id, stream.deployment)
                owner[places[which]] = owners.setdefault(one, len(owners))
    owned = OwnedColumns(
        events.ids, tuple(owners), owner, events.labels, events.label, events.occurred_us, events.numbers
    )
    return owned.chosen(owner != UNRESOLVED) if rejected else owned, rejected


def _tenants(reporter: Organization, slugs: set[str]) -> dict[str, UUID]:
    """Return `{slug: id}` of the tenants that the reporter may name; its own may go unnamed."""
    found: dict[str, UUID] = {}
    if slugs - {"", reporter.slug}:
        others = Organization.objects.filter(slug__in=slugs, is_tenant=True)
        if not reporter.is_operator:
            others = others.filter(deployments__provider=reporter).distinct()
        found = dict(others.values_list("slug", "id"))
    if reporter.is_tenant:
        found |= {"": reporter.id, reporter.slug: reporter.id}
    return found


def _store_new(
    reporter: Organization, events: OwnedColumns, rejected: tuple[Rejected, ...], now: datetime
) -> EventsTaken:
    """Raises KeyKnown where an event was there already, or is there twice."""
    if len(events):
        call = new_id()
        known = dict(zip(keys_of(reporter.id, events), contents_of(events), strict=True))
        if len(known) < len(events):
            raise KeyKnown
        copy_keys(call, known)
        insert_call(call=call, reporter_id=reporter.id, events=events, now=now)
    return EventsTaken(len(events), 0, 0, rejected)


def _store(reporter: Organization, events: OwnedColumns, rejected: tuple[Rejected, ...], now: datetime) -> EventsTaken:
    keys, contents = keys_of(reporter.id, events), contents_of(events)
    first: dict[bytes, int] = {}
    repeated = [place for place, key in enumerate(keys) if first.setdefault(key, place) != place]
    call = new_id()
    known = {key: contents[place] for key, place in first.items()}
    fresh = insert_keys(call, known) if known else set()
    if fresh:
        which = np.zeros(len(keys), dtype=np.bool_)
        which[[first[key] for key in fresh]] = True
        stored = events if which.all() else events.chosen(which)
        insert_call(call=call, reporter_id=reporter.id, events=stored, now=now)
    stood = [place for key, place in first.items() if key not in fresh]
    known |= stored_contents(keys[place] for place in stood) if stood else {}
    repeated += stood
    conflicts = [place for place in repeated if known[keys[place]] != contents[place]]
    if conflicts:
        conflicts = _not_as_first_stored(events, {place: known[keys[place]] for place in conflicts})
        keep_conflicts(
            reporter_id=reporter.id, events=events, contents={place: contents[place] for place in conflicts}, now=now
        )
    return EventsTaken(len(fresh), len(repeated) - len(conflicts), len(conflicts), rejected)


def _not_as_first_stored(events: OwnedColumns, stored: Mapping[int, bytes]) -> list[int]:
    """Return the places whose content is another also by the digest that keys of the first releases have."""
    which = np.zeros(len(events), dtype=np.bool_)
    which[list(stored)] = True
    digests = first_contents_of(events.chosen(which))
    return [place for place, digest in zip(sorted(stored), digests, strict=True) if stored[place] != digest]


def _count(reporter: Organization, taken: EventsTaken, now: datetime) -> None:
    counts: Counter[tuple[Kind, str]] = Counter(("event", f"{REJECTED}:{one.code}") for one in taken.rejected)
    counts["event", "accepted"] = taken.accepted
    counts["event", "duplicate"] = taken.duplicates
    counts["event", "conflict"] = taken.conflicts
    count_outcomes(reporter=str(reporter.id), counts=counts, now=now)
