"""What isn't yours you cannot see: every address of the site, called by everyone."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader

from tests.filled import Filled, api_key, fill
from tests.isolation.addresses import ADDRESSES, ELSEWHERE, OPEN_IN_ADMIN, Address, admin_path, site
from tests.isolation.callers import CALLERS, KEYS, PEOPLE, asking
from tests.isolation.empty_pages import says_nothing
from tests.isolation.past_limit import compared
from tests.kept import kept, undone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.models import User
    from tests.factories import Cast

INSIDERS = {"alice", "bob", "petra", "tenant key", "provider key"}
EVENT = {"id": "r-1", "source": "sample", "occurred_at": "2026-03-05T09:00:00Z", "model": "m", "input": 1, "output": 1}


filled = kept(fill)


def clients_of(caller: str, cast: Cast) -> Callable[[], Client]:
    """Makes clients that call as one of the callers; what only reads may use one several times."""
    if caller == "anonymous":
        return Client
    if caller in PEOPLE:
        return partial(signed_in, getattr(cast, caller))
    secret = {
        "tenant key": lambda: api_key(cast.tenant),
        "provider key": lambda: api_key(cast.provider),
        "outsider key": lambda: api_key(cast.outsider),
        "key without scopes": lambda: api_key(cast.tenant, ()),
        "unknown key": lambda: "fk_" + "x" * 43,
    }[caller]()
    return partial(Client, headers={"Authorization": f"Bearer {secret}"})


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def call(client: Client, address: Address, filled: Filled) -> Any:
    """Call an address, with its body as query, form or JSON."""
    named = filled.places
    path = reverse(address.name, kwargs={name: value.format(**named) for name, value in address.arguments.items()})
    body = {name: value.format(**named) if isinstance(value, str) else value for name, value in address.body.items()}
    if address.method == "get":
        return client.get(path, body)
    if path.startswith(("/api/", "/compat/")):
        content = [EVENT] if address.name == "api-events" else body
        send = {"put": client.put, "patch": client.patch, "delete": client.delete}.get(address.method, client.post)
        return send(path, json.dumps(content), content_type="application/json")
    return client.post(path, body)


def content_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def text_of(content: bytes) -> str:
    if content.startswith(b"%PDF"):
        return "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    return content.decode()


def test_the_table_names_every_address_of_the_site() -> None:
    named = {address.name for address in ADDRESSES} | ELSEWHERE
    found = {name for name in site() if not name.startswith("admin:")}
    assert found - named == set(), "an address without a row in tests/isolation/addresses.py"
    assert named - found == set(), "a row for an address that is gone"


def test_every_address_is_asked_by_whoever_it_may_open_to_and_by_strangers() -> None:
    for number, address in enumerate(ADDRESSES):
        callers = asking(number, address.expected)
        unlike = {one for one in CALLERS if address.expected[one] != address.expected["anonymous"]}
        assert unlike <= set(callers), address
        assert len({*callers} & {*PEOPLE}) >= 2, address
        assert len({*callers} & {*KEYS}) >= 2, address
    calls = Counter(caller for number, one in enumerate(ADDRESSES) for caller in asking(number, one.expected))
    assert all(calls[caller] > len(ADDRESSES) / 4 for caller in CALLERS), calls


@pytest.mark.unmeasured
@pytest.mark.parametrize("caller", CALLERS)
def test_everyone_gets_what_is_theirs_and_no_more(cast: Cast, filled: Filled, caller: str) -> None:
    make_client = clients_of(caller, cast)
    client, wrong = make_client(), {}
    seen: set[str] = set()
    for address in (one for number, one in enumerate(ADDRESSES) if caller in asking(number, one.expected)):
        session = session_of(client)
        watch: AbstractContextManager[list[str]] = compared(seen) if caller in INSIDERS else nullcontext([])
        # What is written is undone: each address finds the same world, and the caller in the same session.
        with undone() if address.method != "get" else nullcontext(), watch as hidden:
            answer = call(client, address, filled)
            content = content_of(answer)
        if session_of(client) != session:
            client, seen = make_client(), set()
        if hidden:
            wrong[f"{address} lacks"] = "\n".join(hidden)
        if answer.status_code != address.expected[caller]:
            wrong[str(address)] = f"{answer.status_code}, expected {address.expected[caller]}"
        elif caller not in INSIDERS:
            leaked = leaks(filled, text_of(content), answer.request["QUERY_STRING"])
            if leaked:
                wrong[str(address)] = f"shows {leaked}"
        if caller == "charlie" and answer.status_code == 200 and says_nothing(address.name, answer, content):
            wrong[f"{address} is empty"] = "say what would stand there and what to do, by portal.parts.Empty"
    assert not wrong


def session_of(client: Client) -> str | None:
    cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
    return cookie.value if cookie else None


def leaks(filled: Filled, text: str, asked: str) -> list[str]:
    """What only the insiders may read, and the caller did not say itself."""
    return [word for word in filled.words if word in text and word not in asked]


@pytest.mark.unmeasured
@pytest.mark.parametrize("caller", ["charlie", "outsider key"])
def test_what_exists_and_what_does_not_look_the_same_to_an_outsider(cast: Cast, filled: Filled, caller: str) -> None:
    client = clients_of(caller, cast)()
    chosen = [one for one in ADDRESSES if any("{" in value for value in one.arguments.values())]
    asked = [one for one in chosen if one.name.startswith("api-") == (caller == "outsider key")]
    assert asked
    for address in asked:
        nowhere = {name: str(UUID(int=0)) if name.endswith("_id") else "nowhere" for name in address.arguments}
        there = call(client, address, filled)
        missing = call(client, replace(address, arguments=nowhere), filled)
        assert there.status_code == missing.status_code == 404, address
        assert there.headers["Content-Type"] == missing.headers["Content-Type"], address
        assert content_of(there) == content_of(missing), address


@pytest.mark.unmeasured
@pytest.mark.parametrize("caller", CALLERS)
def test_the_back_office_lets_nobody_of_the_cast_in(cast: Cast, caller: str) -> None:
    # A thousand pages that are made alike: each caller tries every tenth, and all callers together try every one.
    client = clients_of(caller, cast)()
    pages = sorted(name for name in site() if name.startswith("admin:") and name not in OPEN_IN_ADMIN)
    assert len(pages) > 500
    for name in pages[CALLERS.index(caller) :: len(CALLERS)]:
        answer = client.get(admin_path(name))
        assert answer.status_code == 302, name
        assert answer.headers["Location"].startswith("/admin/login/"), name
