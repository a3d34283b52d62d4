"""Addresses of webhooks out: of an endpoint that is not the caller's there is nothing."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, people, programs

ENDPOINT: Final = {"endpoint_id": "00000000-0000-0000-0000-000000000009"}
DELIVERY: Final = {"delivery_id": "00000000-0000-0000-0000-000000000009"}
NOBODYS: Final = programs(tenant=404, provider=404, outsider=404)
WRONG: Final = programs(tenant=400, provider=400, outsider=400)

# There is none here; whose they are is tried with stored ones in tests/tenants/hooks.
HOOK_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("tenant-webhooks", people(alice=200, bob=403, charlie=200, petra=404), "get", {}, {}),
    ("tenant-webhooks", people(alice=422, bob=403, charlie=422, petra=404), "post", {}, {}),
    ("provider-webhooks", people(alice=404, bob=404, charlie=200, petra=200), "get", {}, {}),
    ("provider-webhooks", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    *(
        (f"{side}-{page}", people(alice=404, bob=viewer, charlie=404, petra=404), method, arguments, {})
        for side, viewer in (("tenant", 403), ("provider", 404))
        for page, method, arguments in (
            ("webhook", "get", ENDPOINT),
            ("webhook-deliveries-csv", "get", ENDPOINT),
            ("webhook-act", "post", ENDPOINT),
            ("webhook-replay", "post", DELIVERY),
        )
    ),
    ("api-webhook-endpoints", OWN_API, "get", {}, {}),
    ("api-webhook-endpoints", WRONG, "post", {}, {}),
    ("api-webhook-endpoint", NOBODYS, "get", ENDPOINT, {}),
    ("api-webhook-endpoint", NOBODYS, "put", ENDPOINT, {"url": "https://hooks.example/"}),
    ("api-webhook-endpoint", NOBODYS, "delete", ENDPOINT, {}),
    ("api-webhook-secret", NOBODYS, "post", ENDPOINT, {}),
    ("api-webhook-turn-off", NOBODYS, "post", ENDPOINT, {}),
    ("api-webhook-test", NOBODYS, "post", ENDPOINT, {}),
    ("api-webhook-replay-since", NOBODYS, "post", ENDPOINT, {"since": "2026-03-01T00:00:00Z"}),
    ("api-webhook-deliveries", OWN_API, "get", {}, {}),
    ("api-webhook-delivery", NOBODYS, "get", DELIVERY, {}),
    ("api-webhook-replay", NOBODYS, "post", DELIVERY, {}),
)
