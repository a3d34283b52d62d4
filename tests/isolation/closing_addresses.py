"""Addresses of drafts and of issuing: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import BETWEEN_THEM, OWN_API, OWN_PROVIDER, PROVIDERS, TENANTS, people, programs

DRAFT: Final = {"period_id": "{open period}"}
STEP: Final = {"invoice_id": "{invoice}", "step": "collect"}
PROVIDERS_OWN: Final = programs(tenant=404, provider=200, outsider=200)
GAPS: Final[dict[str, Any]] = {"gaps": ["node:x"], "reason": "it burned"}
RULE: Final[dict[str, Any]] = {"back_billing_months": 12, "approves": False}

CLOSING_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("provider-drafts", OWN_PROVIDER, "get", {}, {}),
    ("provider-draft", PROVIDERS, "get", DRAFT, {}),
    (
        "provider-draft-approve",
        people(alice=404, bob=404, charlie=404, petra=302),
        "post",
        DRAFT,
        {"amount": "1.00"},
    ),
    ("provider-draft-close", people(alice=404, bob=404, charlie=404, petra=302), "post", DRAFT, {}),
    ("provider-draft-gaps", people(alice=404, bob=404, charlie=404, petra=302), "post", DRAFT, {}),
    ("api-draft-gaps", programs(tenant=404, provider=422, outsider=404), "post", DRAFT, GAPS),
    ("api-draft-close", programs(tenant=404, provider=200, outsider=404), "post", DRAFT, {}),
    ("provider-draft-tax", people(alice=404, bob=404, charlie=404, petra=302), "post", DRAFT, {}),
    ("api-draft-tax-retry", programs(tenant=404, provider=409, outsider=404), "post", DRAFT, {}),
    ("tenant-draft", TENANTS, "get", DRAFT, {}),
    ("api-drafts", OWN_API, "get", {}, {}),
    ("api-draft", BETWEEN_THEM, "get", DRAFT, {}),
    ("api-draft-approve", programs(tenant=404, provider=409, outsider=404), "post", DRAFT, {"amount": "1.00"}),
    ("api-issuing-rule", PROVIDERS_OWN, "get", {}, {}),
    ("api-issuing-rule", PROVIDERS_OWN, "put", {}, RULE),
    ("api-invoice-step-retry", programs(tenant=404, provider=409, outsider=404), "post", STEP, {}),
)
