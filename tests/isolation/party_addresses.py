"""Addresses of what parties are told of themselves: their profiles, and statements to a provider."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, OWN_PROVIDER, people, programs

ACCOUNT: Final = {
    "from": "2026-03-01T00:00:00Z",
    "to": "2026-05-01T00:00:00Z",
    "provider": "provider",
    "currency": "USD",
}
ACCOUNT_DAYS: Final = {**ACCOUNT, "from": "2026-03-01", "to": "2026-04-30"}
NONE: Final = "00000000-0000-0000-0000-000000000009"
NOBODY: Final = people(alice=404, bob=404, charlie=404, petra=404)
"""Nobody of the cast is of the operator, and there is no Stripe."""
PARTY_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-profile", OWN_API, "get", {}, {}),
    ("api-profile-logo", programs(tenant=404, provider=404, outsider=404), "get", {}, {}),
    ("api-sign-on", OWN_API, "get", {}, {}),
    ("api-fleet-health", programs(tenant=404, provider=200, outsider=200), "get", {}, {}),
    ("api-payout-account", programs(tenant=404, provider=404, outsider=404), "get", {}, {}),
    ("api-payout-account", programs(tenant=404, provider=409, outsider=409), "post", {}, {}),
    ("api-payout-account-page", programs(tenant=404, provider=404, outsider=404), "post", {}, {}),
    ("api-profile", programs(tenant=422, provider=422, outsider=422), "put", {}, {"country": "XX"}),
    ("api-statements", OWN_API, "get", {}, {}),
    ("api-balance", OWN_API, "get", {}, {}),
    ("api-account", programs(tenant=200, provider=404, outsider=404), "get", {}, ACCOUNT),
    ("api-account-pdf", programs(tenant=200, provider=404, outsider=404), "get", {}, ACCOUNT_DAYS),
    ("tenant-statement-pdf", people(alice=200, bob=200, charlie=404, petra=404), "get", {}, {"month": "2026-04"}),
    *(
        (name, programs(tenant=404, provider=200, outsider=404), "get", {"statement_id": "{stated}"}, {})
        for name in ("api-statement", "api-statement-document")
    ),
    ("provider-payouts", OWN_PROVIDER, "get", {}, {}),
    ("provider-payouts", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {"method": "cash"}),
    ("provider-payouts-stripe", NOBODY, "get", {}, {}),
    ("operator-payouts", NOBODY, "get", {}, {}),
    ("operator-payouts-csv", NOBODY, "get", {}, {}),
    ("operator-payout-make", NOBODY, "post", {"provider_id": NONE}, {}),
    ("operator-payout-hold", NOBODY, "post", {"provider_id": NONE}, {}),
    ("api-payout-files", programs(tenant=404, provider=404, outsider=404), "get", {}, {}),
    ("api-payout-files", programs(tenant=404, provider=404, outsider=404), "post", {}, {"currency": "EUR"}),
    ("api-payout-file-xml", programs(tenant=404, provider=404, outsider=404), "get", {"file_id": NONE}, {}),
    ("operator-payout-file-make", NOBODY, "post", {}, {"currency": "EUR"}),
    ("operator-payout-file", NOBODY, "get", {"file_id": NONE}, {}),
    ("operator-payout-act", NOBODY, "post", {"payout_id": NONE}, {}),
)
