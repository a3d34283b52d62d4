"""Noticing that a binding, a lease or a cut came after the usage that it is about was rolled up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from metering.adjustment_models import RollupOwners
from metering.attribution import node_owners
from metering.hours import instant_of, unix_ms_of
from metering.owners import Owners, first_difference

if TYPE_CHECKING:
    from datetime import datetime

    from clusters.models import Node

LATE_BY_MAX: Final = timedelta(days=62)
"""How far back a change is noticed by itself: two billing months. `rebuild_usage --apply` puts in an earlier one."""


def note_owners(*, node: Node, reached_at: datetime | None, now: datetime) -> bool:
    """Compare whose usage is now with whose it was when it was rolled up; keep the new, and from where on they differ.

    Everything before `reached_at` was rolled up (None: nothing). Return whether usage is to be restated. Must run in a
    transaction that holds the node's rollup cursor.
    """
    from_ms = unix_ms_of((reached_at or now) - LATE_BY_MAX)
    current = node_owners(node, from_ms)
    kept = RollupOwners.objects.filter(node=node).first()
    if kept is None:
        RollupOwners.objects.create(node=node, spans=msgspec.to_builtins(current), agreed_to_at=reached_at or now)
        return False
    before = msgspec.convert(kept.spans, Owners)
    if before != current and reached_at is not None:
        differs_ms = first_difference(before, current, from_ms=from_ms, to_ms=unix_ms_of(reached_at))
        if differs_ms is not None:
            differs_at = instant_of(differs_ms)
            kept.restate_from_at = min(kept.restate_from_at or differs_at, differs_at)
    if before != current:
        kept.spans = msgspec.to_builtins(current)
    kept.agreed_to_at = reached_at or now
    kept.save(update_fields=["spans", "agreed_to_at", "restate_from_at"])
    return kept.restate_from_at is not None
