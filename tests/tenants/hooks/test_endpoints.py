"""What an organization does with its endpoints."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ObjectDoesNotExist

from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.hooks import endpoints
from tenants.hooks.delivering import deliver_due, secrets_of
from tenants.hooks.endpoints import Actor
from tenants.hooks.kinds import UnknownKind
from tenants.hooks.outbound import Answer, WrongAddress
from tenants.models import AuditEntry
from tests.factories import make_organization
from tests.kept import kept
from tests.tenants.hooks.test_delivering import Receiver, at, happen

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
URL = "https://hooks.example/forecourt"
LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]


@kept
def actor() -> Actor:
    return Actor(make_organization("house"), "alice@example.com")


def add(actor: Actor, *kinds: str, url: str = URL) -> WebhookEndpoint:
    return endpoints.add_endpoint(actor=actor, url=url, kinds=list(kinds), networks=LOOPBACK, now=NOW)


def test_an_endpoint_is_added_changed_turned_off_and_removed_on_record(actor: Actor) -> None:
    made = add(actor, "invoice.*")
    first = made.secret
    endpoints.turn_off(actor=actor, endpoint_id=made.pk, now=NOW)
    again = endpoints.turn_off(actor=actor, endpoint_id=made.pk, now=NOW + timedelta(1))
    assert again.disabled_at == NOW
    changed = endpoints.change_endpoint(
        actor=actor, endpoint_id=made.pk, url="http://127.0.0.1:9000/", kinds=[], networks=LOOPBACK, now=NOW
    )
    assert (changed.url, changed.kinds, changed.disabled_at) == ("http://127.0.0.1:9000/", [], None)
    turned = endpoints.turn_secret(actor=actor, endpoint_id=made.pk, now=NOW)
    assert turned.secret != first
    assert secrets_of(turned, NOW) == (turned.secret, first)
    endpoints.remove_endpoint(actor=actor, endpoint_id=made.pk, now=NOW)
    made.refresh_from_db()
    assert (made.removed_at, made.secret, made.old_secret) == (NOW, "", "")
    assert [entry.action.removeprefix("webhook_endpoint.") for entry in AuditEntry.objects.order_by("pk")] == [
        "added",
        "disabled",
        "changed",
        "secret_turned",
        "removed",
    ]
    assert not any(first in str(entry.after) for entry in AuditEntry.objects.all())
    with pytest.raises(ObjectDoesNotExist):
        endpoints.remove_endpoint(actor=actor, endpoint_id=made.pk, now=NOW)


def test_what_cannot_be_an_endpoint_is_refused(actor: Actor) -> None:
    with pytest.raises(WrongAddress):
        add(actor, url="https://10.0.0.1/")
    with pytest.raises(UnknownKind):
        add(actor, "everything")
    for _ in range(endpoints.ENDPOINTS_MAX):
        add(actor)
    with pytest.raises(endpoints.TooManyEndpoints, match="at most 20"):
        add(actor)


def test_a_test_is_sent_whatever_kinds_are_wanted(actor: Actor) -> None:
    made, receiver = add(actor, "payout.*"), Receiver()
    for _ in range(2):
        endpoints.send_test(actor=actor, endpoint_id=made.pk, now=NOW)
    deliver_due(clock=at(NOW), call=receiver)
    assert len(receiver.got) == 2
    assert b'"type":"endpoint.test"' in receiver.got[0][1]
    endpoints.turn_off(actor=actor, endpoint_id=made.pk, now=NOW)
    with pytest.raises(endpoints.EndpointOff, match="turned it off"):
        endpoints.send_test(actor=actor, endpoint_id=made.pk, now=NOW)


def test_what_was_delivered_is_sent_again_under_the_same_id(actor: Actor) -> None:
    made, receiver = add(actor), Receiver()
    happen(actor.organization)
    deliver_due(clock=at(NOW), call=receiver)
    delivery = WebhookDelivery.objects.get()
    endpoints.replay(actor=actor, delivery_id=delivery.pk, now=NOW)
    deliver_due(clock=at(NOW), call=receiver)
    first, second = (headers["webhook-id"] for _, _, headers in receiver.got)
    assert first == second
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.tries.count()) == (DeliveryState.DELIVERED, 1, 2)
    assert endpoints.replay_since(actor=actor, endpoint_id=made.pk, since=NOW + timedelta(1), now=NOW) == 0
    assert endpoints.replay_since(actor=actor, endpoint_id=made.pk, since=NOW, now=NOW) == 1
    assert endpoints.replay_since(actor=actor, endpoint_id=made.pk, since=NOW, now=NOW) == 0


def test_what_was_tried_in_vain_is_sent_now_with_all_since_an_instant(actor: Actor) -> None:
    made, receiver = add(actor), Receiver([Answer(503)])
    happen(actor.organization)
    assert endpoints.replay_since(actor=actor, endpoint_id=made.pk, since=NOW, now=NOW) == 0
    deliver_due(clock=at(NOW), call=receiver)
    up = NOW + timedelta(seconds=1)
    deliver_due(clock=at(up), call=Receiver())
    assert WebhookDelivery.objects.get().state == DeliveryState.WAITING
    assert endpoints.replay_since(actor=actor, endpoint_id=made.pk, since=NOW, now=up) == 1
    deliver_due(clock=at(up), call=Receiver())
    assert WebhookDelivery.objects.get().state == DeliveryState.DELIVERED


def test_nobody_else_touches_it(actor: Actor) -> None:
    made = add(actor)
    happen(actor.organization)
    other = Actor(make_organization("other"), "charlie@example.com")
    delivery = WebhookDelivery.objects.get()
    for act in (endpoints.turn_off, endpoints.turn_secret, endpoints.remove_endpoint, endpoints.send_test):
        with pytest.raises(ObjectDoesNotExist):
            act(actor=other, endpoint_id=made.pk, now=NOW)
    with pytest.raises(ObjectDoesNotExist):
        endpoints.replay(actor=other, delivery_id=delivery.pk, now=NOW)
    with pytest.raises(ObjectDoesNotExist):
        endpoints.replay(actor=actor, delivery_id=uuid4(), now=NOW)
    assert WebhookEvent.objects.count() == 1
