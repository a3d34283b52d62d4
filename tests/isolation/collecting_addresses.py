"""Addresses of cards on file and of collecting: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_TENANT, people, programs

COLLECTING_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("tenant-card", OWN_TENANT, "get", {}, {}),
    ("tenant-card", people(alice=302, bob=403, charlie=302, petra=404), "post", {}, {}),
    ("api-card", programs(tenant=404, provider=404, outsider=404), "get", {}, {}),
    ("api-card", programs(tenant=409, provider=404, outsider=409), "post", {}, {}),
    ("api-card", programs(tenant=409, provider=404, outsider=409), "delete", {}, {}),
)
