"""Addresses of bank accounts, statements and movements: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_PROVIDER, PROVIDERS, people

POSTED_NOTHING: Final = people(alice=404, bob=404, charlie=422, petra=422)
NO_STEP: Final = people(alice=404, bob=404, charlie=404, petra=404)
FILE: Final = {"import_id": "{bank file}"}
MOVEMENT: Final = {"line_id": "{movement}"}
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
    ("provider-bank-import", PROVIDERS, "get", FILE, {}),
    ("provider-bank-line", PROVIDERS, "get", MOVEMENT, {}),
    ("provider-bank-line", people(alice=404, bob=404, charlie=404, petra=302), "post", MOVEMENT, ASIDE),
)
