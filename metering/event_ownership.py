"""Noticing that a deployment or a binding came, or ended, after events were rolled up that it is about.

What is in the gateways' usage hours was attributed by the spans that are kept here, apart from the span that is marked
to be restated. Whoever sums events notes the spans that it sums by before it does: so a state that came and went
between two looks leaves its mark too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from metering.adjustment_models import EventOwners
from metering.event_columns import instant_us, unix_us
from metering.event_owners import Served, changed_span, since
from metering.event_spans import read_spans
from metering.ownership import LATE_BY_MAX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from metering.event_spans import Spans

AHEAD: Final = timedelta(hours=1)
"""More than clocks differ and events lie in the future: a change from later on is about nothing that is summed."""


def note_event_owners(*, tenant_ids: Collection[UUID], now: datetime) -> Spans:
    """Keep by which deployments the events of some tenants are attributed from now on, and return them.

    Where they differ from those kept, the span that is concerned is marked to be restated. Must run in the transaction
    that adds to usage hours, under the lock of `metering.rollup_events` that holds the restating off.
    """
    if not tenant_ids:
        return {}
    from_us = unix_us(now - LATE_BY_MAX)
    # Kept before present: what is read as equal was then noted before the present state changed.
    kept = _kept(EventOwners.objects.filter(tenant_id__in=tenant_ids), from_us)
    spans = read_spans(tenant_ids)
    changed = sorted(each for each in spans if kept.get(each) != since(spans[each], from_us))
    if changed:
        spans |= _keep(changed, spans, from_us, now)
    return spans


def _kept(rows: Iterable[EventOwners], from_us: int) -> dict[UUID, list[Served]]:
    return {row.tenant_id: since(msgspec.convert(row.spans, list[Served]), from_us) for row in rows}


def _keep(changed: Collection[UUID], spans: Spans, from_us: int, now: datetime) -> Spans:
    """Write the spans of tenants in one order, and read them once more under the locks on their rows."""
    EventOwners.objects.bulk_create(
        [EventOwners(tenant_id=each, spans=_as_stored(spans[each], from_us), checked_at=now) for each in changed],
        ignore_conflicts=True,
    )
    rows = list(EventOwners.objects.select_for_update().filter(tenant_id__in=changed).order_by("tenant_id"))
    kept = _kept(rows, from_us)
    present = read_spans(changed)
    for row in rows:
        found = since(present[row.tenant_id], from_us)
        if found == kept[row.tenant_id]:
            continue
        span = changed_span(kept[row.tenant_id], found, from_us=from_us, to_us=unix_us(now + AHEAD))
        if span is not None:
            _mark(row, *map(instant_us, span))
        row.spans = _as_stored(present[row.tenant_id], from_us)
        row.save(update_fields=["spans", "restate_from_at", "restate_to_at"])
    return present


def _as_stored(served: Iterable[Served], from_us: int) -> object:
    return msgspec.to_builtins(since(served, from_us))


def _mark(row: EventOwners, from_at: datetime, to_at: datetime) -> None:
    if row.restate_from_at is None or row.restate_to_at is None:
        row.restate_from_at, row.restate_to_at = from_at, to_at
    else:
        row.restate_from_at, row.restate_to_at = min(row.restate_from_at, from_at), max(row.restate_to_at, to_at)
