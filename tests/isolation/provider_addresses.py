"""Addresses of the provider's own rooms: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from billing.pages.provider_files import LISTS
from tests.isolation.callers import OWN_PROVIDER, OWN_TENANT, PROVIDERS, people

CARD: Final = {"cluster": "{card cluster}", "node": "{card node}", "card_id": "{card}"}
STATED: Final = {"number": "{stated number}"}

PROVIDER_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("provider-overview", OWN_PROVIDER, "get", {}, {}),
    ("provider-statement-sources", PROVIDERS, "get", STATED, {}),
    ("provider-statement-sources-csv", PROVIDERS, "get", STATED, {}),
    *((f"provider-{one.name}-csv", OWN_PROVIDER, "get", {}, {}) for one in LISTS),
    ("provider-energy", OWN_PROVIDER, "get", {}, {}),
    ("provider-energy-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-fleet-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-card", PROVIDERS, "get", CARD, {}),
    ("provider-card-holders-csv", PROVIDERS, "get", CARD, {}),
    ("provider-health", OWN_PROVIDER, "get", {}, {}),
    ("provider-health-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-gaps-csv", OWN_PROVIDER, "get", {}, {}),
    ("tenant-gaps-csv", OWN_TENANT, "get", {}, {}),
    ("provider-credit", OWN_PROVIDER, "get", {}, {}),
    ("provider-credit", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    ("provider-credit-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-coupons-csv", OWN_PROVIDER, "get", {}, {}),
)

# The operator of the cast has no people: to everybody else its pages are not there.
NOBODY: Final = people(alice=404, bob=404, charlie=404, petra=404)
STEP: Final = {"kind": "document", "step_id": "00000000-0000-0000-0000-000000000009"}
OPERATOR_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("operator-pipeline", NOBODY, "get", {}, {}),
    ("operator-steps-csv", NOBODY, "get", {}, {}),
    ("operator-step-retry", NOBODY, "post", STEP, {}),
)
