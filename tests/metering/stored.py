"""Usage events as they are stored, for tests: read back one by one, and stored without an API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Sum

from metering.event_calls import events_of
from metering.event_items import COUNT_FIELDS, Event
from metering.event_models import EventCall, EventKey, WaitingEvents
from metering.events import accept_events

if TYPE_CHECKING:
    from datetime import datetime

    from clusters.models import Deployment
    from metering.event_calls import StoredEvent
    from tenants.models import Organization


def stored_events() -> dict[str, StoredEvent]:
    """Every stored event by its id; two of one id would be a defect of the test."""
    found = [one for call in EventCall.objects.order_by("id") for one in events_of(call)]
    assert len({one.event_id for one in found}) == len(found)
    return {one.event_id: one for one in found}


def counts_of(one: StoredEvent) -> dict[str, int]:
    """Its tokens by class."""
    return {name: one.numbers[name] for name in COUNT_FIELDS}


def how_many() -> tuple[int, int, int]:
    """Events stored, keys known, events that wait for rollup."""
    stored = EventCall.objects.aggregate(events=Sum("events"))["events"] or 0
    waiting = WaitingEvents.objects.aggregate(events=Sum("events"))["events"] or 0
    return stored, EventKey.objects.count(), waiting


def store_event(
    tenant: Organization, at: datetime, *, model: str, deployment: Deployment | None = None, event_id: str | None = None
) -> None:
    """One event of 10 input tokens and 1 output token that its tenant reports at the instant at which it occurs."""
    name = event_id or f"event-{EventKey.objects.count()}"
    slug = deployment.slug if deployment else ""
    event = Event(0, "sample", name, at, model, (10, 0, 0, 1, 0), slug, "", "")
    assert accept_events(reporter=tenant, events=[event], now=at).accepted == 1
