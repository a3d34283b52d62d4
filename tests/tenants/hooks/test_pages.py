"""The pages of webhooks out: an endpoint from its first secret to its last delivery, by forms alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from django.utils import timezone

from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tenants.hooks.delivering import deliver_due
from tenants.hooks.outbound import Answer
from tests.billing.pages.reading import rows_of, text_of
from tests.tenants.hooks.test_delivering import Receiver, at, happen

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/forecourt"


@pytest.mark.parametrize("side", ["tenant", "provider"])
def test_an_endpoint_is_added_tried_and_removed(cast: Cast, client: Client, side: str) -> None:
    client.force_login(cast.alice if side == "tenant" else cast.petra)
    listed = reverse(f"{side}-webhooks")
    assert "No endpoints yet" in text_of(client.get(listed))
    made = client.post(listed, {"url": URL, "kinds": "invoice.*, payout.paid"})
    endpoint = WebhookEndpoint.objects.get()
    assert made.status_code == 201
    assert endpoint.secret in text_of(made)
    assert "signs beside it" not in text_of(made)
    assert endpoint.kinds == ["invoice.*", "payout.paid"]
    page, act = (reverse(f"{side}-webhook{what}", args=[endpoint.pk]) for what in ("", "-act"))
    assert endpoint.secret not in text_of(client.get(page))
    assert "Nothing was sent yet" in text_of(client.get(page))
    assert "A test is on its way." in text_of(client.post(act, {"do": "test"}, follow=True))
    deliver_due(clock=at(timezone.now()), call=Receiver([Answer(500)]))
    assert "HTTP 500" in text_of(client.get(page))
    (row,) = rows_of(client.get(reverse(f"{side}-webhook-deliveries-csv", args=[endpoint.pk])))
    assert (row["kind"], row["state"], row["tries"], row["last_status"]) == ("endpoint.test", "waiting", "1", "500")
    turned = text_of(client.post(act, {"do": "secret"}))
    endpoint.refresh_from_db()
    assert endpoint.secret in turned
    assert endpoint.old_secret_until is not None
    assert f"signs beside it until {endpoint.old_secret_until.day} " in turned
    assert "Nothing more is sent there." in text_of(client.post(act, {"do": "off"}, follow=True))
    assert "turned it off" in text_of(client.post(act, {"do": "test"}, follow=True))
    assert "Events are sent there again." in text_of(client.post(act, {"do": "on"}, follow=True))
    assert client.post(act, {"do": "dance"}).status_code == 404
    assert "The endpoint is removed." in text_of(client.post(act, {"do": "remove"}, follow=True))
    assert client.get(page).status_code == 404


def test_an_event_is_sent_again_and_only_by_whose_it_is(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    client.post(reverse("tenant-webhooks"), {"url": URL})
    happen(cast.tenant)
    deliver_due(clock=at(timezone.now()), call=Receiver())
    delivery = WebhookDelivery.objects.get()
    address = reverse("tenant-webhook-replay", args=[delivery.pk])
    assert "Delivered" in text_of(client.get(reverse("tenant-webhook", args=[delivery.endpoint_id])))
    assert "on its way again" in text_of(client.post(address, follow=True))
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.WAITING
    client.post(reverse("tenant-webhook-act", args=[delivery.endpoint_id]), {"do": "off"})
    assert "Turn it on first." in text_of(client.post(address, follow=True))
    client.force_login(cast.charlie)
    assert client.post(address).status_code == 404
    assert client.get(reverse("tenant-webhook", args=[delivery.endpoint_id])).status_code == 404


def test_what_cannot_be_an_endpoint_is_said_where_it_was_typed(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    refused = client.post(reverse("tenant-webhooks"), {"url": "https://10.0.0.1/"})
    assert refused.status_code == 422
    assert "Expected a public address." in text_of(refused)
    assert "url:" not in text_of(refused)
    assert not WebhookEndpoint.objects.exists()
    client.force_login(cast.bob)
    assert client.get(reverse("tenant-webhooks")).status_code == 403
