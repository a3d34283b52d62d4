"""The outbox under load: who is claimed in which order, and that one receiver never stands in the way of others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tenants.hook_models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.hooks.delivering import BACKOFF, LEASE, OF_ONE_ENDPOINT_MAX, claim, deliver_due, note_answer, secrets_of
from tenants.hooks.outbound import Answer
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.factories import make_organization
from tests.kept import kept
from tests.tenants.hooks.test_delivering import NOW, Receiver, happen, make_endpoint

if TYPE_CHECKING:
    from tenants.models import Organization

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@kept
def organization() -> Organization:
    return make_organization("house")


def waiting(organization: Organization, count: int = 1) -> list[WebhookDelivery]:
    for _ in range(count):
        happen(organization, subject_id=new_id())
    return list(WebhookDelivery.objects.filter(endpoint__organization=organization).order_by("pk"))


endpoint = kept(make_endpoint)


@pytest.mark.parametrize("queued", [OF_ONE_ENDPOINT_MAX, 51])
def test_however_long_the_queue_of_one_receiver_is_it_hides_nobody_elses(
    organization: Organization, queued: int
) -> None:
    make_endpoint(organization)
    waiting(organization, queued)
    quiet = make_organization("quiet")
    make_endpoint(quiet)
    (last,) = waiting(quiet)
    WebhookDelivery.objects.filter(pk=last.pk).update(due_at=NOW + SECOND)
    taken = claim(now=NOW + SECOND, limit=OF_ONE_ENDPOINT_MAX + 1)
    assert [one.pk for one in taken][OF_ONE_ENDPOINT_MAX:] == [last.pk]
    assert len({one.endpoint_id for one in taken[:OF_ONE_ENDPOINT_MAX]}) == 1


def test_the_oldest_are_first_and_no_more_than_was_asked_for(organization: Organization) -> None:
    make_endpoint(organization)
    made = waiting(organization, 3)
    for place, one in enumerate(reversed(made)):
        WebhookDelivery.objects.filter(pk=one.pk).update(due_at=NOW - place * SECOND)
    assert [one.pk for one in claim(now=NOW, limit=2)] == [made[0].pk, made[1].pk]


@pytest.mark.parametrize(("after", "count"), [(-SECOND, 0), (0 * SECOND, 1), (SECOND, 1)])
def test_what_is_due_now_is_due(organization: Organization, after: timedelta, count: int) -> None:
    make_endpoint(organization)
    waiting(organization)
    assert len(claim(now=NOW + after, limit=9)) == count


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.GIVEN_UP])
def test_what_is_settled_is_not_claimed(organization: Organization, state: DeliveryState) -> None:
    make_endpoint(organization)
    waiting(organization)
    WebhookDelivery.objects.update(state=state)
    assert claim(now=NOW + LEASE, limit=9) == []


@pytest.mark.parametrize("column", ["disabled_at", "removed_at"])
def test_to_an_endpoint_that_is_off_nothing_goes_until_it_is_on_again(organization: Organization, column: str) -> None:
    make_endpoint(organization)
    waiting(organization)
    WebhookEndpoint.objects.update(**{column: NOW})
    assert claim(now=NOW + LEASE, limit=9) == []
    WebhookEndpoint.objects.update(**{column: None})
    assert len(claim(now=NOW + LEASE, limit=9)) == 1


@pytest.mark.parametrize("attempt", range(1, len(BACKOFF) + 2))
def test_each_failure_waits_longer_and_after_the_last_wait_it_is_given_up(
    organization: Organization, attempt: int
) -> None:
    make_endpoint(organization)
    waiting(organization)
    WebhookDelivery.objects.update(attempts=attempt - 1)
    (claimed,) = claim(now=NOW, limit=9)
    note_answer(delivery=claimed, answer=Answer(503), now=NOW)
    kept = WebhookDelivery.objects.get()
    if attempt > len(BACKOFF):
        assert kept.state == DeliveryState.GIVEN_UP
    else:
        assert (kept.state, kept.due_at) == (DeliveryState.WAITING, NOW + BACKOFF[attempt - 1])
    assert list(BACKOFF) == sorted(BACKOFF)


@pytest.mark.parametrize(
    ("status", "is_taken"), [(None, False), (199, False), (200, True), (204, True), (299, True), (300, False)]
)
def test_only_2xx_is_delivered(organization: Organization, status: int | None, *, is_taken: bool) -> None:
    make_endpoint(organization)
    waiting(organization)
    deliver_due(now=NOW, limit=9, call=Receiver([Answer(status, "" if status else "refused", 12)]))
    kept, attempt = WebhookDelivery.objects.get(), WebhookAttempt.objects.get()
    assert (kept.state == DeliveryState.DELIVERED, kept.delivered_at) == (is_taken, NOW if is_taken else None)
    assert (attempt.status, attempt.error, attempt.duration_ms) == (status, "" if status else "refused", 12)


def test_an_answer_after_another_sweep_took_over_is_on_record_and_changes_nothing(organization: Organization) -> None:
    make_endpoint(organization)
    waiting(organization)
    (late,) = claim(now=NOW, limit=9)
    (again,) = claim(now=NOW + LEASE, limit=9)
    note_answer(delivery=late, answer=Answer(500), now=NOW + LEASE)
    assert WebhookDelivery.objects.get().due_at == NOW + 2 * LEASE
    note_answer(delivery=again, answer=Answer(200), now=NOW + LEASE)
    assert WebhookDelivery.objects.get().state == DeliveryState.DELIVERED
    note_answer(delivery=late, answer=Answer(500), now=NOW + LEASE)
    assert WebhookDelivery.objects.get().state == DeliveryState.DELIVERED
    assert WebhookAttempt.objects.count() == 3


def test_410_twice_turns_off_once_and_keeps_the_first_reason(
    organization: Organization, endpoint: WebhookEndpoint
) -> None:
    waiting(organization, 2)
    deliver_due(now=NOW, limit=9, call=Receiver([Answer(410), Answer(410)]))
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.disabled_because) == (NOW, "It answered 410: it wants nothing more.")
    (entry,) = AuditEntry.objects.all()
    assert (entry.actor, entry.subject) == ("webhooks", str(endpoint.pk))
    assert (entry.after or {})["url"] == endpoint.url


@pytest.mark.parametrize(("after", "count"), [(-SECOND, 2), (0 * SECOND, 1), (SECOND, 1)])
def test_the_old_secret_signs_until_an_instant_and_not_at_it(
    after: timedelta, count: int, endpoint: WebhookEndpoint
) -> None:
    endpoint.old_secret, endpoint.old_secret_until = "whsec_b2xk", NOW
    found = secrets_of(endpoint, NOW + after)
    assert len(found) == count
    assert found[0] == endpoint.secret
