"""Who reads which page: every address of the site that answers a GET, asked by somebody whom it answers with 200."""

from __future__ import annotations

import gzip
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client

from tenants.models import Role
from tests.factories import make_user
from tests.filled import api_key
from tests.isolation.addresses import ADDRESSES, Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.factories import Cast
    from tests.filled import Filled

CALLERS: Final = ("alice", "petra", "tenant key", "provider key")
OPERATOR: Final = "operator"
LINKED: Final = re.compile(r'<(?:link|script)[^>]*?(?:href|src)="/static/([^"?]+)"')
COMPRESSED_ALREADY: Final = (".woff2", ".png")


def readers(cast: Cast, server_name: str = "testserver") -> dict[str, Client]:
    """A client for each caller; the operator has a person here."""
    people = {
        "alice": cast.alice,
        "petra": cast.petra,
        OPERATOR: make_user("olga@example.com", cast.operator, Role.OWNER),
    }
    found = {}
    for caller, person in people.items():
        found[caller] = Client(SERVER_NAME=server_name)
        found[caller].force_login(person)
    for caller, organization in (("tenant key", cast.tenant), ("provider key", cast.provider)):
        headers = {"Authorization": f"Bearer {api_key(organization)}"}
        found[caller] = Client(SERVER_NAME=server_name, headers=headers)
    return found


def read_addresses() -> Iterator[tuple[str, Address]]:
    """Who reads each address, and the address: those of the operator by its person, all others by who is let in."""
    for address in ADDRESSES:
        if address.method != "get":
            continue
        callers = [caller for caller in CALLERS if address.expected[caller] == 200]
        is_there = all(value.startswith("{") for value in address.arguments.values())
        if address.name.startswith("operator-"):
            if is_there:
                yield OPERATOR, address
        elif callers:
            yield callers[0], address


def query_of(address: Address, filled: Filled) -> dict[str, str]:
    """What is asked with the address."""
    named = filled.places
    return {name: str(value).format(**named) for name, value in address.body.items()}


def wire_bytes(page: bytes) -> dict[str, int]:
    """The bytes that a first visit of a page brings, as they are sent: the page by gzip, and the files it links to."""
    files = sorted(set(LINKED.findall(page.decode())))
    return {"page": len(gzip.compress(page)), **{name: _file_bytes(name) for name in files}}


@cache
def _file_bytes(name: str) -> int:
    """Files are sent compressed by gzip (`forecourt.static_storage`), fonts as they are."""
    path = finders.find(name) or finders.find(_plain(name))
    if path is None:
        path = staticfiles_storage.path(name)
    with open(path, "rb") as file:
        content = file.read()
    return len(content) if name.endswith(COMPRESSED_ALREADY) else len(gzip.compress(content))


def _plain(name: str) -> str:
    """The name of a file without the mark of its content."""
    return re.sub(r"\.[0-9a-f]{12}(\.\w+)$", r"\1", name)
