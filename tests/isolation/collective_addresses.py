"""Addresses of collective invoices. None is there for anybody; what both sides read is tried beside the room."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, OWN_PROVIDER, OWN_TENANT, people, programs

NOBODYS: Final = {"collective_id": "0198c5a0-0000-7000-8000-000000000000"}
NOT_THERE: Final = programs(tenant=404, provider=404, outsider=404)
NOBODYS_PAGE: Final = people(alice=404, bob=404, charlie=404, petra=404)
RULES: Final = programs(tenant=404, provider=200, outsider=200)
RULE: Final = {"tenant": "tenant", "is_on": False}

COLLECTIVE_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-collectives", OWN_API, "get", {}, {}),
    ("api-collective", NOT_THERE, "get", NOBODYS, {}),
    ("api-collective-pdf", NOT_THERE, "get", NOBODYS, {}),
    ("api-together-rules", RULES, "get", {}, {}),
    ("api-together-rules", programs(tenant=404, provider=200, outsider=422), "put", {}, RULE),
    ("tenant-collectives", OWN_TENANT, "get", {}, {}),
    ("tenant-collectives-csv", OWN_TENANT, "get", {}, {}),
    ("provider-collectives", OWN_PROVIDER, "get", {}, {}),
    ("provider-collectives-csv", OWN_PROVIDER, "get", {}, {}),
    *(
        (f"{side}-collective{file}", NOBODYS_PAGE, "get", {"number": "COL-NOBODYS"}, {})
        for side in ("tenant", "provider")
        for file in ("", "-pdf")
    ),
)
