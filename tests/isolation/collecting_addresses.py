"""Addresses of cards on file and of collecting: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_TENANT, people, programs

# The operator of the cast has no people: to everybody else its pages are not there.
NOBODY: Final = people(alice=404, bob=404, charlie=404, petra=404)

COLLECTING_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("tenant-card", OWN_TENANT, "get", {}, {}),
    ("tenant-card", people(alice=302, bob=403, charlie=302, petra=404), "post", {}, {}),
    ("tenant-credit", OWN_TENANT, "get", {}, {}),
    ("tenant-credit", people(alice=302, bob=403, charlie=302, petra=404), "post", {}, {}),
    ("operator-reconciliation", NOBODY, "get", {}, {}),
    ("operator-differences-csv", NOBODY, "get", {}, {}),
    ("operator-reconciliation", NOBODY, "post", {}, {}),
    ("operator-difference", NOBODY, "post", {"difference_id": "00000000-0000-0000-0000-000000000009"}, {}),
    ("api-card", programs(tenant=404, provider=404, outsider=404), "get", {}, {}),
    ("api-card", programs(tenant=409, provider=404, outsider=409), "post", {}, {}),
    ("api-card", programs(tenant=409, provider=404, outsider=409), "delete", {}, {}),
)
