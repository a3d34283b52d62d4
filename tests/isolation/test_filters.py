"""No filter, search, page or file shows another organization's rows, whatever of theirs it is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from django.test import Client

from tests.api.published import published
from tests.filled import MODEL, Filled, api_key, fill
from tests.isolation.addresses import ADDRESSES, Address
from tests.isolation.test_addresses import content_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.factories import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.unmeasured]

ROOT: Final = Path(__file__).parents[2]
READ: Final = re.compile(r"""GET(?:\.get\(|\[|\.getlist\()"([a-z_]+)\"""")
THEIRS: Final = {
    "action": "quartz",
    "actor": "petra@example.com",
    "book": "{book}",
    "budget_id": "{budget}",
    "by_key": "true",
    "card": "{card}",
    "cluster": "{cluster}",
    "contract": "{contract}",
    "deployment": "{deployment id}",
    "endpoint_id": "{deployment}",
    "external_subscription_id": "{contract}",
    "first_day": "2026-03-01",
    "from": "2026-03-01T00:00:00Z",
    "id": "r-1",
    "invoice": "{number}",
    "key": "quartz",
    "last_day": "2026-03-31",
    "line": "1",
    "meter": "{meter}",
    "model": MODEL,
    "node": "{node}",
    "price_book_id": "{book}",
    "profile": "quartz",
    "project": "{budget}",
    "provider": "provider",
    "q": "quartz",
    "reporter": "{node}",
    "search": "quartz",
    "source": "quartz",
    "subject": "{number}",
    "tenant": "tenant",
    "to": "2026-04-01T00:00:00Z",
    "updated_since": "2020-01-01T00:00:00Z",
}
"""What filters are asked for: all that the tenant and the provider of the cast have, by name or by id."""
PLAIN: Final = {
    *("after", "at", "at_from", "at_to", "back", "by", "class", "count", "currency", "cursor", "day", "days"),
    *("gpus", "granularity", "group_by", "issued_from", "issued_to", "kind", "language", "limit", "month", "next"),
    *("open", "page", "percent", "price_per_gpu_hour", "rent_per_month", "role", "rule", "rules", "share_percent"),
    *("share_permille", "show", "side", "state", "status", "syntax", "tz", "view", "witness"),
}
"""Parameters that name nothing of an organization's: times, figures, states and places in a list."""


NOBODYS: Final = ("handbook", "api-schema", "api-docs", "api-section", "account", "shortcuts")
"""Pages that are the same for every organization."""


def asked_by_pages() -> set[str]:
    """Every name that a page reads from its address."""
    found: set[str] = set()
    for app in ("billing", "clusters", "forecourt", "metering", "tenants"):
        for file in (ROOT / app).rglob("*.py"):
            found |= set(READ.findall(file.read_text(encoding="utf-8")))
    return found


def asked_by_programs() -> dict[str, set[str]]:
    """The parameters of each read of the API, by its path."""
    return {
        path: {one["name"] for one in methods["get"].get("parameters", []) if one["in"] == "query"}
        for path, methods in published()["paths"].items()
        if "get" in methods
    }


def test_every_filter_is_known_here() -> None:
    names = asked_by_pages().union(*asked_by_programs().values())
    assert names - set(THEIRS) - PLAIN == set(), "does it name something of an organization's?"
    assert (set(THEIRS) | PLAIN) - names <= {"by_key", "endpoint_id", "profile"}


def own_lists(caller: str) -> Iterator[Address]:
    """What an outsider's own addresses are: those that name nothing, and are answered."""
    names = set()
    for address in ADDRESSES:
        is_own = address.method == "get" and not address.arguments and address.expected[caller] in (200, 400, 422)
        if is_own and address.name not in names and not address.name.startswith(NOBODYS):
            names.add(address.name)
            yield address


def leaks(client: Client, address: Address, filled: Filled, query: dict[str, str]) -> list[str]:
    answer = client.get(address.path(filled), query)
    assert answer.status_code in (200, 302, 400, 404, 422), f"{address}: {answer.status_code}"
    text, asked = text_of(content_of(answer)), " ".join(query.values())
    return [word for word in filled.words if word in text and word not in asked]


def test_an_outsiders_pages_and_files_stay_its_own(cast: Cast) -> None:
    filled = fill(cast)
    named = filled.places
    theirs = {name: value.format(**named) for name, value in THEIRS.items()}
    client = Client()
    client.force_login(cast.charlie)
    found, asked = {}, 0
    for address in own_lists("charlie"):
        asked += 1
        if shown := leaks(client, address, filled, theirs):
            found[str(address)] = shown
    assert asked > 80
    assert not found


def test_an_outsiders_lists_of_the_api_stay_its_own(cast: Cast) -> None:
    filled = fill(cast)
    named, takes = filled.places, asked_by_programs()
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.outsider)}"})
    found, asked = {}, 0
    for address in own_lists("outsider key"):
        filters = takes.get(address.path(filled), set())
        query = {name: value.format(**named) for name, value in THEIRS.items() if name in filters}
        asked += 1
        answer = client.get(address.path(filled), query, headers={"Accept": "text/csv"} if "limit" in filters else {})
        assert answer.status_code in (200, 400, 404, 406, 422), f"{address}: {answer.status_code}"
        text = text_of(content_of(answer))
        shown = [word for word in filled.words if word in text and word not in query.values()]
        if shown:
            found[str(address)] = shown
    assert asked > 40
    assert not found


def test_whose_they_are_finds_them_by_the_same_filters(cast: Cast) -> None:
    """The tests above can fail: those whose rows they are find them so."""
    filled = fill(cast)
    theirs = {name: value.format(**filled.places) for name, value in THEIRS.items()}
    client = Client()
    client.force_login(cast.petra)
    assert leaks(client, Address("provider-invoices", {}), filled, {"q": "INV"})
    assert leaks(client, Address("provider-occupancy", {}), filled, {"cluster": theirs["cluster"]})
    assert leaks(client, Address("provider-audit", {}), filled, {"actor": ""})
