"""Who calls an address, and what each kind of caller gets."""

from __future__ import annotations

PEOPLE = ("anonymous", "alice", "bob", "charlie", "petra")
KEYS = ("tenant key", "provider key", "outsider key", "key without scopes", "unknown key")
CALLERS = PEOPLE + KEYS
REFUSED = {401, 403, 404}


def asking(number: int, expected: dict[str, int]) -> list[str]:
    """Who calls the address of this number in the table: all but most of those to whom it is closed by what they are.

    A key opens no page, and a session no address of the API. So of the keys one calls a page, whose owner may read it
    if any may, and one of the others in turn; and of the people so the API. What is the same for all, all call.
    """
    if len(set(expected.values())) == 1:
        return list(CALLERS)
    if {expected[key] for key in KEYS} == {expected["anonymous"]}:
        own = "tenant key" if expected["petra"] in REFUSED else "provider key"
        return [*PEOPLE, *_two(KEYS, own, number)]
    if {expected[person] for person in PEOPLE} == {expected["unknown key"]}:
        own = "alice" if expected["provider key"] in REFUSED else "petra"
        return [*_two(PEOPLE, own, number), *KEYS]
    return list(CALLERS)


def _two(kind: tuple[str, ...], own: str, number: int) -> tuple[str, str]:
    others = [one for one in kind if one != own]
    return own, others[number % len(others)]


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
