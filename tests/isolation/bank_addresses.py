"""Addresses of bank accounts, statements and movements: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import BETWEEN_THEM, OWN_API, OWN_PROVIDER, PROVIDERS, people, programs

POSTED_NOTHING: Final = people(alice=404, bob=404, charlie=422, petra=422)
NO_ID: Final = "00000000-0000-0000-0000-000000000009"
NOT_THEIRS: Final = {"parts": [{"invoice_id": NO_ID, "amount": "1.00"}]}
NOBODY: Final = programs(tenant=404, provider=404, outsider=404)
NO_SCHEDULE: Final = people(alice=404, bob=404, charlie=404, petra=422)
NO_STEP: Final = people(alice=404, bob=404, charlie=404, petra=404)
FILE: Final = {"import_id": "{bank file}"}
MOVEMENT: Final = {"line_id": "{movement}"}
INVOICE_ID: Final = {"invoice_id": "{invoice}"}
HOLD: Final = {"until": "2026-05-01T00:00:00Z", "reason": "a"}
ASIDE: Final = {"action": "aside", "note": "quartz"}

BANK_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("provider-bank", OWN_PROVIDER, "get", {}, {}),
    ("provider-bank", POSTED_NOTHING, "post", {}, {}),
    ("provider-bank-accounts", OWN_PROVIDER, "get", {}, {}),
    ("provider-bank-accounts", POSTED_NOTHING, "post", {}, {}),
    ("provider-dunning", OWN_PROVIDER, "get", {}, {}),
    ("provider-dunning", POSTED_NOTHING, "post", {}, {"remind": "soon"}),
    ("provider-dunning-case", PROVIDERS, "get", {"invoice_id": "{invoice}"}, {}),
    ("provider-dunning-case", NO_STEP, "post", {"invoice_id": "{invoice}"}, {"action": "take_back"}),
    ("api-bank-statements", programs(tenant=404, provider=400, outsider=400), "post", {}, {}),
    ("api-bank-statements", OWN_API, "get", {}, {}),
    ("api-bank-lines", OWN_API, "get", {}, {}),
    ("api-bank-line", programs(tenant=404, provider=200, outsider=404), "get", MOVEMENT, {}),
    ("api-bank-line-match", programs(tenant=404, provider=422, outsider=404), "post", MOVEMENT, NOT_THEIRS),
    ("api-bank-match-undo", NOBODY, "post", {"match_id": NO_ID}, {"reason": "a"}),
    ("api-dunning-schedule", programs(tenant=404, provider=200, outsider=200), "get", {}, {}),
    ("api-dunning-schedule", programs(tenant=404, provider=400, outsider=400), "put", {}, {}),
    ("api-contract-dunning-schedule", BETWEEN_THEM, "get", {"contract_id": "{contract id}"}, {}),
    (
        "api-contract-dunning-schedule",
        programs(tenant=404, provider=204, outsider=404),
        "delete",
        {"contract_id": "{contract id}"},
        {},
    ),
    ("provider-contract-dunning", PROVIDERS, "get", {"contract_id": "{contract id}"}, {}),
    ("provider-contract-dunning", NO_SCHEDULE, "post", {"contract_id": "{contract id}"}, {"remind": "soon"}),
    (
        "api-contract-dunning-schedule",
        programs(tenant=404, provider=400, outsider=404),
        "put",
        {"contract_id": "{contract id}"},
        {},
    ),
    ("api-invoice-dunning", BETWEEN_THEM, "get", {"invoice_id": "{invoice}"}, {}),
    ("api-bank-accounts", OWN_API, "get", {}, {}),
    ("api-bank-accounts", programs(tenant=404, provider=400, outsider=400), "post", {}, {}),
    ("api-bank-account-close", NOBODY, "post", {"account_id": NO_ID}, {}),
    ("api-bank-line-keep", programs(tenant=404, provider=422, outsider=404), "post", MOVEMENT, {"tenant_id": NO_ID}),
    ("api-bank-line-set-aside", programs(tenant=404, provider=200, outsider=404), "post", MOVEMENT, {"note": "a"}),
    ("api-invoice-dunning-hold", programs(tenant=404, provider=201, outsider=404), "post", INVOICE_ID, HOLD),
    ("api-dunning-take-back", NOBODY, "post", {"step_id": NO_ID}, {"reason": "a"}),
    ("api-correction-policy", programs(tenant=404, provider=200, outsider=200), "get", {}, {}),
    ("api-correction-policy", programs(tenant=404, provider=400, outsider=400), "put", {}, {}),
    ("provider-bank-import", PROVIDERS, "get", FILE, {}),
    ("provider-bank-line", PROVIDERS, "get", MOVEMENT, {}),
    ("provider-bank-line", people(alice=404, bob=404, charlie=404, petra=302), "post", MOVEMENT, ASIDE),
)
