"""The API of one delivery: what was sent, byte for byte, and what came of each try."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenants.hook_models import WebhookDelivery
from tenants.hooks.delivering import BACKOFF, deliver_due
from tenants.hooks.outbound import Answer
from tests.factories import make_organization
from tests.kept import kept
from tests.tenants.hooks.test_api import call
from tests.tenants.hooks.test_delivering import NOW, Receiver, at, happen, make_endpoint

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization

pytestmark = pytest.mark.django_db


@kept
def house() -> Organization:
    return make_organization("house")


def test_a_delivery_is_told_with_the_body_that_its_receiver_got_and_every_try(
    client: Client, house: Organization
) -> None:
    endpoint, receiver = make_endpoint(house), Receiver([Answer(503, "", 7), Answer(204, "", 9)])
    event = happen(house)
    for now in (NOW, NOW + BACKOFF[0]):
        deliver_due(clock=at(now), call=receiver)
    delivery = WebhookDelivery.objects.get()
    told = call(client, house, "get", f"webhook-deliveries/{delivery.pk}").json()
    assert {told["body"].encode()} == {body for _, body, _ in receiver.got}
    assert [(one["status"], one["duration_ms"]) for one in told["tries"]] == [(503, 7), (204, 9)]
    assert (told["message_id"], told["state"], told["due_at"]) == (f"msg_{event.pk.hex}", "delivered", None)
    (listed,) = call(client, house, "get", "webhook-deliveries").json()["deliveries"]
    assert {name: told[name] for name in told if name != "body"} == listed
    assert str(endpoint.pk) in told.values()


def test_a_delivery_of_another_is_not_there(client: Client, house: Organization) -> None:
    make_endpoint(house)
    happen(house)
    address = f"webhook-deliveries/{WebhookDelivery.objects.get().pk}"
    assert call(client, house, "get", address).status_code == 200
    assert call(client, make_organization("other"), "get", address).status_code == 404
