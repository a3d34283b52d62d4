"""Addresses of members and invitations: of what is not the caller's there is nothing."""

from __future__ import annotations

from typing import Any, Final

from tests.isolation.callers import OWN_API, OWN_PROVIDER, OWN_TENANT, everyone, people, programs

NOBODY: Final = {"member_id": "999999999"}
INVITATION: Final = {"invitation_id": "00000000-0000-0000-0000-000000000009"}
NO_ORGANIZATION: Final = {"organization_id": "00000000-0000-0000-0000-000000000009"}
NO_TENANT: Final = {"tenant_id": "00000000-0000-0000-0000-000000000009"}
NO_KEY: Final = {"key_id": "00000000-0000-0000-0000-000000000009"}
PERSON: Final = {"person_id": "00000000-0000-0000-0000-000000000009"}
NOBODYS: Final = programs(tenant=404, provider=404, outsider=404)
WRONG: Final = programs(tenant=400, provider=400, outsider=400)
TENANTS_MANAGERS: Final = people(alice=200, bob=403, charlie=200, petra=404)
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
    *(
        (f"{side}-{page}", expected, "get", {}, {})
        for page in ("keys", "keys-csv", "audit", "audit-csv")
        for side, expected in (("tenant", TENANTS_MANAGERS), ("provider", OWN_PROVIDER), ("operator", NO_OPERATOR))
    ),
    ("tenant-keys", people(alice=422, bob=403, charlie=422, petra=404), "post", {}, {}),
    ("provider-keys", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    *(
        (f"{side}-key", people(alice=404, bob=viewer, charlie=404, petra=404), method, NO_KEY, {})
        for side, viewer in (("tenant", 403), ("provider", 404), ("operator", 404))
        for method in ("get", "post")
    ),
    ("api-members", OWN_API, "get", {}, {}),
    ("api-invitations", OWN_API, "get", {}, {}),
    ("api-invitations", WRONG, "post", {}, {}),
    ("api-member", NOBODYS, "get", PERSON, {}),
    ("api-member", NOBODYS, "put", PERSON, {"role": "viewer"}),
    ("api-member", NOBODYS, "delete", PERSON, {}),
    ("api-invitation", NOBODYS, "delete", INVITATION, {}),
    ("api-invitation-resend", NOBODYS, "post", INVITATION, {}),
    ("api-api-keys", OWN_API, "get", {}, {}),
    ("api-api-keys", WRONG, "post", {}, {}),
    ("api-api-key", NOBODYS, "get", NO_KEY, {}),
    ("api-api-key", NOBODYS, "put", NO_KEY, {"name": "sample"}),
    ("api-api-key", NOBODYS, "delete", NO_KEY, {}),
    ("api-api-key-rotate", NOBODYS, "post", NO_KEY, {}),
    ("api-audit", OWN_API, "get", {}, {}),
    ("tenant-organization", OWN_TENANT, "get", {}, {}),
    ("provider-organization", OWN_PROVIDER, "get", {}, {}),
    ("operator-organization", NO_OPERATOR, "get", {}, {}),
    ("tenant-organization", people(alice=422, bob=403, charlie=422, petra=404), "post", {}, {}),
    ("operator-organizations", NO_OPERATOR, "get", {}, {}),
    ("operator-organizations", NO_OPERATOR, "post", {}, {}),
    ("operator-organizations-csv", NO_OPERATOR, "get", {}, {}),
    ("operator-organization-of", NO_OPERATOR, "get", NO_ORGANIZATION, {}),
    ("operator-organization-of", NO_OPERATOR, "post", NO_ORGANIZATION, {"do": "suspend", "because": "a"}),
    ("provider-tenants", OWN_PROVIDER, "get", {}, {}),
    ("provider-tenants", people(alice=404, bob=404, charlie=422, petra=422), "post", {}, {}),
    ("provider-tenants-csv", OWN_PROVIDER, "get", {}, {}),
    ("provider-tenant", people(alice=404, bob=404, charlie=404, petra=404), "get", NO_TENANT, {}),
    ("api-organizations", OWN_API, "get", {}, {}),
    ("api-organizations", programs(tenant=404, provider=400, outsider=400), "post", {}, {}),
    ("api-organization", NOBODYS, "get", NO_ORGANIZATION, {}),
    ("api-organization", NOBODYS, "put", NO_ORGANIZATION, {}),
    ("api-organization-suspend", NOBODYS, "post", NO_ORGANIZATION, {"because": "a"}),
    ("api-organization-reinstate", NOBODYS, "post", NO_ORGANIZATION, {}),
    ("api-organization-fee", NOBODYS, "put", NO_ORGANIZATION, {"fee_percent": "1"}),
)
