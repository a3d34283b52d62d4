"""What of a provider's fleet needs somebody to look: each finding rests on rows that are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from django.db.models import Count, F, Max, Min, Q, Sum, Value
from django.db.models.functions import Coalesce

from clusters.models import Accelerator, Node
from clusters.own_floor import own_floor
from metering.clock import CLOCK_SKEW_MS_MAX
from metering.completeness import LATE_AFTER
from metering.models import BatchConflict, Quality, UsageGap, UsageHour
from tenants.limits.said_once import SaidOnce

if TYPE_CHECKING:
    from collections.abc import Collection

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


_KINDS: Final = {kind.value: kind for kind in FindingKind}
_ORDER: Final = {kind: place for place, kind in enumerate(_KINDS)}
"""Thousands of nodes may be silent together: to look one up is a sixth of asking the enumeration."""

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


@dataclass(frozen=True, slots=True)
class Attention:
    """What of a fleet needs attention: how much it is, and the worst of it.

    `count` is of findings, `nodes` of those that have one; `severe` is whether any is. `findings` are the worst, the
    first of them worst of all; `of_nodes` are those of the nodes that were asked for, whether among them or not.
    """

    count: int = 0
    nodes: int = 0
    severe: bool = False
    findings: tuple[Finding, ...] = ()
    of_nodes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose fleet, of which cluster and node ("" and None for any), and the instants that findings go by."""

    provider_id: UUID
    cluster_slug: str
    node_id: UUID | None
    now: datetime
    late_at: datetime
    since: datetime


_SOME_NODE: Final = UUID(int=2)
_SOMEWHERE: Final = _Asked(
    UUID(int=1), "some-cluster", _SOME_NODE, *(datetime(1, 1, day, tzinfo=UTC) for day in (1, 2, 3))
)
"""Stands for what is asked in the statement, which is written once."""

# Thousands of nodes may be silent together, and a page names eight. Names go by their letters' numbers, as in Python.
WORST: Final = """
    WITH found AS MATERIALIZED ({rows})
    (
        SELECT found.*, counted.* FROM found, (
            SELECT count(*), count(DISTINCT of), bool_or(kind = ANY (%s)) FROM found
        ) AS counted
        ORDER BY array_position(%s, kind), slug_of COLLATE "C", name_of COLLATE "C"
        LIMIT %s
    )
    UNION ALL
    SELECT found.*, NULL, NULL, NULL FROM found WHERE of = ANY (%s)
"""


def findings_of(
    *, provider: Organization, now: datetime, cluster_slug: str = "", node_id: UUID | None = None
) -> tuple[Finding, ...]:
    """Return what needs attention in a provider's fleet, the worst first, then by node; one query."""
    asked = _Asked(provider.pk, cluster_slug, node_id, now, now - LATE_AFTER, now - LOOK_BACK)
    with own_floor(provider):
        rows = _statement(by_cluster=bool(cluster_slug), by_node=node_id is not None).rows(asked)
    rows.sort(key=lambda row: (_ORDER[row[0]], row[3], row[2]))
    return tuple(_finding(row) for row in rows)


def attention_of(
    *,
    provider: Organization,
    now: datetime,
    worst: int,
    cluster_slug: str = "",
    node_ids: Collection[UUID] = (),
) -> Attention:
    """Return what `findings_of` comes to, with so many of the worst, and with those of some nodes; one query."""
    asked = _Asked(provider.pk, cluster_slug, None, now, now - LATE_AFTER, now - LOOK_BACK)
    severe, order = [kind.value for kind in SEVERE], list(_ORDER)
    with own_floor(provider):
        rows = _worst(by_cluster=bool(cluster_slug)).rows(asked, severe, order, worst, list(node_ids))
    findings = [row for row in rows if row[-1] is not None]
    count, nodes, any_severe = findings[0][-3:] if findings else (0, 0, False)
    of_nodes = sorted((row for row in rows if row[-1] is None), key=lambda row: _ORDER[row[0]])
    return Attention(
        count, nodes, any_severe, tuple(_finding(row) for row in findings), tuple(_finding(row) for row in of_nodes)
    )


def _finding(row: tuple[Any, ...]) -> Finding:
    kind, of, name, slug, at, count = row[:6]
    return Finding(_KINDS[kind], of, name, slug, at, int(count))


