"""Spans that could not be metered, as rows: outcomes of the agent, and ends of epochs that nobody read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
    """Something that could not be read over `[from_at, to_at)`, so many times.

    `value_max` says what can have gone unseen at most, by class and model; None where no bound is known.
    """

    subject: str
    subject_id: str
    reason: str
    detail: str
    from_at: datetime
    to_at: datetime
    occurrences: int
    value_max: Mapping[str, int | None] = field(default_factory=dict)


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
    """Store gaps that each stand alone, those of one subject, instant and reason as one; add to what is stored.

    Must run in a transaction that holds the node's rollup cursor.
    """
    merged: dict[tuple[str, str, datetime, str], Trouble] = {}
    for trouble in troubles:
        one = _fitted(trouble)
        key = (one.subject, one.subject_id, one.from_at, one.reason)
        merged[key] = _merged(merged[key], one) if key in merged else one
    if not merged:
        return
    stored = UsageGap.objects.filter(node=node, from_at__in={key[2] for key in merged})
    for gap in stored.filter(reason__in={key[3] for key in merged}):
        found = merged.pop((gap.subject, gap.subject_id, gap.from_at, gap.reason), None)
        if found is not None and not found.value_max.items() <= gap.value_max.items():
            gap.to_at, gap.value_max = max(gap.to_at, found.to_at), {**gap.value_max, **found.value_max}
            gap.save(update_fields=["to_at", "value_max"])
    UsageGap.objects.bulk_create([_row(node, one) for one in merged.values()])


def _merged(left: Trouble, right: Trouble) -> Trouble:
    return replace(left, to_at=max(left.to_at, right.to_at), value_max={**left.value_max, **right.value_max})


def _fitted(trouble: Trouble) -> Trouble:
    return replace(
        trouble,
        subject_id=fitted(trouble.subject_id, SUBJECT_CHARS_MAX),
        reason=trouble.reason[:REASON_CHARS_MAX],
        detail=trouble.detail[:SUBJECT_CHARS_MAX],
        to_at=max(trouble.from_at, trouble.to_at),
        occurrences=min(OCCURRENCES_MAX, trouble.occurrences),
    )


def _joined(left: Trouble, right: Trouble) -> Trouble:
    return replace(
        left,
        detail=right.detail,
        from_at=min(left.from_at, right.from_at),
        to_at=max(left.to_at, right.to_at),
        occurrences=min(OCCURRENCES_MAX, left.occurrences + right.occurrences),
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
        value_max=dict(trouble.value_max),
    )
