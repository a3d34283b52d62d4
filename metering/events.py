"""Taking usage events in: each exactly once, however often and by however many callers it is sent.

1. Items are read and checked one by one; what is wrong with one rejects that one.
2. Tenants and deployments are resolved for all at once.
3. One statement inserts what is new, and queues it for rollup; the unique key (reporter, source, id) decides.
4. What was there already is compared: the same content is a duplicate, other content a conflict that is kept.
5. Outcomes are counted, and the answer goes out after the commit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from django.db import transaction

from metering.attribution import EventDeployments
from metering.event_items import EVENTS_BYTES_MAX, Event, EventsMalformed, Rejected, read_events
from metering.event_rows import EventRow, existing_digests, insert_new, keep_conflicts
from metering.ingest_counts import Kind, count_outcomes
from tenants.ids import new_id
from tenants.models import Organization
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

REJECTED: Final = "rejected"


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
        events, rejected = read_events(payload, now)
    except EventsMalformed as refused:
        count_refused_call(reporter=reporter, code=EventsUnreadable.code, now=now)
        raise EventsUnreadable(str(refused)) from refused
    return accept_events(reporter=reporter, events=events, rejected=rejected, now=now)


def accept_events(
    *, reporter: Organization, events: Collection[Event], rejected: Collection[Rejected] = (), now: datetime
) -> EventsTaken:
    """Store events that were read and checked (`metering.event_items.check_item`), in whatever format they came.

    `rejected` are the items of the same call that were none; their outcomes are counted with the others'. The index
    of an event is its place in what was sent.
    """
    with transaction.atomic():
        rows, unresolved = _resolve(reporter, events)
        rejected = sorted([*rejected, *unresolved], key=attrgetter("index"))
        taken = _store(reporter, rows, rejected, now)
        _count(reporter, taken, now)
    return taken


def count_refused_call(*, reporter: Organization, code: str, now: datetime) -> None:
    """Count a call that was refused as a whole."""
    with transaction.atomic():
        count_outcomes(reporter=str(reporter.id), counts={("event", code): 1}, now=now)


def _resolve(reporter: Organization, events: Collection[Event]) -> tuple[list[EventRow], list[Rejected]]:
    """Find tenants and deployments; an event whose tenant or named deployment is not there is rejected."""
    tenants = _tenants(reporter, {event.tenant for event in events})
    deployments = EventDeployments(set(tenants.values()), reporter)
    texts = {tenant_id: str(tenant_id) for tenant_id in tenants.values()}
    rows, rejected = [], []
    for event in events:
        tenant_id = tenants.get(event.tenant)
        if tenant_id is None:
            code = "unknown_tenant" if event.tenant else "missing"
            rejected.append(Rejected(event.index, code, "tenant", "Expected the slug of a tenant you report for."))
        elif event.deployment and not deployments.has_slug(tenant_id, event.deployment):
            detail = "The tenant has no such deployment."
            rejected.append(Rejected(event.index, "unknown_deployment", "deployment", detail))
        else:
            found = deployments.find(tenant_id, event.model, event.deployment, event.occurred_at)
            occurred_at = event.occurred_at.isoformat()
            digest = _digest(event, texts[tenant_id], occurred_at)
            rows.append(EventRow(str(new_id()), event, texts[tenant_id], found, occurred_at, digest))
    return rows, rejected


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


def _digest(event: Event, tenant: str, occurred_at: str) -> str:
    """SHA-256 of what an event says, whatever its spelling; not of where it was attributed, which may change."""
    content = f"{tenant}\0{event.deployment}\0{event.model}\0{event.key}\0{occurred_at}\0{event.counts}"
    if event.samples != 1 or event.aborted:
        content += f"\0{event.samples}\0{event.aborted}"
    return hashlib.sha256(content.encode()).hexdigest()


def _store(reporter: Organization, rows: Iterable[EventRow], rejected: list[Rejected], now: datetime) -> EventsTaken:
    first: dict[tuple[str, str], EventRow] = {}
    repeated = [row for row in rows if first.setdefault(row.key, row) is not row]
    # In one order, so that two calls with the same events cannot wait for each other.
    ordered = sorted(first.values(), key=attrgetter("key"))
    inserted = insert_new(reporter.id, ordered, now) if ordered else set()
    stood = [row for row in ordered if row.id not in inserted]
    digests = existing_digests(reporter.id, stood) if stood else {}
    digests |= {row.key: row.digest for row in ordered if row.id in inserted}
    repeated += stood
    conflicts = [row for row in repeated if digests[row.key] != row.digest]
    if conflicts:
        keep_conflicts(reporter.id, conflicts, now)
    return EventsTaken(len(inserted), len(repeated) - len(conflicts), len(conflicts), tuple(rejected))


def _count(reporter: Organization, taken: EventsTaken, now: datetime) -> None:
    counts: Counter[tuple[Kind, str]] = Counter(("event", f"{REJECTED}:{one.code}") for one in taken.rejected)
    counts["event", "accepted"] = taken.accepted
    counts["event", "duplicate"] = taken.duplicates
    counts["event", "conflict"] = taken.conflicts
    count_outcomes(reporter=str(reporter.id), counts=counts, now=now)
