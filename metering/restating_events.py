"""Restating gateways' usage: what deployments and bindings that came or ended late move is moved by adjusting rows.

1. A look at every tenant whose events were rolled up compares by which deployments they were attributed with those of
   now, and marks the span that is concerned (`metering.event_ownership`).
2. The tenant's events of that span are summed again, piece by piece, each piece in a transaction that holds the rollup
   of events off; what differs is added by adjusting rows. The mark moves with the piece, so that a worker that dies, or
   a second one, finds what is left.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, Q, Sum

from metering.adjustment_models import AdjustmentCause, EventOwners, UsageAdjustment
from metering.event_models import EventCall
from metering.event_ownership import note_event_owners
from metering.event_spans import deployments_for
from metering.rebuild_events import HOUR, EventWindow, concerned, correct_events, evidence_from
from metering.rollup_events import hold_off_rollup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from metering.event_spans import Spans
    from metering.event_sums import ReceivedEvents

logger = logging.getLogger(__name__)

REASON: Final = "A deployment or binding was stored, or ended, after these events were rolled up."
CHECKED_EVERY: Final = timedelta(minutes=1)
TENANTS_A_LOOK: Final = 500
EVENTS_A_PIECE: Final = 500_000
"""Rollup of all events waits while a piece is summed: a second or so."""


def note_changes(*, now: datetime) -> bool:
    """Compare the tenants that were not compared lately, the oldest first, some at once; return whether any was."""
    due = EventOwners.objects.filter(Q(checked_at__isnull=True) | Q(checked_at__lte=now - CHECKED_EVERY))
    oldest = due.order_by(F("checked_at").asc(nulls_first=True), "tenant_id")
    with transaction.atomic():
        # What another worker looks at is passed over: a look never waits, so nobody's wait can close a circle.
        tenant_ids = [row.tenant_id for row in oldest.select_for_update(skip_locked=True)[:TENANTS_A_LOOK]]
        note_event_owners(tenant_ids=tenant_ids, now=now)
        EventOwners.objects.filter(tenant_id__in=tenant_ids).update(checked_at=now)
    return bool(tenant_ids)


def tenants_to_restate() -> list[UUID]:
    """Return the tenants of whose events some belong elsewhere by now."""
    marked = EventOwners.objects.filter(restate_from_at__isnull=False).order_by("restate_from_at", "tenant_id")
    return list(marked.values_list("tenant_id", flat=True))


def restate_events(*, tenant_id: UUID, now: datetime) -> int | None:
    """Move the next piece of a tenant's usage to where it belongs by now; return how many rows it took.

    None: nothing is left to be moved.
    """
    with transaction.atomic():
        hold_off_rollup()
        spans = note_event_owners(tenant_ids=[tenant_id], now=now)
        row = EventOwners.objects.select_for_update().get(tenant_id=tenant_id)
        if row.restate_from_at is None or row.restate_to_at is None:
            return None
        window = _with_evidence(EventWindow(_hour(row.restate_from_at), _hour_after(row.restate_to_at), tenant_id))
        piece = _piece(window)
        moved = _move(piece, spans, now) if piece else 0
        row.restate_from_at = piece.to_at if piece and piece.to_at != window.to_at else None
        row.restate_to_at = row.restate_to_at if row.restate_from_at else None
        row.save(update_fields=["restate_from_at", "restate_to_at"])
    return moved


def _move(piece: EventWindow, spans: Spans, now: datetime) -> int:
    def attribute(calls: Sequence[ReceivedEvents]) -> list[ReceivedEvents]:
        return deployments_for(calls, spans).attributed(calls)

    adjustment = UsageAdjustment(cause=AdjustmentCause.RESTATED, reason=REASON, made_at=now)
    return len(correct_events(piece, attribute, adjustment))


def _with_evidence(window: EventWindow) -> EventWindow:
    """Leave usage as it is whose events may be in the archive alone."""
    assert window.from_at is not None
    earliest = evidence_from()
    if earliest is None or window.from_at >= earliest:
        return window
    from_at = _hour_after(earliest)
    logger.warning(
        "Events of tenant %s stay with whom they are from %s to %s: they are archived.",
        window.tenant_id,
        window.from_at,
        from_at,
    )
    return EventWindow(from_at, window.to_at, window.tenant_id)


def _piece(window: EventWindow) -> EventWindow | None:
    """Return the first hours of a window, as many as can be summed at once; None: it has none."""
    assert window.from_at is not None
    assert window.to_at is not None
    hours = (window.to_at - window.from_at) // HOUR
    if hours <= 0:
        return None
    events: int = EventCall.objects.filter(concerned(window)).aggregate(events=Sum("events"))["events"] or 0
    taken = max(1, hours * EVENTS_A_PIECE // max(events, EVENTS_A_PIECE))
    return EventWindow(window.from_at, window.from_at + taken * HOUR, window.tenant_id)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_after(at: datetime) -> datetime:
    return _hour(at + HOUR - timedelta(microseconds=1))
