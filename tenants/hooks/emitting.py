"""Says that something happened: `emit` writes the outbox in the transaction in which it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from tenants.hook_models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.hooks.kinds import KINDS, wants
from tenants.hooks.shapes import misnamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

wrong_fields = misnamed
"""What is asked of a body where the thing happens; tests ask for values too (`tenants.hooks.shapes.misfits`)."""


def emit(
    *, organization_id: UUID, kind: str, subject_id: UUID, at: datetime, body: Mapping[str, Any], occasion: str = ""
) -> WebhookEvent | None:
    """Tell an organization's endpoints of an event when this transaction commits; None where none wants it.

    Must run in the transaction in which the thing happens: what is rolled back was never told. The same kind,
    subject and `occasion` (what tells two of a kind apart, where a thing can happen twice) is told once, however
    often it is said. `body` holds JSON: texts, whole numbers; money and instants as texts.
    """
    told = emit_to([organization_id], kind=kind, subject_id=subject_id, at=at, body=body, occasion=occasion)
    return told[0] if told else None


def emit_to(
    organization_ids: Iterable[UUID],
    *,
    kind: str,
    subject_id: UUID,
    at: datetime,
    body: Mapping[str, Any],
    occasion: str = "",
) -> list[WebhookEvent]:
    """Tell several organizations of one event, each once, as `emit` does; one query where nobody listens."""
    assert transaction.get_connection().in_atomic_block, "an event is written where it happens"
    assert kind in KINDS, kind
    assert not (wrong := wrong_fields(kind, body)), (kind, wrong, body)
    endpoints = WebhookEndpoint.objects.filter(
        organization_id__in=set(organization_ids), disabled_at__isnull=True, removed_at__isnull=True
    ).order_by("pk")
    wanted: dict[UUID, list[WebhookEndpoint]] = {}
    for endpoint in endpoints:
        if wants(endpoint.kinds, kind):
            wanted.setdefault(endpoint.organization_id, []).append(endpoint)
    told = []
    for organization_id in sorted(wanted):
        event = WebhookEvent(
            organization_id=organization_id, kind=kind, subject_id=subject_id, occasion=occasion, body=dict(body), at=at
        )
        # A conflict means that it was said before: then its deliveries are there too.
        WebhookEvent.objects.bulk_create([event], ignore_conflicts=True)
        if WebhookEvent.objects.filter(pk=event.pk).exists():
            send_to(wanted[organization_id], event, at)
            told.append(event)
    return told


def listeners(kind: str) -> set[UUID]:
    """Return the organizations that want to be told of a kind; one query, for sweeps that need not look otherwise."""
    found = WebhookEndpoint.objects.filter(disabled_at__isnull=True, removed_at__isnull=True)
    return {each.organization_id for each in found.only("organization_id", "kinds") if wants(each.kinds, kind)}


def send_to(endpoints: Iterable[WebhookEndpoint], event: WebhookEvent, at: datetime) -> None:
    """Put an event into the outbox of endpoints."""
    WebhookDelivery.objects.bulk_create(
        [WebhookDelivery(endpoint=endpoint, event=event, due_at=at) for endpoint in endpoints], ignore_conflicts=True
    )
