"""Reading how completely nodes were watched: hour by hour, and where they were silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F, Q

from clusters.models import Node
from metering.completeness import nodes_of
from metering.control_models import NodeHour, Silence
from tenants.listing.paging import Page, Paged, page_values

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

HOUR: Final = timedelta(hours=1)
HOURS_SHOWN: Final = 24
EDGE_MS: Final = 15_000
"""What may lie between the last look of what was expected and its end."""


@dataclass(frozen=True, slots=True)
class WatchedHour:
    """How long of an hour a node should have looked and did, in ms; `expected_ms` is 0 where nothing was expected."""

    node: str
    hour_at: datetime
    expected_ms: int
    observed_ms: int
    looks: int


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A stretch in which a node was not heard; `to_at` is None while it lasts, `end` says how it ended."""

    node: str
    cluster: str
    from_at: datetime
    to_at: datetime | None
    end: str
    found_at: datetime


def watched_nodes(organization: Organization) -> QuerySet[Node]:
    """Return the nodes that concern an organization: all of its own with an agent, and those that serve it now."""
    own = Q(cluster__provider=organization, public_key__isnull=False)
    return Node.objects.filter(own | Q(id__in=nodes_of(organization).values("id")))


def watched_hours(*, organization: Organization, from_at: datetime, to_at: datetime, page: Page) -> Paged[WatchedHour]:
    """Return nodes and hours of a window in which something was expected or observed, in order; one query.

    Raises WrongCursor.
    """
    found = NodeHour.objects.filter(
        Q(expected_ms__gt=0) | Q(observed_ms__gt=0),
        node__in=watched_nodes(organization),
        hour_at__gte=from_at,
        hour_at__lt=to_at,
    )
    columns = ("node__name", "hour_at", "expected_ms", "observed_ms", "looks")
    paged = page_values(found, page, ("hour_at", "node__name", "node_id"), columns)
    return Paged([WatchedHour(*row) for row in paged.rows], paged.next_cursor)


def last_hours(now: datetime) -> tuple[datetime, ...]:
    """Return the last 24 hours that are over, the oldest first."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    return tuple(this_hour - back * HOUR for back in range(HOURS_SHOWN, 0, -1))


def covered(*, node_ids: Collection[UUID], hours: Collection[datetime]) -> dict[UUID, dict[datetime, int]]:
    """Return for nodes and hours how much of what was expected was observed, in thousandths; one query.

    An hour in which nothing was expected is not there. Never more than the whole: what was observed before an agent
    was enrolled, or by clocks a little apart, adds nothing.
    """
    rows = NodeHour.objects.filter(node_id__in=node_ids, hour_at__in=list(hours), expected_ms__gt=0)
    found: dict[UUID, dict[datetime, int]] = {}
    for node_id, hour_at, expected, observed in rows.values_list("node_id", "hour_at", "expected_ms", "observed_ms"):
        found.setdefault(node_id, {})[hour_at] = covered_permille(expected, observed)
    return found


def covered_permille(expected_ms: int, observed_ms: int) -> int:
    """Return a covered share in thousandths; a look's pause at the edge of an hour is no gap, so 59:50 is the whole."""
    return 1000 if observed_ms + EDGE_MS >= expected_ms else observed_ms * 1000 // expected_ms


@dataclass(frozen=True, slots=True)
class Completeness:
    """The hours of a window together: how many node-hours were expected, and how many of them were watched whole."""

    expected: int
    whole: int
    expected_ms: int
    observed_ms: int


def completeness_of(*, organization: Organization, from_at: datetime, to_at: datetime) -> Completeness:
    """Return how completely an organization's nodes were watched; one query."""
    rows = NodeHour.objects.filter(
        node__in=watched_nodes(organization), hour_at__gte=from_at, hour_at__lt=to_at, expected_ms__gt=0
    ).values_list("expected_ms", "observed_ms")
    pairs = list(rows)
    return Completeness(
        expected=len(pairs),
        whole=sum(covered_permille(expected, observed) == 1000 for expected, observed in pairs),
        expected_ms=sum(expected for expected, _ in pairs),
        observed_ms=sum(min(expected, observed + EDGE_MS) for expected, observed in pairs),
    )


def silence_rows(
    *, organization: Organization, from_at: datetime, to_at: datetime, node_id: UUID | None = None, limit: int = 200
) -> list[SilenceRow]:
    """Return the silences that touch a window, those that last first, then the newest; one query."""
    rows = Silence.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at), node__in=watched_nodes(organization), from_at__lt=to_at
    )
    if node_id is not None:
        rows = rows.filter(node_id=node_id)
    ordered = rows.order_by(F("to_at").desc(nulls_first=True), "-from_at", "id")
    found = ordered.values_list("node__name", "node__cluster__slug", "from_at", "to_at", "end", "found_at")
    return [SilenceRow(*row) for row in found[:limit]]
