"""Addresses of pages of token shares, drafts of contracts, fees and the price index."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_PROVIDER, OWN_TENANT, people, programs

AGREED: Final = {"contract_id": "{contract id}"}
"""It is agreed on, so nobody edits its header any more."""
HEADER: Final = {"currency": "USD", "time_zone": "UTC", "from_at": "2026-03-01T00:00:00Z"}

NO_OPERATOR: Final = people(alice=404, bob=404, charlie=404, petra=404)
NO_ORGANIZATION: Final = {"organization_id": "0198c5a0-0000-7000-8000-000000000000"}

PAGE_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    *(
        (f"{side}-share-{page}{file}", expected, "get", {}, {})
        for side, expected in (("tenant", OWN_TENANT), ("provider", OWN_PROVIDER))
        for page in ("refunds", "audits", "witnesses")
        for file in ("", "-csv")
    ),
    ("tenant-contract-header", people(alice=404, bob=403, charlie=404, petra=404), "get", AGREED, {}),
    ("provider-contract-header", people(alice=404, bob=404, charlie=404, petra=404), "get", AGREED, {}),
    *((name, NO_OPERATOR, "get", {}, {}) for name in ("operator-fees", "operator-fees-csv")),
    ("operator-fees", NO_OPERATOR, "post", {}, {}),
    ("api-organization-fees", programs(tenant=404, provider=404, outsider=404), "get", NO_ORGANIZATION, {}),
    ("api-contract", programs(tenant=409, provider=409, outsider=404), "put", AGREED, HEADER),
)
