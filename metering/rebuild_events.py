"""Working usage out again from stored events, beside what is stored of the gateways' meters.

The events of every call that was rolled up are summed again, for the deployments of now and cut at the edges and cuts
of now, and compared with the usage hours over all versions. A deployment, a binding or a cut that was stored late shows
as a difference like a tampered row, and is put right by adjusting rows in the same way. What explains differences to
the engines is compared as well; nothing of it is billed, so it is put right in place.
"""

from __future__ import annotations

import logging
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import add, sub
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Min, Q, Sum
from django.db.models.functions import TruncHour

from metering.adjustment_models import AdjustmentCause, UsageAdjustment
from metering.event_calls import rolled_calls
from metering.event_items import FUTURE_MAX
from metering.event_models import ExplainingHour
from metering.event_spans import attributed_now
from metering.event_sums import Explaining, ReceivedEvents
from metering.key_hours import add_key_hours, countable, stored_sums
from metering.key_models import KeyHour
from metering.key_sums import COUNTED, KeyPart, KeySum, add_sums, missing_of
from metering.models import PartitionArchive, UsageCut, UsageHour, Witness
from metering.partition_plans import EVENT_CALLS
from metering.rebuild import KEY, BatchesArchived, Difference, Figure, derived, write_adjustment
from metering.rollup_events import (
    EXPLAINING,
    add_explaining,
    explaining_of,
    hold_off_rollup,
    key_sums_of,
    present,
    usage_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.db.models import QuerySet

    from metering.rebuild import Key

    Attribute = Callable[[Sequence[ReceivedEvents]], list[ReceivedEvents]]
    ExplainingKey = tuple[UUID, str, datetime]

HOUR: Final = timedelta(hours=1)
NOTHING: Final = (0,) * len(EXPLAINING)


@dataclass(frozen=True, slots=True)
class EventWindow:
    """The usage hours that begin in `[from_at, to_at)`, of all tenants or one; None: without bound."""

    from_at: datetime | None
    to_at: datetime | None
    tenant_id: UUID | None = None

    def holds(self, hour_at: datetime) -> bool:
        """Whether an hour is one of the window's."""
        return (self.from_at is None or hour_at >= self.from_at) and (self.to_at is None or hour_at < self.to_at)


@dataclass(frozen=True, slots=True)
class ExplainingDifference:
    """What must be added to what explains an hour's differences to the engines."""

    missing: Explaining

    def __str__(self) -> str:
        deployment_id, model, hour_at, *missing = astuple(self.missing)
        values = ", ".join(f"{name} {value:+}" for name, value in zip(EXPLAINING, missing, strict=True) if value)
        return f"{hour_at:%Y-%m-%dT%H:%M:%SZ} {model} deployment {deployment_id}: to explain it, {values}"


@dataclass(frozen=True, slots=True)
class KeyDifference:
    """What must be added to the use of a key in a part of an hour."""

    missing: KeySum

    def __str__(self) -> str:
        part = self.missing.part
        values = ", ".join(
            f"{name} {value:+}" for name, value in zip(COUNTED, self.missing.counts, strict=True) if value
        )
        return (
            f"{part.from_at:%Y-%m-%dT%H:%M:%SZ} {part.model} deployment {part.deployment_id or '-'} "
            f"{part.quality}: of key {part.label!r}, {values}"
        )


EventDifference = Difference | ExplainingDifference | KeyDifference


def event_differences(*, from_at: datetime | None, to_at: datetime | None) -> list[EventDifference]:
    """Compare the gateways' usage hours of a window with what their events give; empty where all is right.

    Holds the rollup of events off meanwhile. Raises BatchesArchived.
    """
    with transaction.atomic():
        hold_off_rollup()
        return _differences(EventWindow(from_at, to_at), attributed_now)


def rebuild_events(
    *, from_at: datetime | None, to_at: datetime | None, cause: AdjustmentCause, reason: str, now: datetime
) -> list[EventDifference]:
    """Correct the gateways' usage hours of a window by adjusting rows; return what was corrected.

    Raises BatchesArchived.
    """
    with transaction.atomic():
        hold_off_rollup()
        adjustment = UsageAdjustment(cause=cause, reason=reason, made_at=now)
        return correct_events(EventWindow(from_at, to_at), lambda calls: present(calls, now), adjustment)


def correct_events(window: EventWindow, attribute: Attribute, adjustment: UsageAdjustment) -> list[EventDifference]:
    """Correct the gateways' usage hours of a window; return what was corrected.

    `attribute` says whose events are. Must run in a transaction that holds rollup off. Raises BatchesArchived.
    """
    found = _differences(window, attribute)
    usage = [one for one in found if isinstance(one, Difference)]
    if usage:
        adjustment.from_at = min(one.figure.hour_at for one in usage)
        adjustment.to_at = max(one.figure.to_at for one in usage)
        write_adjustment(adjustment, usage)
    add_explaining([one.missing for one in found if isinstance(one, ExplainingDifference)])
    add_key_hours([one.missing for one in found if isinstance(one, KeyDifference)], adjustment.made_at)
    return found


logger = logging.getLogger(__name__)
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


def _differences(window: EventWindow, attribute: Attribute) -> list[EventDifference]:
    stored, explained = _stored(window), _stored_explaining(window)
    computed: dict[Key, Figure] = {}
    explaining: dict[ExplainingKey, tuple[int, ...]] = {}
    by_key: dict[KeyPart, KeySum] = {}
    for calls in _calls(window):
        now = attribute(calls)
        _add_usage(computed, window, now)
        _add_explaining(explaining, window, now)
        add_sums(by_key, (one for one in key_sums_of(now) if window.holds(one.hour_at)))
    keys = sorted(stored.keys() | computed.keys(), key=lambda key: tuple(map(str, key)))
    usage = (Difference(key, stored.get(key), computed.get(key)) for key in keys)
    missing = (
        Explaining(*key, *map(sub, explaining.get(key, NOTHING), explained.get(key, NOTHING)))
        for key in sorted(explained.keys() | explaining.keys())
    )
    return [
        *(one for one in usage if one.value or one.records),
        *(ExplainingDifference(one) for one in missing if any(getattr(one, name) for name in EXPLAINING)),
        *map(KeyDifference, countable(missing_of(by_key, stored_sums(_in_window(KeyHour.objects.all(), window))))),
    ]


def _in_window(rows: QuerySet[KeyHour], window: EventWindow) -> QuerySet[KeyHour]:
    rows = rows if window.tenant_id is None else rows.filter(tenant_id=window.tenant_id)
    rows = rows if window.from_at is None else rows.filter(hour_at__gte=window.from_at)
    return rows if window.to_at is None else rows.filter(hour_at__lt=window.to_at)


def _stored(window: EventWindow) -> dict[Key, Figure]:
    rows = derived(UsageHour.objects.filter(witness=Witness.GATEWAY))
    rows = rows if window.tenant_id is None else rows.filter(tenant_id=window.tenant_id)
    rows = rows if window.from_at is None else rows.filter(hour_at__gte=window.from_at)
    rows = rows if window.to_at is None else rows.filter(hour_at__lt=window.to_at)
    sums = rows.values_list(*KEY, "hour_at", "witness", "quantity", "model").annotate(
        Sum("value"), Sum("records"), Min("to_at")
    )
    found: dict[Key, Figure] = {}
    for *key, hour_at, witness, quantity, model, value, records, ends_at in sums.order_by():
        found[tuple(key)] = Figure(int(value), int(records), hour_at, ends_at, witness, quantity, model)
    return found


def _stored_explaining(window: EventWindow) -> dict[ExplainingKey, tuple[int, ...]]:
    rows = ExplainingHour.objects.all()
    rows = rows if window.tenant_id is None else rows.filter(deployment__tenant_id=window.tenant_id)
    rows = rows if window.from_at is None else rows.filter(hour_at__gte=window.from_at)
    rows = rows if window.to_at is None else rows.filter(hour_at__lt=window.to_at)
    found = rows.values_list("deployment_id", "model", "hour_at", *EXPLAINING)
    return {(deployment, model, hour_at): tuple(values) for deployment, model, hour_at, *values in found}


def _add_usage(computed: dict[Key, Figure], window: EventWindow, calls: Sequence[ReceivedEvents]) -> None:
    for row in usage_of(calls):
        if not window.holds(row.hour_at):
            continue
        owner = (row.deployment_id, row.tenant_id)
        key = (row.meter_id, row.from_at, *owner, str(row.quality), row.rule, row.context_over, row.marks)
        figure = Figure(row.value, row.records, row.hour_at, row.to_at, row.witness, row.quantity, row.model)
        before = computed.get(key)
        computed[key] = (
            figure
            if before is None
            else replace(before, value=before.value + row.value, records=before.records + row.records)
        )


def _add_explaining(
    explaining: dict[ExplainingKey, tuple[int, ...]], window: EventWindow, calls: Sequence[ReceivedEvents]
) -> None:
    for row in explaining_of(calls):
        if window.holds(row.hour_at):
            key = (row.deployment_id, row.model, row.hour_at)
            values = (getattr(row, name) for name in EXPLAINING)
            explaining[key] = tuple(map(add, explaining.get(key, NOTHING), values))


def _calls(window: EventWindow) -> Iterator[list[ReceivedEvents]]:
    """Yield the calls that were rolled up and may concern a window, some at a time."""
    if (earliest := evidence_from()) is not None and (window.from_at is None or window.from_at < earliest):
        raise BatchesArchived(f"Events that occurred before {earliest} may be archived; name a later start.")
    for calls in rolled_calls(concerned(window)):
        if window.tenant_id is not None:
            mine = [replace(call, events=call.events.of_tenant(window.tenant_id)) for call in calls]
            # A call names every tenant that it was about, also one whose events were all known before.
            calls = [call for call in mine if len(call.events)]
        if calls:
            yield calls


def concerned(window: EventWindow) -> Q:
    """Return what calls are that may hold events of a window."""
    which = Q() if window.tenant_id is None else Q(tenants__contains=[window.tenant_id])
    which &= Q() if window.from_at is None else Q(last_at__gte=window.from_at)
    return which & (Q() if window.to_at is None else Q(first_at__lt=window.to_at))


def evidence_from() -> datetime | None:
    """Return from when on every event is in the database and none in the archive alone; None: all ever are.

    Later parts may be gone though an earlier one was restored.
    """
    dropped = PartitionArchive.objects.filter(table_name=EVENT_CALLS.table, dropped_at__isnull=False)
    latest: datetime | None = dropped.order_by("-to_at").values_list("to_at", flat=True).first()
    return None if latest is None else latest + FUTURE_MAX