@cache
def _worst(*, by_cluster: bool) -> SaidOnce:
    """The statement that finds everything and names the worst of it."""
    return _statement(by_cluster=by_cluster, by_node=False).within(WORST)


@cache
def _statement(*, by_cluster: bool, by_node: bool) -> SaidOnce:
    """The statement that finds everything."""

    def of(path: str) -> dict[str, Any]:
        """Which rows are of the nodes asked for; `path` leads from them to their node."""
        asked: dict[str, Any] = {f"{path}cluster__provider": _SOMEWHERE.provider_id}
        if by_cluster:
            asked[f"{path}cluster__slug"] = _SOMEWHERE.cluster_slug
        if by_node:
            asked[f"{path}id"] = _SOME_NODE
        return asked

    reporting = Node.objects.filter(**of(""), public_key__isnull=False, revoked_at__isnull=True)
    parts = [
        _silent(reporting),
        _conflicts(BatchConflict.objects.filter(**of("node__"))),
        _clocks_off(reporting),
        _held_retired(Accelerator.objects.filter(**of("node__"))),
        _quarantined(UsageHour.objects.filter(**of("meter__node__"))),
        _gaps(UsageGap.objects.filter(**of("node__"))),
    ]
    first, *others = (part.order_by() for part in parts)
    return SaidOnce(_SOMEWHERE, first.union(*others, all=True))


def _silent(reporting: QuerySet[Node]) -> QuerySet[Any, Any]:
    since = Coalesce("cursor__metered_to_at", "enrolled_at", "created_at")
    rows = reporting.annotate(silent_since=since).filter(silent_since__lt=_SOMEWHERE.late_at)
    return _told(rows, FindingKind.SILENT, "", F("cursor__metered_to_at"), Value(1))


def _clocks_off(reporting: QuerySet[Node]) -> QuerySet[Any, Any]:
    rows = reporting.filter(
        Q(cursor__clock_skew_ms__gt=CLOCK_SKEW_MS_MAX) | Q(cursor__clock_skew_ms__lt=-CLOCK_SKEW_MS_MAX)
    )
    return _told(rows, FindingKind.CLOCK_OFF, "", F("cursor__last_received_at"), F("cursor__clock_skew_ms"))


def _conflicts(conflicts: QuerySet[BatchConflict]) -> QuerySet[Any, Any]:
    rows = conflicts.filter(received_at__gte=_SOMEWHERE.since)
    return _told(rows, FindingKind.CONFLICT, "node__", Max("received_at"), Count("id"))


def _held_retired(cards: QuerySet[Accelerator]) -> QuerySet[Any, Any]:
    """Cards that left service while somebody still holds them."""
    rows = cards.filter(
        Q(slices__allocations__to_at__isnull=True) | Q(slices__allocations__to_at__gt=_SOMEWHERE.now),
        slices__allocations__from_at__lte=_SOMEWHERE.now,
        retired_at__isnull=False,
    )
    return _told(rows, FindingKind.HELD_RETIRED, "node__", Min("retired_at"), Count("id", distinct=True))


def _quarantined(hours: QuerySet[UsageHour]) -> QuerySet[Any, Any]:
    rows = hours.filter(quality=Quality.QUARANTINED, hour_at__gte=_SOMEWHERE.since, value__gt=0)
    return _told(rows, FindingKind.QUARANTINED, "meter__node__", Max("hour_at"), Sum("records"))


def _gaps(gaps: QuerySet[UsageGap]) -> QuerySet[Any, Any]:
    rows = gaps.filter(to_at__gte=_SOMEWHERE.since, from_at__lt=_SOMEWHERE.now)
    return _told(rows, FindingKind.GAPS, "node__", Max("to_at"), Count("id"))


def _told(rows: QuerySet[Any, Any], kind: FindingKind, path: str, at: Any, count: Any) -> QuerySet[Any, Any]:
    """A kind's rows as the columns of a `Finding`; `path` leads from them to their node."""
    told: QuerySet[Any, Any] = rows.values(
        kind=Value(kind.value), of=F(f"{path}id"), name_of=F(f"{path}name"), slug_of=F(f"{path}cluster__slug")
    ).annotate(at=at, found=count)
    return told
