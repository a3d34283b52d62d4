"""Writing the outbox: in the transaction of what happens, once, for those who listen, and also at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEvent
from tenants.hooks.emitting import emit, emit_to, send_to
from tenants.ids import new_id
from tests.factories import make_organization
from tests.tenants.hooks.test_delivering import NOW, SUBJECT, body_of, happen, make_endpoint

if TYPE_CHECKING:
    from tenants.models import Organization

BODY = body_of("invoice.paid", number="INV-1", total="123.45")


@pytest.fixture
def organization() -> Organization:
    return make_organization("house")


def told(organization: Organization, **changed: Any) -> WebhookEvent | None:
    given = {"kind": "invoice.paid", "subject_id": SUBJECT, "at": NOW, "body": BODY, **changed}
    return emit(organization_id=organization.id, **given)


@pytest.mark.django_db
def test_what_is_told_is_kept_as_it_was_said_and_due_at_once(organization: Organization) -> None:
    endpoint = make_endpoint(organization)
    event = told(organization, occasion="80")
    assert event is not None
    kept = WebhookEvent.objects.get()
    assert (kept.pk, kept.kind, kept.subject_id, kept.occasion) == (event.pk, "invoice.paid", SUBJECT, "80")
    assert (kept.body, kept.at, kept.organization) == (BODY, NOW, organization)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.endpoint, delivery.event, delivery.due_at) == (endpoint, kept, NOW)
    assert (delivery.state, delivery.attempts, delivery.delivered_at) == (DeliveryState.WAITING, 0, None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "events"),
    [
        ({}, 1),
        ({"at": NOW + timedelta(days=1)}, 1),
        ({"body": body_of("invoice.paid", number="INV-2")}, 1),
        ({"occasion": "2"}, 2),
        ({"kind": "invoice.voided"}, 2),
        ({"subject_id": UUID(int=8)}, 2),
    ],
)
def test_kind_subject_and_occasion_say_what_is_the_same(
    organization: Organization, changed: dict[str, Any], events: int
) -> None:
    make_endpoint(organization)
    first, second = told(organization), told(organization, **changed)
    assert first is not None
    assert (second is None) == (events == 1)
    assert WebhookEvent.objects.count() == WebhookDelivery.objects.count() == events
    assert WebhookEvent.objects.get(pk=first.pk).body == BODY, "what was told first stands"


@pytest.mark.django_db
def test_every_endpoint_that_wants_it_gets_one_delivery_of_the_same_event(organization: Organization) -> None:
    wanting = [make_endpoint(organization, *kinds) for kinds in ((), ("invoice.paid",), ("invoice.*", "invoice.paid"))]
    make_endpoint(organization, "payout.*")
    event = told(organization)
    found = WebhookDelivery.objects.filter(event=event)
    assert sorted(found.values_list("endpoint_id", flat=True)) == sorted(one.pk for one in wanting)


@pytest.mark.django_db
def test_several_are_told_each_its_own_event_and_nobody_elses(organization: Organization) -> None:
    other, deaf = make_organization("other"), make_organization("deaf")
    for each in (organization, other):
        make_endpoint(each)
    ids = [other.id, organization.id, deaf.id, other.id]
    events = emit_to(ids, kind="invoice.paid", subject_id=SUBJECT, at=NOW, body=BODY)
    assert [one.organization_id for one in events] == sorted([organization.id, other.id])
    for delivery in WebhookDelivery.objects.select_related("endpoint", "event"):
        assert delivery.endpoint.organization_id == delivery.event.organization_id
    assert WebhookDelivery.objects.count() == 2


@pytest.mark.django_db
def test_where_nobody_listens_it_costs_one_query(organization: Organization) -> None:
    with CaptureQueriesContext(connection) as seen:
        assert told(organization) is None
    assert len(seen) == 1
    with CaptureQueriesContext(connection) as seen:
        assert emit_to([], kind="invoice.paid", subject_id=SUBJECT, at=NOW, body=BODY) == []
    assert len(seen) <= 1


@pytest.mark.django_db
def test_who_begins_to_listen_later_is_told_of_later_things_only(organization: Organization) -> None:
    assert told(organization) is None
    make_endpoint(organization)
    assert not WebhookDelivery.objects.exists()
    assert told(organization) is not None


@pytest.mark.django_db
def test_ids_of_events_sort_by_time(organization: Organization) -> None:
    make_endpoint(organization)
    made = [happen(organization, subject_id=new_id()).pk for _ in range(20)]
    assert made == sorted(made)


@pytest.mark.django_db
def test_a_kind_that_does_not_exist_is_a_mistake_of_ours(organization: Organization) -> None:
    with pytest.raises(AssertionError, match=r"invoice\.lost"):
        told(organization, kind="invoice.lost")


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {**BODY, "more": "x"}, {"number": "INV-1"}])
def test_a_body_has_what_is_promised_of_its_kind_whether_anybody_listens_or_not(
    organization: Organization, body: dict[str, str]
) -> None:
    with pytest.raises(AssertionError, match=r"invoice\.paid"):
        told(organization, body=body)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_told_and_two_at_once_tell_once() -> None:
    house = make_organization("house")
    make_endpoint(house)
    with pytest.raises(AssertionError, match="written where it happens"):
        told(house)
    both = threading.Barrier(2, timeout=10)

    def say(_: int) -> bool:
        try:
            with transaction.atomic():
                both.wait()
                return told(house) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(say, range(2))) == [False, True]
    assert WebhookEvent.objects.count() == WebhookDelivery.objects.count() == 1


@pytest.mark.django_db
def test_putting_an_event_into_the_outbox_again_changes_nothing_of_its_delivery(organization: Organization) -> None:
    endpoint = make_endpoint(organization)
    event = happen(organization)
    WebhookDelivery.objects.update(state=DeliveryState.DELIVERED, delivered_at=NOW, attempts=1)
    send_to([endpoint], event, NOW + timedelta(days=1))
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.due_at) == (DeliveryState.DELIVERED, 1, NOW)


@pytest.mark.django_db
def test_the_database_holds_an_event_and_a_delivery_once(organization: Organization) -> None:
    endpoint = make_endpoint(organization)
    event = happen(organization)
    with pytest.raises(IntegrityError, match="webhook_event_once"), transaction.atomic():
        WebhookEvent.objects.create(
            organization=organization, kind=event.kind, subject_id=SUBJECT, body={}, at=datetime(2027, 1, 1, tzinfo=UTC)
        )
    with pytest.raises(IntegrityError, match="webhook_delivery_once"), transaction.atomic():
        WebhookDelivery.objects.create(endpoint=endpoint, event=event, due_at=NOW)
