"""The API of webhooks out, up to a receiver over HTTP that is the one of the docs."""

from __future__ import annotations

import ast
import json
import threading
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from tenants.api_keys import issue_key
from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tenants.tasks import deliver_webhooks
from tests.docs.pages import blocks_of
from tests.factories import make_organization
from tests.kept import kept
from tests.tenants.hooks.test_delivering import happen

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/forecourt"


def call(client: Client, caller: Organization, method: str, address: str, body: Any = None, **headers: str) -> Any:
    scopes = ["webhooks:read", "webhooks:write"]
    key = issue_key(organization=caller, name="Sample", scopes=scopes, actor="tests", now=datetime.now(UTC))
    return getattr(client, method)(
        f"/api/v1/{address}",
        body if method == "get" else json.dumps(body or {}),
        **({} if method == "get" else {"content_type": "application/json"}),
        headers={"authorization": f"Bearer {key.secret}", **headers},
    )


@kept
def house() -> Organization:
    return make_organization("house")


def test_the_receiver_of_the_docs_gets_what_happens_and_believes_nobody_else(
    client: Client, house: Organization, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.WEBHOOK_NETWORKS = ("127.0.0.1/32",)
    (source,) = blocks_of("docs/webhooks.md", "python")
    names: dict[str, Any] = {}
    exec(source, names)  # the page's own words
    names["Receiver"].log_message = lambda *_: None
    with HTTPServer(("127.0.0.1", 0), names["Receiver"]) as server:
        url = f"http://127.0.0.1:{server.server_port}/hooks"
        made = call(client, house, "post", "webhook-endpoints", {"url": url, "kinds": ["invoice.*"]})
        assert made.status_code == 201
        names["SECRET"] = made.json()["secret"]
        happen(house)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            deliver_webhooks()
            delivery = WebhookDelivery.objects.get()
            call(client, house, "post", f"webhook-deliveries/{delivery.pk}/replay")
            deliver_webhooks()
            names["SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
            call(client, house, "post", f"webhook-deliveries/{delivery.pk}/replay")
            deliver_webhooks()
        finally:
            server.shutdown()
            thread.join()
    kind, _, body = capsys.readouterr().out.partition(" ")
    assert (kind, ast.literal_eval(body)["number"]) == ("invoice.paid", "INV-1")
    told = call(client, house, "get", "webhook-deliveries", {"state": "waiting"}).json()["deliveries"]
    assert [one["status"] for one in told[0]["tries"]] == [204, 204, 400]
    assert told[0]["due_at"]


def test_what_is_old_or_spoilt_is_not_believed_by_the_receiver_of_the_docs() -> None:
    (source,) = blocks_of("docs/webhooks.md", "python")
    names: dict[str, Any] = {}
    exec(source, names)  # the page's own words
    names["SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    verified = names["verified"]
    assert verified(headers, b'{"test": 2432232314}', 1614265330) == {"test": 2432232314}
    assert verified(headers, b'{"test": 2432232314}', 1614265330 + 301) is None
    assert verified(headers, b'{"test": 2432232315}', 1614265330) is None
    for spoilt in ({}, {**headers, "webhook-timestamp": "soon"}, {**headers, "webhook-signature": ""}):
        given = Message()
        for name, value in spoilt.items():
            given[name] = value
        assert verified(given, b'{"test": 2432232314}', 1614265330) is None


def test_an_endpoint_is_made_once_changed_tried_and_removed(client: Client, house: Organization) -> None:
    body = {"url": URL, "kinds": ["payout.paid"]}
    key = {"Idempotency-Key": "one"}
    first = call(client, house, "post", "webhook-endpoints", body, **key).json()
    assert call(client, house, "post", "webhook-endpoints", body, **key).json() == first
    listed = call(client, house, "get", "webhook-endpoints").json()
    assert [each["id"] for each in listed["endpoints"]] == [first["id"]]
    assert "secret" not in listed["endpoints"][0]
    assert call(client, house, "get", f"webhook-endpoints/{first['id']}").json() == listed["endpoints"][0]
    assert "invoice.paid" in listed["kinds"]
    turned = call(client, house, "post", f"webhook-endpoints/{first['id']}/secret").json()
    assert turned["secret"] != first["secret"]
    tried = call(client, house, "post", f"webhook-endpoints/{first['id']}/test")
    assert (tried.status_code, tried.json()["kind"]) == (202, "endpoint.test")
    WebhookDelivery.objects.update(state=DeliveryState.GIVEN_UP)
    since = {"since": (timezone.now() - timedelta(hours=1)).isoformat()}
    again = call(client, house, "post", f"webhook-endpoints/{first['id']}/replay", since)
    assert again.json() == {"replayed": 1}
    WebhookEndpoint.objects.update(disabled_at=timezone.now(), disabled_because="It answered 410.")
    off = call(client, house, "post", f"webhook-endpoints/{first['id']}/test")
    assert (off.status_code, off.json()["code"]) == (409, "endpoint_off")
    changed = call(client, house, "put", f"webhook-endpoints/{first['id']}", {"url": URL + "/2"}).json()
    assert (changed["url"], changed["kinds"], changed["disabled_at"]) == (URL + "/2", [], None)
    assert call(client, house, "delete", f"webhook-endpoints/{first['id']}").status_code == 204
    assert call(client, house, "get", f"webhook-endpoints/{first['id']}").status_code == 404
    assert call(client, house, "get", "webhook-endpoints").json()["endpoints"] == []


def test_an_endpoint_of_another_is_not_there(client: Client, house: Organization) -> None:
    made = call(client, house, "post", "webhook-endpoints", {"url": URL}).json()
    happen(house)
    delivery = WebhookDelivery.objects.get()
    other = make_organization("other")
    for method, address, body in (
        ("get", f"webhook-endpoints/{made['id']}", None),
        ("put", f"webhook-endpoints/{made['id']}", {"url": URL}),
        ("delete", f"webhook-endpoints/{made['id']}", {}),
        ("post", f"webhook-endpoints/{made['id']}/secret", {}),
        ("post", f"webhook-endpoints/{made['id']}/test", {}),
        ("post", f"webhook-endpoints/{made['id']}/replay", {"since": "2026-03-01T00:00:00Z"}),
        ("post", f"webhook-deliveries/{delivery.pk}/replay", {}),
    ):
        assert call(client, other, method, address, body).status_code == 404
    assert call(client, other, "get", "webhook-deliveries").json() == {"deliveries": [], "next_cursor": None}
    assert call(client, other, "get", "webhook-deliveries", {"endpoint_id": made["id"]}).json() == {
        "deliveries": [],
        "next_cursor": None,
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"url": "http://example.com/"}, 422, "wrong_endpoint_address"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, 422, "wrong_endpoint_address"),
        ({"url": URL, "kinds": ["all"]}, 422, "unknown_event_kind"),
    ],
)
def test_what_cannot_be_an_endpoint_says_why(
    client: Client, house: Organization, body: dict[str, Any], status: int, code: str
) -> None:
    answer = call(client, house, "post", "webhook-endpoints", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not WebhookEndpoint.objects.exists()


def test_an_endpoint_that_is_off_is_told_nothing_until_it_is_changed(client: Client, house: Organization) -> None:
    made = call(client, house, "post", "webhook-endpoints", {"url": URL}).json()
    address = f"webhook-endpoints/{made['id']}"
    off = call(client, house, "post", f"{address}/turn-off").json()
    assert off["disabled_at"] is not None
    assert "turned it off" in off["disabled_because"]
    assert call(client, house, "post", f"{address}/turn-off").json() == off
    assert call(client, house, "post", f"{address}/test").json()["code"] == "endpoint_off"
    assert call(client, house, "put", address, {"url": URL}).json()["disabled_at"] is None
    assert call(client, house, "post", f"{address}/test").status_code == 202
