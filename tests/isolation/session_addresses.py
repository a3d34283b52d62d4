"""Addresses of sessions, take-backs and volumes: name, what each caller gets, method, arguments, body."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import BETWEEN_THEM, OWN_API, programs

START: Final = {"term": "{on demand}", "name": "one", "count": 9}
SIZE: Final = {"term": "{on demand}", "volume": "data", "gigabytes": 1}
SESSION: Final = {"session_id": "{session}"}
PROVIDER_SAYS: Final = programs(tenant=403, provider=409, outsider=404)

SESSION_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("api-sessions", OWN_API, "get", {}, {}),
    ("api-sessions", programs(tenant=409, provider=409, outsider=404), "post", {}, START),
    ("api-session", BETWEEN_THEM, "get", SESSION, {}),
    ("api-session-state", PROVIDER_SAYS, "post", SESSION, {"state": "running"}),
    ("api-session-stop", BETWEEN_THEM, "post", SESSION, {}),
    ("api-take-backs", PROVIDER_SAYS, "post", {}, {"session_id": "{session}"}),
    ("api-volumes", OWN_API, "get", {}, {}),
    ("api-volumes", programs(tenant=422, provider=422, outsider=404), "post", {}, SIZE),
)
