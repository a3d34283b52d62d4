"""What the API of webhooks refuses, with code and field, and how its lists are asked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.utils import timezone

from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tenants.hooks.delivery_api import deliveries_of
from tenants.hooks.endpoints import ENDPOINTS_MAX, Actor
from tenants.hooks.kinds import KINDS
from tests.factories import make_organization
from tests.kept import kept
from tests.tenants.hooks.test_api import URL, call
from tests.tenants.hooks.test_delivering import happen, make_endpoint

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization

pytestmark = pytest.mark.django_db
ENDPOINTS, DELIVERIES = "webhook-endpoints", "webhook-deliveries"


@kept
def house() -> Organization:
    return make_organization("house")


@kept
def endpoint(house: Organization) -> WebhookEndpoint:
    return make_endpoint(house)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": None}, "url"),
        ({"url": "https://" + "h" * 493}, "url"),
        ({"url": URL, "kinds": "invoice.paid"}, "kinds"),
        ({"url": URL, "kinds": ["x" * 65]}, "kinds.0"),
        ({"url": URL, "kinds": ["invoice.paid"] * (len(KINDS) + 1)}, "kinds"),
    ],
)
@pytest.mark.parametrize("method", ["post", "put"])
def test_a_field_that_is_wrong_is_named(
    client: Client, house: Organization, method: str, body: dict[str, Any], field: str
) -> None:
    address = ENDPOINTS if method == "post" else f"{ENDPOINTS}/{make_endpoint(house).pk}"
    answer = call(client, house, method, address, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert field.partition(".")[0] in {one["field"].partition(".")[0] for one in answer.json()["errors"]}


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "https:///path",
        "https://user@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example:22/",
        "https://hooks.example:99999/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://hooks.example/a b",
        "https://häuser.example/",
    ],
)
def test_an_address_that_cannot_be_called_is_refused_also_as_a_change(
    client: Client, house: Organization, url: str, endpoint: WebhookEndpoint
) -> None:
    kept = endpoint
    for method, address in (("post", ENDPOINTS), ("put", f"{ENDPOINTS}/{kept.pk}")):
        answer = call(client, house, method, address, {"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_endpoint_address")
        assert answer.json()["detail"].startswith("url: ")
    assert WebhookEndpoint.objects.get().url == kept.url


def test_there_is_an_end_to_endpoints_and_a_removed_one_makes_room(client: Client, house: Organization) -> None:
    made = [make_endpoint(house) for _ in range(ENDPOINTS_MAX)]
    refused = call(client, house, "post", ENDPOINTS, {"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_endpoints")
    assert call(client, house, "delete", f"{ENDPOINTS}/{made[0].pk}").status_code == 204
    assert call(client, house, "post", ENDPOINTS, {"url": URL}).status_code == 201
    assert call(client, make_organization("other"), "post", ENDPOINTS, {"url": URL}).status_code == 201


def test_what_is_off_is_neither_tried_nor_sent_again(
    client: Client, house: Organization, endpoint: WebhookEndpoint
) -> None:
    happen(house)
    delivery = WebhookDelivery.objects.get()
    WebhookEndpoint.objects.update(disabled_at=timezone.now(), disabled_because="It answered 410.")
    since = {"since": "2026-01-01T00:00:00Z"}
    for address, body in (
        (f"{ENDPOINTS}/{endpoint.pk}/test", {}),
        (f"{ENDPOINTS}/{endpoint.pk}/replay", since),
        (f"{DELIVERIES}/{delivery.pk}/replay", {}),
    ):
        answer = call(client, house, "post", address, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "endpoint_off")
        assert "It answered 410. Turn it on first." in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"since": ""}, {"since": "yesterday"}, {"since": 7}])
def test_since_when_must_be_an_instant(client: Client, house: Organization, body: dict[str, Any]) -> None:
    answer = call(client, house, "post", f"{ENDPOINTS}/{make_endpoint(house).pk}/replay", body)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == ["since"]


@pytest.mark.parametrize(("query", "field"), [({"state": "lost"}, "state"), ({"endpoint_id": "x"}, "endpoint_id")])
def test_a_list_that_cannot_be_is_refused(
    client: Client, house: Organization, query: dict[str, str], field: str
) -> None:
    answer = call(client, house, "get", DELIVERIES, query)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("state", list(DeliveryState))
def test_deliveries_are_listed_by_state_and_endpoint_the_newest_first(
    client: Client, house: Organization, state: DeliveryState
) -> None:
    first, second = make_endpoint(house), make_endpoint(house)
    events = [happen(house, subject_id=uuid4()) for _ in range(2)]
    WebhookDelivery.objects.filter(endpoint=second).update(state=state)
    read = call(client, house, "get", DELIVERIES, {"state": state, "endpoint_id": str(second.pk)}).json()["deliveries"]
    assert [one["message_id"] for one in read] == [f"msg_{one.pk.hex}" for one in reversed(events)]
    assert {one["endpoint_id"] for one in read} == {str(second.pk)}
    assert all((one["due_at"] is not None) == (state == DeliveryState.WAITING) for one in read)
    assert len(call(client, house, "get", DELIVERIES).json()["deliveries"]) == 4
    assert len(deliveries_of(Actor(house, ""), 3)) == 3
    assert {one.endpoint_id for one in deliveries_of(Actor(house, ""), endpoint_id=first.pk)} == {first.pk}


@pytest.mark.parametrize(("after", "count"), [(-1, 1), (0, 1), (1, 0)])
def test_an_event_at_the_instant_itself_is_sent_again(
    client: Client, house: Organization, after: int, count: int, endpoint: WebhookEndpoint
) -> None:
    event = happen(house)
    WebhookDelivery.objects.update(state=DeliveryState.GIVEN_UP, attempts=11)
    since = (event.at + timedelta(seconds=after)).isoformat()
    answer = call(client, house, "post", f"{ENDPOINTS}/{endpoint.pk}/replay", {"since": since})
    assert (answer.status_code, answer.json()) == (202, {"replayed": count})
    kept = WebhookDelivery.objects.get()
    assert (kept.state, kept.attempts) == ((DeliveryState.WAITING, 0) if count else (DeliveryState.GIVEN_UP, 11))


def test_what_was_removed_is_gone_for_every_call(
    client: Client, house: Organization, endpoint: WebhookEndpoint
) -> None:
    happen(house)
    delivery = WebhookDelivery.objects.get()
    assert call(client, house, "delete", f"{ENDPOINTS}/{endpoint.pk}").status_code == 204
    for method, address, body in (
        ("put", f"{ENDPOINTS}/{endpoint.pk}", {"url": URL}),
        ("delete", f"{ENDPOINTS}/{endpoint.pk}", {}),
        ("post", f"{ENDPOINTS}/{endpoint.pk}/test", {}),
        ("post", f"{ENDPOINTS}/{endpoint.pk}/secret", {}),
        ("post", f"{DELIVERIES}/{delivery.pk}/replay", {}),
    ):
        assert call(client, house, method, address, body).status_code == 404
    assert len(call(client, house, "get", DELIVERIES).json()["deliveries"]) == 1, "what was sent stays on record"
