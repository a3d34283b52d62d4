"""Addresses of the API of the fleet, payments and payouts: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import BETWEEN_THEM, OWN_API, OWN_PROVIDER, people, programs

Row = tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]]
NOWHERE: Final = "00000000-0000-0000-0000-000000000009"
NOBODY: Final = programs(tenant=404, provider=404, outsider=404)
PROVIDERS: Final = programs(tenant=404, provider=200, outsider=404)
DEPLOYMENT: Final = {"thing_id": "{deployment id}"}
REFUSED: Final = programs(tenant=404, provider=400, outsider=404)
PAGES: Final = people(alice=404, bob=404, charlie=404, petra=200)
FORMS: Final = people(alice=404, bob=404, charlie=404, petra=422)
LISTS: Final = ("clusters", "nodes", "accelerators", "slices", "allocations", "endpoints", "deployments")
SINGLE: Final = ("cluster", "accelerator", "slice", "allocation", "endpoint")

FLEET_ADDRESSES: Final[tuple[Row, ...]] = (
    *((f"api-{name}", OWN_API, "get", {}, {}) for name in LISTS),
    *((f"api-{name}", NOBODY, "get", {"thing_id": NOWHERE}, {}) for name in SINGLE),
    ("api-node", PROVIDERS, "get", {"thing_id": "{node id}"}, {}),
    ("api-deployment", BETWEEN_THEM, "get", {"thing_id": "{deployment id}"}, {}),
    ("api-clusters", programs(tenant=404, provider=400, outsider=400), "post", {}, {}),
    ("api-deployments", programs(tenant=404, provider=400, outsider=400), "post", {}, {}),
    *(
        (f"api-deployment-{act}", REFUSED, "post", {"thing_id": "{deployment id}"}, {})
        for act in ("end", "bind", "unbind")
    ),
    (
        "api-deployment-end",
        programs(tenant=404, provider=422, outsider=404),
        "post",
        {"thing_id": "{deployment id}"},
        {"to_at": "2001-01-01T00:00:00Z"},
    ),
    ("provider-deployments", OWN_PROVIDER, "get", {}, {}),
    ("provider-deployments-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-deployment-new", OWN_PROVIDER, "get", {}, {}),
    ("provider-deployment-new", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    ("provider-deployment", PAGES, "get", {"deployment_id": "{deployment id}"}, {}),
    ("provider-deployment", FORMS, "post", {"deployment_id": "{deployment id}"}, {"do": "end"}),
    ("provider-node", FORMS, "post", {"cluster": "{cluster}", "node": "{node}"}, {}),
    ("api-payments", OWN_API, "get", {}, {}),
    ("api-payment", NOBODY, "get", {"payment_id": NOWHERE}, {}),
    ("api-payouts", OWN_API, "get", {}, {}),
    ("api-payouts", NOBODY, "post", {}, {"provider": "provider", "currency": "EUR"}),
    ("api-payout", NOBODY, "get", {"payout_id": NOWHERE}, {}),
    ("api-payout-paid", NOBODY, "post", {"payout_id": NOWHERE}, {"reference": "x"}),
    ("api-payout-failed", NOBODY, "post", {"payout_id": NOWHERE}, {"reason": "x"}),
    ("api-backlogs", NOBODY, "get", {}, {}),
    ("api-stopped-steps", NOBODY, "get", {}, {}),
    ("api-stopped-step-retry", NOBODY, "post", {"kind": "document", "step_id": NOWHERE}, {}),
    ("api-reconciliations", NOBODY, "get", {}, {}),
    ("api-reconciliations", NOBODY, "post", {}, {}),
    ("api-differences", NOBODY, "get", {}, {}),
    ("api-difference-settle", NOBODY, "post", {"difference_id": NOWHERE}, {"way": "accept"}),
)
