"""From the event to the receiver: written with what happened, sent at least once under one id, tried for three days."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from tenants.hook_models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.hooks.delivering import BACKOFF, LEASE, OF_ONE_ENDPOINT_MAX, claim, deliver_due
from tenants.hooks.emitting import emit, emit_to
from tenants.hooks.kinds import FIELDS, KINDS, UnknownKind, checked_kinds, wants
from tenants.hooks.outbound import Answer
from tenants.hooks.shapes import SHAPES, Shape
from tenants.hooks.signing import new_secret, signature
from tenants.models import AuditEntry, Organization
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
SUBJECT = UUID(int=7)


@dataclass
class Receiver:
    """Takes calls as `deliver_due` makes them, and answers as it is told."""

    answers: list[Answer] = field(default_factory=list)
    got: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.got.append((url, body, headers))
        return self.answers.pop(0) if self.answers else Answer(200)


def at(instant: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: instant


def make_endpoint(organization: Organization, *kinds: str, url: str = "https://hooks.example/") -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        organization=organization, url=url, kinds=list(kinds), secret=new_secret(), created_at=NOW
    )


def body_of(kind: str, **said: str) -> dict[str, str | int | None]:
    """All that a body of a kind must hold, of which a test says only some."""
    return {**{name: sample_of(SHAPES[name]) for name in FIELDS[kind].split()}, **said}


def sample_of(shape: Shape) -> str | int | None:
    by_format = {"uuid": str(SUBJECT), "date-time": "2026-04-01T12:00:00Z", "decimal": "1.00", "": "a word"}
    return None if shape.null else 1 if shape.type == "integer" else by_format[shape.format]


def happen(organization: Organization, *, subject_id: UUID = SUBJECT, kind: str = "invoice.paid") -> WebhookEvent:
    made = emit(
        organization_id=organization.id, kind=kind, subject_id=subject_id, at=NOW, body=body_of(kind, number="INV-1")
    )
    assert made is not None
    return made


@kept
def organization() -> Organization:
    return make_organization("house")


endpoint = kept(make_endpoint)


def test_an_event_reaches_its_receiver_once_signed(organization: Organization) -> None:
    endpoint, receiver = make_endpoint(organization), Receiver()
    event = happen(organization)
    assert deliver_due(clock=at(NOW), call=receiver) == 1
    ((url, body, headers),) = receiver.got
    assert url == endpoint.url
    assert json.loads(body) == {
        "type": "invoice.paid",
        "timestamp": "2026-04-01T12:00:00Z",
        "data": body_of("invoice.paid", number="INV-1"),
    }
    assert headers["webhook-id"] == f"msg_{event.pk.hex}"
    sent_at = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(endpoint.secret, headers["webhook-id"], sent_at, body)
    assert deliver_due(clock=at(NOW + timedelta(days=9)), call=receiver) == 0
    assert WebhookDelivery.objects.get().state == DeliveryState.DELIVERED
    assert WebhookAttempt.objects.get().status == 200


def test_the_same_thing_is_told_once_and_another_occasion_again(organization: Organization) -> None:
    make_endpoint(organization)
    for occasion in ("80", "80", "100"):
        emit(
            organization_id=organization.id,
            kind="budget.threshold",
            subject_id=SUBJECT,
            at=NOW,
            body=body_of("budget.threshold"),
            occasion=occasion,
        )
    assert WebhookEvent.objects.count() == WebhookDelivery.objects.count() == 2


def test_what_is_rolled_back_was_never_told(organization: Organization) -> None:
    make_endpoint(organization)
    with transaction.atomic():
        happen(organization)
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()


def test_nothing_is_written_for_who_does_not_listen(organization: Organization) -> None:
    other = make_organization("other")
    make_endpoint(organization, "payout.*", "invoice.voided")
    make_endpoint(other).__class__.objects.filter(organization=other).update(disabled_at=NOW)
    gone = make_endpoint(organization)
    WebhookEndpoint.objects.filter(pk=gone.pk).update(removed_at=NOW)
    emit_to([organization.id, other.id], kind="invoice.paid", subject_id=SUBJECT, at=NOW, body=body_of("invoice.paid"))
    assert not WebhookEvent.objects.exists()
    emit_to(
        [organization.id, organization.id], kind="payout.paid", subject_id=SUBJECT, at=NOW, body=body_of("payout.paid")
    )
    assert WebhookEvent.objects.get().kind == "payout.paid"


def test_kinds_are_those_that_there_are() -> None:
    assert checked_kinds(["payout.*", "invoice.paid", "payout.*"]) == ["invoice.paid", "payout.*"]
    assert checked_kinds([]) == []
    with pytest.raises(UnknownKind, match=r"invoices\.paid"):
        checked_kinds(["invoices.paid"])
    assert wants([], "invoice.paid")
    assert wants(["payout.*"], "endpoint.test")
    assert not wants(["payout.*"], "invoice.paid")
    assert all(kind.count(".") == 1 for kind in KINDS)


def test_a_receiver_that_fails_is_tried_for_three_days_under_one_id(organization: Organization) -> None:
    make_endpoint(organization)
    happen(organization)
    receiver = Receiver([Answer(500), Answer(None, "ConnectionRefusedError")] * 20)
    now, tries = NOW, 0
    while WebhookDelivery.objects.get().state == DeliveryState.WAITING:
        tries += deliver_due(clock=at(now), call=receiver)
        last, now = now, max(now, WebhookDelivery.objects.get().due_at)
    assert tries == len(receiver.got) == len(BACKOFF) + 1
    assert timedelta(days=3) <= last - NOW <= timedelta(days=4)
    assert WebhookDelivery.objects.get().state == DeliveryState.GIVEN_UP
    assert len({headers["webhook-id"] for _, _, headers in receiver.got}) == 1
    assert len({body for _, body, _ in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for _, _, headers in receiver.got}) == tries


def test_a_claim_is_one_sweeps_and_comes_back_when_it_is_lost(organization: Organization) -> None:
    make_endpoint(organization)
    happen(organization)
    assert len(claim(now=NOW, limit=10)) == 1
    assert claim(now=NOW + LEASE - timedelta(seconds=1), limit=10) == []
    receiver = Receiver()
    assert deliver_due(clock=at(NOW + LEASE), call=receiver) == 1
    assert WebhookDelivery.objects.get().attempts == 2


def test_an_answer_that_comes_after_the_lease_changes_nothing(organization: Organization) -> None:
    make_endpoint(organization)
    happen(organization)

    def slow(_url: str, _body: bytes, _headers: Mapping[str, str]) -> Answer:
        return Answer(500)

    (late,) = claim(now=NOW, limit=10)
    deliver_due(clock=at(NOW + LEASE), call=Receiver())
    from_lost = WebhookDelivery.objects.get()
    assert from_lost.state == DeliveryState.DELIVERED
    assert late.due_at != from_lost.due_at
    assert deliver_due(clock=at(NOW + 2 * LEASE), call=slow) == 0


def test_one_receiver_takes_only_so_much_of_a_sweep(organization: Organization) -> None:
    busy, quiet = make_endpoint(organization, url="https://busy.example/"), make_organization("quiet")
    for _ in range(3 * OF_ONE_ENDPOINT_MAX):
        happen(organization, subject_id=uuid4())
    make_endpoint(quiet)
    happen(quiet)
    taken = [delivery.endpoint_id for delivery in claim(now=NOW, limit=10)]
    assert taken.count(busy.pk) == OF_ONE_ENDPOINT_MAX
    assert len(taken) == OF_ONE_ENDPOINT_MAX + 1


def test_410_turns_the_endpoint_off(organization: Organization, endpoint: WebhookEndpoint) -> None:
    for _ in range(2 * OF_ONE_ENDPOINT_MAX):
        happen(organization, subject_id=uuid4())
    receiver = Receiver([Answer(410)] * 2 * OF_ONE_ENDPOINT_MAX)
    assert deliver_due(clock=at(NOW), call=receiver) == OF_ONE_ENDPOINT_MAX
    endpoint.refresh_from_db()
    assert endpoint.disabled_at == NOW
    assert AuditEntry.objects.get().action == "webhook_endpoint.disabled"
    assert deliver_due(clock=at(NOW + timedelta(days=1)), call=Receiver()) == 0


def test_an_old_secret_signs_while_it_overlaps(organization: Organization, endpoint: WebhookEndpoint) -> None:
    endpoint.old_secret, endpoint.old_secret_until = new_secret(), NOW + timedelta(hours=1)
    endpoint.save()
    receiver = Receiver()
    for now in (NOW, NOW + timedelta(hours=2)):
        happen(organization, subject_id=uuid4())
        deliver_due(clock=at(now), call=receiver)
    assert [headers["webhook-signature"].count("v1,") for _, _, headers in receiver.got] == [2, 1]


@pytest.mark.parametrize("table", ["tenants_webhookevent", "tenants_webhookattempt"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_what_happened_and_what_was_tried_does_not_change(
    organization: Organization, table: str, statement: str
) -> None:
    make_endpoint(organization)
    happen(organization)
    deliver_due(clock=at(NOW), call=Receiver())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))
