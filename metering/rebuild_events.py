"""Working usage out again from stored events, beside what is stored of the gateways' meters.

The events of every call that was rolled up are summed again, cut at the edges and cuts of now, and compared with the
usage hours over all versions. A cut that was stored late shows as a difference like a tampered row, and is put right by
adjusting rows in the same way.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Min, Q, Sum
from django.db.models.functions import TruncHour

from metering.adjustment_models import AdjustmentCause, UsageAdjustment
from metering.event_calls import rolled_calls
from metering.event_items import FUTURE_MAX
from metering.models import PartitionArchive, UsageCut, UsageHour, Witness
from metering.partition_plans import EVENT_CALLS
from metering.rebuild import KEY, BatchesArchived, Difference, Figure, derived, write_adjustment
from metering.rollup_events import hold_off_rollup, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from metering.event_sums import ReceivedEvents
    from metering.rebuild import Key


def event_differences(*, from_at: datetime | None, to_at: datetime | None) -> list[Difference]:
    """Compare the gateways' usage hours of a window with what their events give; empty where all is right.

    Holds the rollup of events off meanwhile. Raises BatchesArchived.
    """
    with transaction.atomic():
        hold_off_rollup()
        stored, computed = _stored(from_at, to_at), _computed(from_at, to_at)
        keys = sorted(stored.keys() | computed.keys(), key=lambda key: tuple(map(str, key)))
        found = [Difference(key, stored.get(key), computed.get(key)) for key in keys]
        return [one for one in found if one.value or one.records]


def rebuild_events(
    *, from_at: datetime | None, to_at: datetime | None, cause: AdjustmentCause, reason: str, now: datetime
) -> list[Difference]:
    """Correct the gateways' usage hours of a window by adjusting rows; return what was corrected.

    Raises BatchesArchived.
    """
    with transaction.atomic():
        found = event_differences(from_at=from_at, to_at=to_at)
        if found:
            figures = [one.figure for one in found]
            adjustment = UsageAdjustment(
                cause=cause,
                reason=reason,
                from_at=min(one.hour_at for one in figures),
                to_at=max(one.to_at for one in figures),
                made_at=now,
            )
            write_adjustment(adjustment, found)
    return found


logger = logging.getLogger(__name__)
HOUR: Final = timedelta(hours=1)
CUT_HOURS_A_CALL: Final = 24
REASON: Final = "A cut was stored after this usage was rolled up."


def apply_cuts(*, now: datetime) -> int:
    """Part gateways' usage at the cuts of hours that are over, where it was rolled up before they were stored.

    Each cut is looked at once; events that come later are parted as they are rolled up. Return how many rows it took.
    """
    waiting = UsageCut.objects.filter(applied_at__isnull=True, at__lt=now - HOUR)
    hours = waiting.annotate(hour_at=TruncHour("at", tzinfo=UTC)).values_list("hour_at", flat=True).distinct()
    moved = 0
    for hour_at in hours.order_by("hour_at")[:CUT_HOURS_A_CALL]:
        window = {"from_at": hour_at, "to_at": hour_at + HOUR}
        with transaction.atomic():
            hold_off_rollup()
            seen = list(waiting.filter(at__gte=hour_at, at__lt=hour_at + HOUR).values_list("id", flat=True))
            try:
                moved += len(rebuild_events(**window, cause=AdjustmentCause.RESTATED, reason=REASON, now=now))
            except BatchesArchived:
                # One hour that can no longer be parted must not keep the others waiting.
                logger.warning(
                    "Usage of %s stays as it is at %d late cuts: its events are archived.", hour_at, len(seen)
                )
            UsageCut.objects.filter(id__in=seen).update(applied_at=now)
    return moved


def _stored(from_at: datetime | None, to_at: datetime | None) -> dict[Key, Figure]:
    rows = derived(UsageHour.objects.filter(witness=Witness.GATEWAY))
    rows = rows if from_at is None else rows.filter(hour_at__gte=from_at)
    rows = rows if to_at is None else rows.filter(hour_at__lt=to_at)
    sums = rows.values_list(*KEY, "hour_at", "witness", "quantity", "model").annotate(
        Sum("value"), Sum("records"), Min("to_at")
    )
    found: dict[Key, Figure] = {}
    for *key, hour_at, witness, quantity, model, value, records, ends_at in sums.order_by():
        found[tuple(key)] = Figure(int(value), int(records), hour_at, ends_at, witness, quantity, model)
    return found


def _computed(from_at: datetime | None, to_at: datetime | None) -> dict[Key, Figure]:
    computed: dict[Key, Figure] = {}
    for calls in _calls(from_at, to_at):
        for row in usage_of(calls):
            if (from_at is not None and row.hour_at < from_at) or (to_at is not None and row.hour_at >= to_at):
                continue
            owner = (row.deployment_id, row.tenant_id)
            key = (row.meter_id, row.from_at, *owner, str(row.quality), row.rule, row.context_over)
            figure = Figure(row.value, row.records, row.hour_at, row.to_at, row.witness, row.quantity, row.model)
            before = computed.get(key)
            computed[key] = (
                figure
                if before is None
                else replace(before, value=before.value + row.value, records=before.records + row.records)
            )
    return computed


def _calls(from_at: datetime | None, to_at: datetime | None) -> Iterator[list[ReceivedEvents]]:
    _require_calls(from_at)
    narrowed = [Q()]
    narrowed += [] if from_at is None else [Q(last_at__gte=from_at)]
    narrowed += [] if to_at is None else [Q(first_at__lt=to_at)]
    return rolled_calls(*narrowed)


def _require_calls(from_at: datetime | None) -> None:
    """Raises BatchesArchived where events of an instant or later may be in the archive alone."""
    dropped = PartitionArchive.objects.filter(table_name=EVENT_CALLS.table, dropped_at__isnull=False)
    if from_at is not None:
        # Later parts may be gone though an earlier one was restored.
        dropped = dropped.filter(to_at__gt=from_at - FUTURE_MAX)
    latest = dropped.order_by("-to_at").values_list("to_at", flat=True).first()
    if latest is not None:
        raise BatchesArchived(f"Events received before {latest} are archived; name a later start.")
