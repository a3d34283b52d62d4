"""Reading back what an organization reported: stored events, and reports that wait for a tenant."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from metering.compat.models import HeldReport
from metering.models import UsageEvent

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from tenants.models import Organization

NAMES: Final = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
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
    stored = UsageEvent.objects.filter(**span)
    held = HeldReport.objects.filter(released_at=None, **span)
    if subject:
        stored, held = stored.filter(tenant__slug=subject), held.filter(subject=subject)
    rows = [_stored(row) for row in stored.select_related("tenant").order_by("-occurred_at")[:limit]]
    rows += [_held(row) for row in held.order_by("-occurred_at")[:limit]]
    return sorted(rows, key=attrgetter("occurred_at"), reverse=True)[:limit]


def known_ids(*, reporter: Organization, source: str, event_ids: Collection[str]) -> set[str]:
    """Return which of these ids the reporter's source used already."""
    known = UsageEvent.objects.filter(reporter=reporter, source=source, event_id__in=event_ids)
    waiting = HeldReport.objects.filter(reporter=reporter, source=source, event_id__in=event_ids)
    return {*known.values_list("event_id", flat=True), *waiting.values_list("event_id", flat=True)}


def _stored(row: UsageEvent) -> ListedEvent:
    counts = (row.input, row.cached_input, row.cache_write, row.output, row.reasoning)
    return ListedEvent(
        row.event_id,
        row.source,
        row.key_label or row.tenant.slug,
        row.model,
        row.occurred_at,
        row.received_at,
        dict(zip(NAMES, counts, strict=True)),
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
