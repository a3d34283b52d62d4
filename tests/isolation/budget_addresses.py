"""Addresses of budgets and alerts: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, OWN_PROVIDER, OWN_TENANT, PROVIDERS, TENANTS, people, programs

BUDGET: Final = {"budget_id": "{budget}"}
LIMIT: Final = {"budget_id": "{limit}"}
BODY: Final = {"name": "one", "amount": "5.00"}
CHANGED: Final = {"name": "quartz budget", "amount": "6.00", "scope": "model", "subject": "{model}"}
OF_THE_TENANT: Final = programs(tenant=200, provider=404, outsider=404)
TENANT_ACTS: Final = people(alice=302, bob=403, charlie=404, petra=404)
PROVIDER_ACTS: Final = people(alice=404, bob=404, charlie=404, petra=302)
EDITS_TENANT: Final = people(alice=200, bob=403, charlie=200, petra=404)

BUDGET_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("tenant-budgets", OWN_TENANT, "get", {}, {}),
    ("tenant-budgets-csv", OWN_TENANT, "get", {}, {}),
    ("tenant-alerts-csv", OWN_TENANT, "get", {}, {}),
    ("tenant-budget-new", EDITS_TENANT, "get", {}, {}),
    ("tenant-budget-new", people(alice=422, bob=403, charlie=422, petra=404), "post", {}, {}),
    ("tenant-budget", TENANTS, "get", BUDGET, {}),
    ("tenant-budget", TENANT_ACTS, "post", BUDGET, {"action": "lift", "reason": "x"}),
    ("tenant-budget", TENANT_ACTS, "post", BUDGET, {"action": "retire"}),
    ("provider-alerts", OWN_PROVIDER, "get", {}, {}),
    ("provider-alerts-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-limits-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-limit-new", OWN_PROVIDER, "get", {}, {}),
    ("provider-limit-new", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    ("provider-limit", PROVIDERS, "get", LIMIT, {}),
    ("provider-limit", PROVIDER_ACTS, "post", LIMIT, {"action": "retire"}),
    ("api-budgets", OWN_API, "get", {}, {}),
    ("api-budgets", programs(tenant=201, provider=201, outsider=201), "post", {}, BODY),
    ("api-budget-standing", OWN_API, "get", {}, {}),
    ("api-budget", OF_THE_TENANT, "get", BUDGET, {}),
    ("api-budget", OF_THE_TENANT, "put", BUDGET, CHANGED),
    ("api-budget-lift", programs(tenant=409, provider=404, outsider=404), "post", BUDGET, {"reason": "x"}),
    ("api-budget", programs(tenant=204, provider=404, outsider=404), "delete", BUDGET, {}),
    ("api-alerts", OWN_API, "get", {}, {}),
)
