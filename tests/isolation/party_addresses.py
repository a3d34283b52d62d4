"""Addresses of what parties are told of themselves: their profiles, and statements to a provider."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, programs

ACCOUNT: Final = {
    "from": "2026-03-01T00:00:00Z",
    "to": "2026-05-01T00:00:00Z",
    "provider": "provider",
    "currency": "USD",
}
PARTY_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-profile", OWN_API, "get", {}, {}),
    ("api-profile", programs(tenant=422, provider=422, outsider=422), "put", {}, {"country": "XX"}),
    ("api-statements", OWN_API, "get", {}, {}),
    ("api-balance", OWN_API, "get", {}, {}),
    ("api-account", programs(tenant=200, provider=404, outsider=404), "get", {}, ACCOUNT),
    *(
        (name, programs(tenant=404, provider=200, outsider=404), "get", {"statement_id": "{stated}"}, {})
        for name in ("api-statement", "api-statement-document")
    ),
)
