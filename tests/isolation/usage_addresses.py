"""Addresses of usage by key and of what it cost: each organization finds its own."""

from __future__ import annotations

from typing import Any, Final

from tests.filled import MODEL
from tests.isolation.callers import OWN_API, OWN_TENANT, people, programs

DAYS: Final = {"first_day": "2026-03-01", "last_day": "2026-03-31"}
NOBODYS: Final = programs(tenant=404, provider=404, outsider=404)
FILES: Final = ("leases", "disputes", "credit-notes", "contracts")
NOT_THERE: Final = "00000000-0000-0000-0000-000000000009"

USAGE_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-usage-costs", OWN_API, "get", {}, DAYS),
    ("api-usage-costs", OWN_API, "get", {}, {**DAYS, "key": "-", "by_key": "true"}),
    ("api-usage-costs", programs(tenant=400, provider=400, outsider=400), "get", {}, {**DAYS, "key": NOT_THERE}),
    ("api-usage-keys", OWN_API, "get", {}, {}),
    (
        "api-usage-key",
        programs(tenant=404, provider=404, outsider=404),
        "patch",
        {"key_id": NOT_THERE},
        {"project": ""},
    ),
    ("api-projects", OWN_API, "get", {}, {}),
    ("api-projects", programs(tenant=201, provider=201, outsider=201), "post", {}, {"name": "Sample"}),
    ("api-project", NOBODYS, "put", {"slug": "none"}, {"name": "Sample"}),
    ("tenant-usage", OWN_TENANT, "get", {}, {"month": "2026-03", "group": "key", "key": NOT_THERE}),
    # Keys are tried with stored ones in tests/billing/pages/test_usage__by_key.py and tests/metering/test_projects.py.
    ("tenant-usage-key", people(alice=404, bob=404, charlie=404, petra=404), "get", {"key_id": NOT_THERE}, {}),
    ("tenant-usage-model", people(alice=200, bob=200, charlie=404, petra=404), "get", {"model": MODEL}, {}),
    *(
        (f"tenant-{name}-csv", OWN_TENANT, "get", {}, {})
        for name in ("leases", "disputes", "credit-notes", "contracts")
    ),
    ("tenant-projects", OWN_TENANT, "get", {}, {}),
    ("tenant-projects-csv", OWN_TENANT, "get", {}, {}),
    (
        "tenant-projects-act",
        people(alice=302, bob=403, charlie=302, petra=404),
        "post",
        {},
        {"do": "make", "name": "Search"},
    ),
    (
        "tenant-projects-act",
        people(alice=404, bob=403, charlie=404, petra=404),
        "post",
        {},
        {"do": "put", "key": NOT_THERE, "project": ""},
    ),
)
