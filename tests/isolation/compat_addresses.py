"""Addresses with other programs' own shapes: name, what each caller gets, method, arguments, body.

A subject or customer that is not the caller's is not there.
"""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import BETWEEN_THEM, OWN_API, programs

WINDOW: Final = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
EMPTY: Final = programs(tenant=400, provider=400, outsider=400)
TAKEN: Final = programs(tenant=200, provider=200, outsider=200)
NOT_THERE: Final = programs(tenant=404, provider=404, outsider=404)
OTHER_TYPE: Final = programs(tenant=415, provider=415, outsider=415)
METER: Final = {"id_or_slug": "output_tokens"}

COMPAT_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("compat-openmeter-events", OWN_API, "get", {}, {}),
    ("compat-openmeter-events", EMPTY, "post", {}, {}),
    ("compat-openmeter-meters", OWN_API, "get", {}, {}),
    ("compat-openmeter-meter", OWN_API, "get", METER, {}),
    ("compat-openmeter-query", OWN_API, "get", METER, WINDOW),
    ("compat-lago-events", OWN_API, "get", {}, {}),
    ("compat-lago-events", EMPTY, "post", {}, {}),
    ("compat-lago-batch", EMPTY, "post", {}, {}),
    ("compat-lago-event", NOT_THERE, "get", {"transaction_id": "x"}, {}),
    ("compat-lago-usage", BETWEEN_THEM, "get", {"external_id": "tenant"}, {}),
    ("compat-litellm-logs", TAKEN, "post", {}, {}),
    ("compat-prometheus-write", OTHER_TYPE, "post", {}, {}),
    ("compat-otlp-metrics", TAKEN, "post", {}, {}),
    ("compat-subjects", OWN_API, "get", {}, {}),
    ("compat-subjects", EMPTY, "post", {}, {}),
)
