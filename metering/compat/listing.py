"""Reading back what an organization reported: stored events, and reports that wait for a tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from metering import event_calls
from metering.compat.models import HeldReport
from metering.event_calls import find_event, newest_events
from metering.event_items import COUNT_FIELDS
from tenants.models import Organization

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from metering.event_calls import StoredEvent

NAMES: Final = tuple(f"{name}_tokens" for name in COUNT_FIELDS)
EVER: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)
WAITING: Final = "no tenant of yours has this subject: name it to take the event in"


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """One reported event; `fault` says why it does not count yet, "" if it does."""

    event_id: str
    source: str
    subject: str
    model: str
    occurred_at: datetime
    received_at: datetime
    tokens: dict[str, int]
    fault: str = ""


def list_reported(
    *,
    reporter: Organization,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    subject: str = "",
    event_id: str = "",
    source: str = "",
    limit: int,
) -> list[ListedEvent]:
    """Return the newest reports of `[from_at, to_at)`, by when they happened."""
    span: dict[str, object] = {"reporter": reporter}
    named = {"occurred_at__gte": from_at, "occurred_at__lt": to_at, "event_id": event_id, "source": source}
    span |= {name: value for name, value in named.items() if value}
    held = HeldReport.objects.filter(released_at=None, **span)
    if subject:
        held = held.filter(subject=subject)
    slugs = _Slugs()

    def wanted(one: StoredEvent) -> bool:
        return (
            (not event_id or one.event_id == event_id)
            and (not source or one.source == source)
            and (not subject or slugs[one.tenant_id] == subject)
        )

    stored: Sequence[StoredEvent]
    if event_id and source:
        # By its key: looking for it among the newest would read all that was ever reported.
        found = find_event(reporter_id=reporter.id, source=source, event_id=event_id)
        span_at = (from_at or EVER, to_at or NEVER)
        stored = [found] if found and span_at[0] <= found.occurred_at < span_at[1] and wanted(found) else []
    else:
        stored = newest_events(
            reporter_id=reporter.id, from_at=from_at or EVER, to_at=to_at or NEVER, wanted=wanted, limit=limit
        )
    rows = [_stored(one, slugs) for one in stored]
    rows += [_held(row) for row in held.order_by("-occurred_at")[:limit]]
    return sorted(rows, key=attrgetter("occurred_at"), reverse=True)[:limit]


class _Slugs(dict["UUID", str]):
    """The slugs of organizations, read when they are asked for."""

    def __missing__(self, organization_id: UUID) -> str:
        slug = self[organization_id] = Organization.objects.values_list("slug", flat=True).get(id=organization_id)
        return slug


def known_ids(*, reporter: Organization, source: str, event_ids: Collection[str]) -> set[str]:
    """Return which of these ids the reporter's source used already."""
    waiting = HeldReport.objects.filter(reporter=reporter, source=source, event_id__in=event_ids)
    return event_calls.known_ids(reporter_id=reporter.id, source=source, event_ids=event_ids) | set(
        waiting.values_list("event_id", flat=True)
    )


def _stored(one: StoredEvent, slugs: _Slugs) -> ListedEvent:
    return ListedEvent(
        one.event_id,
        one.source,
        one.key or slugs[one.tenant_id],
        one.model,
        one.occurred_at,
        one.received_at,
        {f"{name}_tokens": one.numbers[name] for name in COUNT_FIELDS},
    )


def _held(row: HeldReport) -> ListedEvent:
    return ListedEvent(
        row.event_id,
        row.source,
        row.subject,
        row.model,
        row.occurred_at,
        row.received_at,
        dict(zip(NAMES, row.counts, strict=True)),
        WAITING,
    )
