"""Addresses of pages of token shares, drafts of contracts, fees and the price index."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, OWN_PROVIDER, OWN_TENANT, people, programs

AGREED: Final = {"contract_id": "{contract id}"}
"""It is agreed on, so nobody edits its header any more."""
HEADER: Final = {"currency": "USD", "time_zone": "UTC", "from_at": "2026-03-01T00:00:00Z"}

DRAFT: Final = {"draft_id": "{draft}"}
NO_DRAFT: Final = {"draft_id": "0198c5a0-0000-7000-8000-000000000000"}
NO_PAYOUT: Final = {"payout_id": "0198c5a0-0000-7000-8000-000000000000"}
AHEAD: Final = "2999-01-01T00:00:00Z"
NEW_DRAFT: Final = {"price_book_id": "0198c5a0-0000-7000-8000-000000000000", "effective_at": AHEAD}
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
    *((name, NO_OPERATOR, "get", {}, {}) for name in ("operator-fees", "operator-fees-csv", "operator-price-index")),
    ("operator-fees", NO_OPERATOR, "post", {}, {}),
    ("operator-price-index", NO_OPERATOR, "post", {}, {}),
    ("api-price-index", programs(tenant=404, provider=404, outsider=404), "post", {}, {}),
    ("api-organization-fees", programs(tenant=404, provider=404, outsider=404), "get", NO_ORGANIZATION, {}),
    ("api-price-drafts", OWN_API, "get", {}, {}),
    ("api-price-drafts", programs(tenant=404, provider=404, outsider=404), "post", {}, NEW_DRAFT),
    *(
        (name, programs(tenant=404, provider=own, outsider=404), method, DRAFT, body)
        for name, own, method, body in (
            ("api-price-draft", 200, "get", {}),
            ("api-price-draft", 409, "put", {"revision": 999, "effective_at": AHEAD, "prices": []}),
            ("api-price-draft-publish", 409, "post", {"revision": 999}),
        )
    ),
    ("api-price-draft", programs(tenant=404, provider=404, outsider=404), "delete", NO_DRAFT, {}),
    ("api-payout-terms", programs(tenant=404, provider=200, outsider=200), "get", {}, {}),
    ("api-payout-terms", programs(tenant=404, provider=403, outsider=403), "put", {}, {"hold_days": 1}),
    ("api-payout-back", programs(tenant=404, provider=404, outsider=404), "post", NO_PAYOUT, {}),
    ("api-contract-accept", programs(tenant=400, provider=400, outsider=404), "post", AGREED, {}),
    ("api-share-audit-answers", programs(tenant=400, provider=400, outsider=404), "post", AGREED, {}),
    ("api-contract", programs(tenant=409, provider=409, outsider=404), "put", AGREED, HEADER),
)
