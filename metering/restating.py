"""Restating: usage whose owner or parts changed after it was rolled up is moved by adjusting rows.

A binding stored today may begin yesterday; a price may be cut into an hour that is over; a lease may end before the
time up to which its energy was counted. The hours that were written are not touched: rows take away what was put in the
wrong place and rows add it in the right one. What a person put in goes along (`metering.carrying`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from metering.adjustment_models import AdjustmentCause, RollupOwners
from metering.carrying import carry_substituted
from metering.checkpoints import claim_cursor, reached_ms
from metering.hours import instant_of
from metering.ownership import note_owners
from metering.rebuild import rebuild_node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

REASON: Final = "A binding, lease or cut was stored after this usage was rolled up."
CHECKED_EVERY: Final = timedelta(minutes=1)


def nodes_to_check(*, now: datetime) -> Iterator[UUID]:
    """Yield the nodes whose owners were not compared lately, or whose usage is to be restated; the oldest first."""
    rows = RollupOwners.objects.order_by("checked_at", "node_id").values_list(
        "node_id", "checked_at", "restate_from_at"
    )
    for node_id, checked_at, restate_from_at in rows.iterator():
        if restate_from_at is not None or checked_at is None or checked_at <= now - CHECKED_EVERY:
            yield node_id


def restate_node(*, node_id: UUID, now: datetime) -> int | None:
    """Move what belongs elsewhere by now; return how many rows it took, None if another worker is at this node.

    Raises `metering.rebuild.BatchesArchived`.
    """
    with transaction.atomic():
        cursor = claim_cursor(node_id)
        if cursor is None:
            return None
        at_ms = reached_ms(cursor.node)
        late = note_owners(node=cursor.node, reached_at=instant_of(at_ms) if at_ms is not None else None, now=now)
        owners = RollupOwners.objects.filter(node_id=node_id)
        moved = 0
        if late:
            from_at = owners.values_list("restate_from_at", flat=True).get()
            assert from_at is not None
            whole_hour = from_at.replace(minute=0, second=0, microsecond=0)
            moved = len(
                rebuild_node(
                    node=cursor.node,
                    from_at=whole_hour,
                    to_at=None,
                    cause=AdjustmentCause.RESTATED,
                    reason=REASON,
                    now=now,
                )
            )
            carry_substituted(node=cursor.node, from_at=whole_hour, to_at=None, now=now)
        owners.update(restate_from_at=None, checked_at=now)
    return moved
