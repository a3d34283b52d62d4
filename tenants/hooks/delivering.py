"""Delivers what is in the outbox: claimed row by row, sent outside of any transaction, tried for three days.

A claim puts a delivery off by a lease, so that whoever else looks meanwhile leaves it alone and one lost with its
worker comes back. What was sent and not noted is sent again: at least once, under the same id.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, Window
from django.db.models.functions import RowNumber

from tenants.hook_models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.hooks.outbound import Answer
from tenants.hooks.signing import headers, payload
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LEASE: Final = timedelta(minutes=2)
BACKOFF: Final = tuple(
    timedelta(seconds=each) for each in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Waits between tries; after the last one, a little more than three days on, it is given up."""
AT_ONCE_MAX: Final = 16
OF_ONE_ENDPOINT_MAX: Final = 4
"""A receiver that hangs holds up others only so much."""
GONE: Final = 410
"""By the standard: the receiver wants nothing more."""


def deliver_due(*, now: datetime, limit: int, call: Callable[[str, bytes, Mapping[str, str]], Answer]) -> int:
    """Send what is due; return how many were tried. `call` gets an address, the body and the headers."""
    claimed = claim(now=now, limit=limit)
    if not claimed:
        return 0
    with ThreadPoolExecutor(min(AT_ONCE_MAX, len(claimed))) as pool:
        # The threads see plain values only: the database is this thread's.
        sent = [pool.submit(call, one.endpoint.url, *message(one, now)) for one in claimed]
        for delivery, future in zip(claimed, sent, strict=True):
            note_answer(delivery=delivery, answer=future.result(), now=now)
    return len(claimed)


def claim(*, now: datetime, limit: int) -> list[WebhookDelivery]:
    """Return deliveries that are due and were nobody's, the oldest first, a few of each endpoint.

    The few are chosen before the oldest are: however long one receiver's queue is, it hides nobody else's.
    """
    due = (
        WebhookDelivery.objects.filter(
            state=DeliveryState.WAITING,
            due_at__lte=now,
            endpoint__disabled_at__isnull=True,
            endpoint__removed_at__isnull=True,
        )
        .annotate(place=Window(RowNumber(), partition_by=["endpoint_id"], order_by=["due_at", "pk"]))
        .filter(place__lte=OF_ONE_ENDPOINT_MAX)
        .select_related("endpoint", "event")
        .order_by("due_at", "pk")
    )
    claimed: list[WebhookDelivery] = []
    for delivery in due[:limit]:
        mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, due_at=delivery.due_at)
        if mine.update(due_at=now + LEASE, attempts=F("attempts") + 1):
            delivery.due_at, delivery.attempts = now + LEASE, delivery.attempts + 1
            claimed.append(delivery)
    return claimed


def message(delivery: WebhookDelivery, now: datetime) -> tuple[bytes, Mapping[str, str]]:
    """Return body and headers of a delivery: the same body and id in every try, signed anew."""
    event = delivery.event
    body = payload(event.kind, event.at, event.body)
    signed = headers(secrets_of(delivery.endpoint, now), f"msg_{event.pk.hex}", now, body)
    return body, {**signed, "content-type": "application/json", "user-agent": "Forecourt-Webhooks/1"}


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> Sequence[str]:
    """Return the secrets that sign: the new one, and the old one for as long as it overlaps."""
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > now:
        return endpoint.secret, endpoint.old_secret
    return (endpoint.secret,)


@transaction.atomic
def note_answer(*, delivery: WebhookDelivery, answer: Answer, now: datetime) -> None:
    """Store what came of a try: delivered, due again, given up; 410 turns the endpoint off."""
    WebhookAttempt.objects.create(
        delivery=delivery, at=now, status=answer.status, error=answer.error, duration_ms=answer.duration_ms
    )
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, due_at=delivery.due_at)
    if answer.is_taken:
        mine.update(state=DeliveryState.DELIVERED, delivered_at=now)
        return
    if answer.status == GONE:
        _disable(delivery.endpoint, now)
    if delivery.attempts > len(BACKOFF):
        mine.update(state=DeliveryState.GIVEN_UP)
        return
    mine.update(due_at=now + BACKOFF[delivery.attempts - 1])


def _disable(endpoint: WebhookEndpoint, now: datetime) -> None:
    because = "It answered 410: it wants nothing more."
    open_one = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=True)
    if open_one.update(disabled_at=now, disabled_because=because):
        AuditEntry.objects.create(
            organization_id=endpoint.organization_id,
            actor="webhooks",
            action="webhook_endpoint.disabled",
            subject=str(endpoint.pk),
            after={"url": endpoint.url, "because": because},
            at=now,
        )
