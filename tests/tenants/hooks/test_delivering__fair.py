"""The outbox under load: who is claimed in which order, and that one receiver never stands in the way of others."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tenants.hook_models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tenants.hooks.delivering import (
    AT_ONCE_MAX,
    BACKOFF,
    HANGING_MAX,
    LEASE,
    OF_FAILING_MAX,
    OF_ONE_ENDPOINT_MAX,
    SWEEP_MAX,
    claim,
    deliver_due,
    note_answer,
    secrets_of,
)
from tenants.hooks.outbound import Answer
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.factories import make_organization
from tests.kept import kept
from tests.tenants.hooks.test_delivering import NOW, Receiver, at, happen, make_endpoint

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


class Hanging:
    """Receivers of which those named `hangs` answer only after the others have all that is for them."""

    def __init__(self, others: int) -> None:
        self.others, self.got = others, 0
        self.all_got = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, url: str, _body: bytes, _headers: Mapping[str, str]) -> Answer:
        if "hangs" in url:
            return Answer(None, "No answer.") if self.all_got.wait(timeout=20) else Answer(200)
        with self.lock:
            self.got += 1
            if self.got == self.others:
                self.all_got.set()
        return Answer(200)


def quiet_with(count: int) -> None:
    quiet = make_organization("quiet")
    make_endpoint(quiet)
    waiting(quiet, count)


def test_what_hangs_holds_nobody_else_up(organization: Organization) -> None:
    make_endpoint(organization, url="https://hangs.example/")
    waiting(organization, 2 * OF_ONE_ENDPOINT_MAX)
    quiet_with(2 * AT_ONCE_MAX)
    receiver = Hanging(2 * AT_ONCE_MAX)
    assert deliver_due(clock=at(NOW), call=receiver) == 2 * OF_ONE_ENDPOINT_MAX + 2 * AT_ONCE_MAX
    assert not WebhookDelivery.objects.filter(endpoint__url__contains="hangs", state=DeliveryState.DELIVERED).exists()


def failed(organization: Organization, endpoints: int, of_each: int) -> None:
    """Endpoints that hang, each of which has not taken what it was sent, with more that waits for each."""
    for number in range(endpoints):
        make_endpoint(organization, url=f"https://hangs{number}.example/")
    waiting(organization, of_each)
    for one in claim(now=NOW, limit=10**3):
        note_answer(delivery=one, answer=Answer(None, "No answer."), now=NOW - BACKOFF[0])


def test_however_many_hang_half_of_the_room_is_for_the_others(organization: Organization) -> None:
    failed(organization, AT_ONCE_MAX, OF_ONE_ENDPOINT_MAX)
    quiet_with(AT_ONCE_MAX)
    receiver = Hanging(AT_ONCE_MAX)
    deliver_due(clock=at(NOW), call=receiver)
    assert not WebhookDelivery.objects.filter(endpoint__url__contains="hangs", state=DeliveryState.DELIVERED).exists()


def test_before_it_ends_a_sweep_calls_nobody_who_may_hold_it_up(organization: Organization) -> None:
    make_endpoint(organization, url="https://hangs.example/")
    waiting(organization)
    instants = iter((NOW, NOW + SWEEP_MAX - HANGING_MAX))
    (one,) = claim(now=NOW, limit=1)
    note_answer(delivery=one, answer=Answer(500), now=NOW)

    def clock() -> datetime:
        return next(instants, NOW + SWEEP_MAX)

    assert deliver_due(clock=clock, call=Receiver()) == 0
    assert deliver_due(clock=at(NOW + SWEEP_MAX), call=Receiver()) == 1


def test_a_sweep_that_has_lasted_long_enough_begins_nothing(organization: Organization) -> None:
    make_endpoint(organization)
    waiting(organization)
    instants = iter((NOW, NOW + SWEEP_MAX))
    assert deliver_due(clock=lambda: next(instants), call=Receiver()) == 0


@pytest.mark.parametrize("of_failing", [0, 1, OF_FAILING_MAX])
def test_of_those_that_fail_only_so_many_are_claimed(organization: Organization, of_failing: int) -> None:
    make_endpoint(organization)
    waiting(organization, 2)
    for one in claim(now=NOW, limit=2):
        note_answer(delivery=one, answer=Answer(500), now=NOW)
    later = NOW + LEASE
    assert len(claim(now=later, limit=9, of_failing=of_failing)) == min(of_failing, 2)


def test_what_is_under_way_counts_for_its_endpoint(organization: Organization) -> None:
    make_endpoint(organization)
    waiting(organization, 2 * OF_ONE_ENDPOINT_MAX)
    first = claim(now=NOW, limit=OF_ONE_ENDPOINT_MAX - 1)
    assert len(claim(now=NOW, limit=9, busy=first)) == 1
    assert claim(now=NOW, limit=9, busy=claim(now=NOW, limit=9)) == []


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
    deliver_due(clock=at(NOW), call=Receiver([Answer(status, "" if status else "refused", 12)]))
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
    deliver_due(clock=at(NOW), call=Receiver([Answer(410), Answer(410)]))
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
