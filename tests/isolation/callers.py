"""Who calls an address, and what each kind of caller gets."""

from __future__ import annotations

PEOPLE = ("anonymous", "alice", "bob", "charlie", "petra")
KEYS = ("tenant key", "provider key", "outsider key", "key without scopes", "unknown key")
CALLERS = PEOPLE + KEYS


def everyone(status: int) -> dict[str, int]:
    """The same for all."""
    return dict.fromkeys(CALLERS, status)


def people(*, anonymous: int = 302, alice: int, bob: int, charlie: int, petra: int) -> dict[str, int]:
    """A page: an API key opens none, so who calls with one is a stranger there."""
    told = {"anonymous": anonymous, "alice": alice, "bob": bob, "charlie": charlie, "petra": petra}
    return {**dict.fromkeys(KEYS, anonymous), **told}


def programs(*, tenant: int, provider: int, outsider: int, without_scopes: int = 403) -> dict[str, int]:
    """An API address: a session opens none."""
    told = {"tenant key": tenant, "provider key": provider, "outsider key": outsider}
    return {**dict.fromkeys(CALLERS, 401), **told, "key without scopes": without_scopes}


# Charlie's own organization is tenant and provider, so his own empty pages open; nothing of the others is in them.
OWN_TENANT = people(alice=200, bob=200, charlie=200, petra=404)
TENANTS = people(alice=200, bob=200, charlie=404, petra=404)
OWN_PROVIDER = people(alice=404, bob=404, charlie=200, petra=200)
PROVIDERS = people(alice=404, bob=404, charlie=404, petra=200)
SIGNED_IN = people(alice=302, bob=302, charlie=302, petra=302)

OWN_API = programs(tenant=200, provider=200, outsider=200)
BETWEEN_THEM = programs(tenant=200, provider=200, outsider=404)
