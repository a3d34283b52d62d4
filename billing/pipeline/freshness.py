"""How far every node has reported and was rolled up, those that are furthest behind first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, F, Min, Q

from metering.completeness import LATE_AFTER, expected_nodes

if TYPE_CHECKING:
    from datetime import datetime

ROWS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class NodeReach:
    """A node that is behind: None where it never reported, or nothing of it was rolled up."""

    provider: str
    cluster: str
    node: str
    metered_to_at: datetime | None
    rolled_to_at: datetime | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How many nodes should report, how many are behind, how far the one furthest behind is, and those behind."""

    expected: int
    late: int
    behind_to_at: datetime | None
    rows: tuple[NodeReach, ...]


def freshness_of_all(now: datetime, *, limit: int = ROWS_MAX) -> Freshness:
    """Return how fresh the whole installation is; two queries."""
    late = Q(rollup_cursor__rolled_to_at__lt=now - LATE_AFTER) | Q(rollup_cursor__rolled_to_at__isnull=True)
    nodes = expected_nodes()
    said = nodes.aggregate(
        expected=Count("pk"), late=Count("pk", filter=late), behind=Min("rollup_cursor__rolled_to_at")
    )
    rows = (
        nodes.filter(late)
        .order_by(F("rollup_cursor__rolled_to_at").asc(nulls_first=True), "cluster__name", "name")
        .values_list(
            "cluster__provider__name",
            "cluster__name",
            "name",
            "cursor__metered_to_at",
            "rollup_cursor__rolled_to_at",
        )
    )
    return Freshness(said["expected"], said["late"], said["behind"], tuple(NodeReach(*row) for row in rows[:limit]))
