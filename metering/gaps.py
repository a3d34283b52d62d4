"""Spans that could not be metered, as rows: outcomes of the agent, and ends of epochs that nobody read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from clusters.naming import fitted
from metering.models import UsageGap

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from clusters.models import Node

SUBJECT_CHARS_MAX: Final = 512
REASON_CHARS_MAX: Final = 48
OCCURRENCES_MAX: Final = 2**31 - 1
JOINED_WITHIN: Final = timedelta(seconds=90)
"""The same trouble again within this time is one gap: a node reads every ten seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that could not be read over `[from_at, to_at)`, so many times."""

    subject: str
    subject_id: str
    reason: str
    detail: str
    from_at: datetime
    to_at: datetime
    occurrences: int


def record_gaps(*, node: Node, troubles: Iterable[Trouble]) -> None:
    """Store gaps, each joined to the one that it goes on from.

    Must run in a transaction that holds the node's cursor.
    """
    merged: dict[tuple[str, str, str], Trouble] = {}
    for trouble in troubles:
        fit = _fitted(trouble)
        key = (fit.subject, fit.subject_id, fit.reason)
        merged[key] = _joined(merged[key], fit) if key in merged else fit
    if not merged:
        return
    since = min(trouble.from_at for trouble in merged.values()) - JOINED_WITHIN
    last: dict[tuple[str, str, str], UsageGap] = {}
    for gap in UsageGap.objects.filter(node=node, to_at__gte=since).order_by("to_at"):
        last[(gap.subject, gap.subject_id, gap.reason)] = gap
    fresh = []
    for key, trouble in merged.items():
        open_gap = last.get(key)
        if open_gap is not None and open_gap.to_at + JOINED_WITHIN >= trouble.from_at:
            open_gap.to_at = max(open_gap.to_at, trouble.to_at)
            open_gap.detail = trouble.detail
            open_gap.occurrences = min(OCCURRENCES_MAX, open_gap.occurrences + trouble.occurrences)
            open_gap.save(update_fields=["to_at", "detail", "occurrences"])
        else:
            fresh.append(_row(node, trouble))
    UsageGap.objects.bulk_create(fresh, ignore_conflicts=True)


def record_separate_gaps(*, node: Node, troubles: Iterable[Trouble]) -> None:
    """Store gaps that each stand alone; one that is stored already stays as it is."""
    UsageGap.objects.bulk_create([_row(node, _fitted(one)) for one in troubles], ignore_conflicts=True)


def _fitted(trouble: Trouble) -> Trouble:
    return Trouble(
        trouble.subject,
        fitted(trouble.subject_id, SUBJECT_CHARS_MAX),
        trouble.reason[:REASON_CHARS_MAX],
        trouble.detail[:SUBJECT_CHARS_MAX],
        trouble.from_at,
        max(trouble.from_at, trouble.to_at),
        min(OCCURRENCES_MAX, trouble.occurrences),
    )


def _joined(left: Trouble, right: Trouble) -> Trouble:
    return Trouble(
        left.subject,
        left.subject_id,
        left.reason,
        right.detail,
        min(left.from_at, right.from_at),
        max(left.to_at, right.to_at),
        min(OCCURRENCES_MAX, left.occurrences + right.occurrences),
    )


def _row(node: Node, trouble: Trouble) -> UsageGap:
    return UsageGap(
        node=node,
        subject=trouble.subject,
        subject_id=trouble.subject_id,
        from_at=trouble.from_at,
        to_at=trouble.to_at,
        reason=trouble.reason,
        detail=trouble.detail,
        occurrences=trouble.occurrences,
    )
