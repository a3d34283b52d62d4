"""Delivers what is in the outbox: claimed row by row, sent outside of any transaction, tried for three days.

A claim puts a delivery off by a lease, so that whoever else looks meanwhile leaves it alone and one lost with its
worker comes back. What was sent and not noted is sent again: at least once, under the same id.

Whoever answers makes room at once: nothing waits for a receiver that hangs but what goes to that receiver. Those that
fail have at most half of the room, so that however many hang, what goes to the others goes on.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from tenants.hook_models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.hooks.outbound import ANSWER_S_MAX, Answer
from tenants.hooks.signing import headers, payload
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from uuid import UUID

LEASE: Final = timedelta(minutes=2)
BACKOFF: Final = tuple(
    timedelta(seconds=each) for each in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Waits between tries; after the last one, a little more than three days on, it is given up."""
AT_ONCE_MAX: Final = 16
OF_FAILING_MAX: Final = AT_ONCE_MAX // 2
"""Of all at once, so many go to endpoints that have not taken what they were sent."""
OF_ONE_ENDPOINT_MAX: Final = 4
LOOK_AGAIN_S: Final = 0.5
"""While calls are under way: how long until it is seen what else has become due."""
SWEEP_MAX: Final = timedelta(minutes=1)
HANGING_MAX: Final = timedelta(seconds=ANSWER_S_MAX)
"""Before its end, for so long, a sweep calls nobody who may keep it waiting."""
GONE: Final = 410
"""By the standard: the receiver wants nothing more."""


def deliver_due(*, clock: Callable[[], datetime], call: Callable[[str, bytes, Mapping[str, str]], Answer]) -> int:
    """Send what is due, and what becomes due meanwhile, until nothing is or the sweep has lasted long enough.

    Return how many were tried. `call` gets an address, the body and the headers, and runs in threads, which see plain
    values only: the database is this thread's.
    """
    tried, ends_at = 0, clock() + SWEEP_MAX
    under_way: dict[Future[Answer], WebhookDelivery] = {}
    with ThreadPoolExecutor(AT_ONCE_MAX) as pool:
        while True:
            now = clock()
            room = AT_ONCE_MAX - len(under_way) if now < ends_at else 0
            last = now >= ends_at - HANGING_MAX
            for one in claim(now=now, limit=room, busy=under_way.values(), of_failing=0 if last else OF_FAILING_MAX):
                under_way[pool.submit(call, one.endpoint.url, *message(one, now))] = one
                tried += 1
            if not under_way:
                return tried
            for answered in wait(under_way, LOOK_AGAIN_S, FIRST_COMPLETED).done:
                note_answer(delivery=under_way.pop(answered), answer=answered.result(), now=clock())


def claim(
    *, now: datetime, limit: int, busy: Collection[WebhookDelivery] = (), of_failing: int = OF_FAILING_MAX
) -> list[WebhookDelivery]:
    """Return deliveries that are due and were nobody's, the oldest first, a few of each endpoint.

    The few are chosen before the oldest are: however long one receiver's queue is, it hides nobody else's. `busy` are
    those under way, which count for their endpoint; those to failing endpoints count for `of_failing`.
    """
    claimed: list[WebhookDelivery] = []
    for delivery in _due(now, limit, busy, of_failing) if limit > 0 else ():
        mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, due_at=delivery.due_at)
        if mine.update(due_at=now + LEASE, attempts=F("attempts") + 1):
            delivery.due_at, delivery.attempts = now + LEASE, delivery.attempts + 1
            claimed.append(delivery)
    return claimed


def _due(now: datetime, limit: int, busy: Collection[WebhookDelivery], of_failing: int) -> list[WebhookDelivery]:
    """Return what may be claimed, the oldest first: of each endpoint, and of all that fail, what is left for it."""
    waiting = WebhookDelivery.objects.filter(state=DeliveryState.WAITING)
    tried_in_vain = waiting.filter(attempts__gt=0, tries__isnull=False)
    failing = set(tried_in_vain.values_list("endpoint_id", flat=True).distinct())
    due = waiting.filter(due_at__lte=now, endpoint__disabled_at__isnull=True, endpoint__removed_at__isnull=True)
    of_endpoint = Counter(one.endpoint_id for one in busy)
    left = of_failing - sum(of_endpoint[each] for each in failing)
    found = [
        *_few_of_each(due.exclude(endpoint_id__in=failing), of_endpoint, limit),
        *_few_of_each(due.filter(endpoint_id__in=failing), of_endpoint, min(limit, left)),
    ]
    return sorted(found, key=lambda one: (one.due_at, one.pk))[:limit]


def _few_of_each(
    due: QuerySet[WebhookDelivery], of_endpoint: Mapping[UUID, int], limit: int
) -> Iterator[WebhookDelivery]:
    """Yield the oldest of each endpoint for which too many are not under way already."""
    if limit <= 0:
        return
    placed = due.annotate(place=Window(RowNumber(), partition_by=["endpoint_id"], order_by=["due_at", "pk"]))
    few = placed.filter(place__lte=OF_ONE_ENDPOINT_MAX).select_related("endpoint", "event")
    full = [each for each, count in of_endpoint.items() if count >= OF_ONE_ENDPOINT_MAX]
    for one in few.exclude(endpoint_id__in=full).order_by("due_at", "pk")[:limit]:
        if one.place + of_endpoint.get(one.endpoint_id, 0) <= OF_ONE_ENDPOINT_MAX:
            yield one


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
