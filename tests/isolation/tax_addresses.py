"""Addresses of a provider's taxes, and what each kind of caller gets there."""

from __future__ import annotations

from typing import Any

from tests.isolation.callers import BETWEEN_THEM, OWN_PROVIDER, people, programs

EXEMPTION = {"tenant": "tenant", "reference": "C-1", "reason": "sample", "from_on": "2026-03-01"}
CONTRACT = {"number": "{contract}"}
NOBODYS = {"exemption_id": "00000000-0000-7000-8000-000000000000"}
PROVIDERS_OWN = programs(tenant=404, provider=200, outsider=200)
WRONG_OWN = programs(tenant=404, provider=422, outsider=422)

TAX_ADDRESSES: tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...] = (
    ("provider-taxes", OWN_PROVIDER, "get", {}, {}),
    ("provider-taxes", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    ("api-contract-top-ups", BETWEEN_THEM, "get", CONTRACT, {}),
    ("api-contract-top-ups", programs(tenant=422, provider=404, outsider=404), "post", CONTRACT, {}),
    ("api-contract-balance-rule", programs(tenant=404, provider=404, outsider=404), "get", CONTRACT, {}),
    ("api-contract-balance-rule", programs(tenant=422, provider=404, outsider=404), "put", CONTRACT, {"below": "5"}),
    ("api-contract-balance-rule", programs(tenant=404, provider=404, outsider=404), "delete", CONTRACT, {}),
    ("api-tax-settings", PROVIDERS_OWN, "get", {}, {}),
    ("api-tax-settings", WRONG_OWN, "put", {}, {}),
    ("api-tax-rates", PROVIDERS_OWN, "get", {}, {}),
    ("api-tax-rates", WRONG_OWN, "post", {}, {}),
    ("api-tax-exemptions", PROVIDERS_OWN, "get", {}, {}),
    ("api-tax-exemptions", programs(tenant=404, provider=201, outsider=404), "post", {}, EXEMPTION),
    (
        "api-tax-exemption-end",
        programs(tenant=404, provider=404, outsider=404),
        "post",
        NOBODYS,
        {"to_on": "2026-06-01"},
    ),
)
"""Name, expected status by caller, method, arguments and body of each."""
