"""What of a provider's fleet needs somebody to look: each finding rests on rows that are stored."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec
from django.db.models import Count, F, Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from clusters.models import Accelerator, Node
from clusters.own_floor import own_floor
from metering.clock import CLOCK_SKEW_MS_MAX
from metering.completeness import LATE_AFTER
from metering.models import BatchConflict, Quality, UsageGap, UsageHour

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

LOOK_BACK: Final = timedelta(hours=24)
"""How long gaps, held readings and conflicts are findings; after that they are history."""


class FindingKind(StrEnum):
    """What was found, the worst first."""

    SILENT = "silent"
    CONFLICT = "conflict"
    CLOCK_OFF = "clock_off"
    HELD_RETIRED = "held_retired"
    QUARANTINED = "quarantined"
    GAPS = "gaps"


SEVERE: Final = (FindingKind.SILENT, FindingKind.CONFLICT, FindingKind.CLOCK_OFF, FindingKind.HELD_RETIRED)


class Finding(msgspec.Struct, frozen=True):
    """One kind of trouble of one node.

    `at` is since when a node is silent (None: it never reported), else when it was last seen. `count` is of gaps,
    readings, batches or cards, or the clock's difference in ms.
    """

    kind: FindingKind
    node_id: UUID
    node: str
    cluster: str
    at: datetime | None
    count: int

    @property
    def severe(self) -> bool:
        """Whether billing is at risk; a gap that ended is a remark."""
        return self.kind in SEVERE


def findings_of(
    *, provider: Organization, now: datetime, cluster_slug: str = "", node_id: UUID | None = None
) -> tuple[Finding, ...]:
    """Return what needs attention in a provider's fleet, the worst first, then by node; six queries."""
    nodes = Node.objects.filter(cluster__provider=provider)
    if cluster_slug:
        nodes = nodes.filter(cluster__slug=cluster_slug)
    if node_id is not None:
        nodes = nodes.filter(id=node_id)
    with own_floor(provider):
        found = [
            *_silent(nodes, now),
            *_conflicts(nodes, now),
            *_clocks_off(nodes),
            *_held_retired(nodes, now),
            *_quarantined(nodes, now),
            *_gaps(nodes, now),
        ]
    order = {kind: place for place, kind in enumerate(FindingKind)}
    return tuple(sorted(found, key=lambda finding: (order[finding.kind], finding.cluster, finding.node)))


def _reporting(nodes: QuerySet[Node]) -> QuerySet[Node]:
    return nodes.filter(public_key__isnull=False, revoked_at__isnull=True)


def _silent(nodes: QuerySet[Node], now: datetime) -> Iterator[Finding]:
    rows = (
        _reporting(nodes)
        .annotate(seen=F("cursor__metered_to_at"), since=Coalesce("cursor__metered_to_at", "enrolled_at", "created_at"))
        .filter(since__lt=now - LATE_AFTER)
        .values_list("id", "name", "cluster__slug", "seen")
    )
    for node_id, name, cluster, seen in rows:
        yield Finding(FindingKind.SILENT, node_id, name, cluster, seen, 1)


def _clocks_off(nodes: QuerySet[Node]) -> Iterator[Finding]:
    rows = (
        _reporting(nodes)
        .filter(Q(cursor__clock_skew_ms__gt=CLOCK_SKEW_MS_MAX) | Q(cursor__clock_skew_ms__lt=-CLOCK_SKEW_MS_MAX))
        .values_list("id", "name", "cluster__slug", "cursor__last_received_at", "cursor__clock_skew_ms")
    )
    for node_id, name, cluster, at, skew in rows:
        yield Finding(FindingKind.CLOCK_OFF, node_id, name, cluster, at, skew or 0)


def _conflicts(nodes: QuerySet[Node], now: datetime) -> Iterator[Finding]:
    rows = (
        BatchConflict.objects.filter(node__in=nodes, received_at__gte=now - LOOK_BACK)
        .values("node_id", "node__name", "node__cluster__slug")
        .annotate(at=Max("received_at"), count=Count("id"))
    )
    for row in rows:
        yield Finding(
            FindingKind.CONFLICT, row["node_id"], row["node__name"], row["node__cluster__slug"], row["at"], row["count"]
        )


def _held_retired(nodes: QuerySet[Node], now: datetime) -> Iterator[Finding]:
    """Cards that left service while somebody still holds them."""
    rows = (
        Accelerator.objects.filter(
            Q(slices__allocations__to_at__isnull=True) | Q(slices__allocations__to_at__gt=now),
            slices__allocations__from_at__lte=now,
            node__in=nodes,
            retired_at__isnull=False,
        )
        .values("node_id", "node__name", "node__cluster__slug")
        .annotate(at=Min("retired_at"), count=Count("id", distinct=True))
    )
    for row in rows:
        yield Finding(
            FindingKind.HELD_RETIRED,
            row["node_id"],
            row["node__name"],
            row["node__cluster__slug"],
            row["at"],
            row["count"],
        )


def _quarantined(nodes: QuerySet[Node], now: datetime) -> Iterator[Finding]:
    rows = (
        UsageHour.objects.filter(
            meter__node__in=nodes, quality=Quality.QUARANTINED, hour_at__gte=now - LOOK_BACK, value__gt=0
        )
        .values("meter__node_id", "meter__node__name", "meter__node__cluster__slug")
        .annotate(at=Max("hour_at"), count=Sum("records"))
    )
    for row in rows:
        yield Finding(
            FindingKind.QUARANTINED,
            row["meter__node_id"],
            row["meter__node__name"],
            row["meter__node__cluster__slug"],
            row["at"],
            int(row["count"]),
        )


def _gaps(nodes: QuerySet[Node], now: datetime) -> Iterator[Finding]:
    rows = (
        UsageGap.objects.filter(node__in=nodes, to_at__gte=now - LOOK_BACK, from_at__lt=now)
        .values("node_id", "node__name", "node__cluster__slug")
        .annotate(at=Max("to_at"), count=Count("id"))
    )
    for row in rows:
        yield Finding(
            FindingKind.GAPS, row["node_id"], row["node__name"], row["node__cluster__slug"], row["at"], row["count"]
        )
