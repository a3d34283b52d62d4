"""Addresses of members and invitations: of what is not the caller's there is nothing."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_PROVIDER, OWN_TENANT, everyone, people

NOBODY: Final = {"member_id": "999999999"}
INVITATION: Final = {"invitation_id": "00000000-0000-0000-0000-000000000009"}
NO_OPERATOR: Final = people(alice=404, bob=404, charlie=404, petra=404)

# There is no such member or invitation here; whose they are is tried with stored ones in tests/tenants/members.
MEMBER_ADDRESSES: Final[tuple[tuple[str, dict[str, int], str, dict[str, str], dict[str, Any]], ...]] = (
    ("invitation", everyone(404), "get", {"token": "x" * 43}, {}),
    ("invitation", everyone(404), "post", {"token": "x" * 43}, {}),
    ("tenant-members", OWN_TENANT, "get", {}, {}),
    ("provider-members", OWN_PROVIDER, "get", {}, {}),
    ("tenant-members", people(alice=422, bob=403, charlie=422, petra=404), "post", {}, {}),
    ("provider-members", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    *(
        (f"{side}-{page}", people(alice=404, bob=viewer, charlie=404, petra=404), method, arguments, {})
        for side, refused in (("tenant", 403), ("provider", 404), ("operator", 404))
        for page, viewer, method, arguments in (
            ("member", 404, "get", NOBODY),
            ("member", 404, "post", NOBODY),
            ("invitation", refused, "post", INVITATION),
        )
    ),
    ("tenant-members-csv", OWN_TENANT, "get", {}, {}),
    ("provider-members-csv", OWN_PROVIDER, "get", {}, {}),
    ("operator-members-csv", NO_OPERATOR, "get", {}, {}),
    ("operator-members", NO_OPERATOR, "get", {}, {}),
    ("operator-members", NO_OPERATOR, "post", {}, {}),
)
