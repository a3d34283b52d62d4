"""Every page and list asks the database a bounded number of questions, however many rows there are, and is small."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.charging import ensure_periods
from billing.closing import close_period
from clusters.models import Cluster
from metering.models import UsageGap
from portal.selects import zone_names
from tenants.models import Membership, Organization
from tests.billing.world import APRIL, MARCH, make_world
from tests.english_left import english_left
from tests.factories import make_user
from tests.filled import DAY, REASON, api_key, fill
from tests.isolation.filed_pages import WITHOUT_FILE, lacks_file, lacks_table
from tests.kept import kept, undone
from tests.narrow_marks import narrow_marks
from tests.read_pages import query_of, read_addresses, readers, wire_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.test import Client

    from tests.factories import Cast
    from tests.filled import Filled

# The usage page reads two windows, to compare them.
QUERIES_MAX = 80
# Made by typesetting and checked files, which are kept: no page of the portal.
DOCUMENTS = ("-pdf", "-document", "-xml", "-zip", "api-schema")
# Written invoice by invoice, so that a year's export needs the memory of one: so many questions for each.
BY_INVOICE = ("api-exports-focus", "provider-exports-focus", "tenant-exports-focus")
QUERIES_OF_AN_INVOICE_MAX = 3
INVOICES_ADDED = 2
# That a key or a session was used is noted once in some minutes, which may end while the addresses are asked.
NOTES_OF_USE = ('UPDATE "tenants_apikey"', 'UPDATE "usersessions_usersession"')
WIRE_BYTES_MAX = 100 * 1024
IN_ENGLISH = ("handbook-page",)
# What everybody calls so in any language, and what this world calls its rows.
NAMES = (
    "Bearer", "Forecourt", "forecourt", "doctor", "Stripe Tax", "Stripe", "Webhook", "webhook", "OpenID Connect",
    "Keycloak", "Entra", "Okta", "Google", "Workspace", "Issuer", "Beancount", "English", "Enter", "https", "vllm",
)  # fmt: skip
GIVEN = (
    "Provider", "Tenant", "Operator", "Outsider", "Petra", "Alice", "Olga", "Paul", "Bob", "Quartz site", "Book",
    "Quartz service", "Sample deployment", "Sample Compute", "Payer Ltd", "quartz budget", "quartz limit", REASON,
)  # fmt: skip
# By a part of the address: short names, columns of files, actors and beginnings of actions, which nobody translates.
AS_STORED = {
    "-keys": {"sample"},
    "-audit": {"tests", "statements", "member"},
    "-organization": {"tenant", "provider", "operator"},
    "-projects": {"key"},
    "-bank": {"amount", "currency", "quartz"},
}


filled = kept(fill)


def grow(cast: Cast, rounds: int) -> None:
    """More of everything that pages list: contracts, leases, nodes, models, hours, invoices, gaps, people, keys."""
    for number in range(rounds):
        models = [f"agate-{number}-{size}" for size in range(2)]
        prices = {(model, token_class): "0.30" for model in models for token_class in ("input", "output")}
        world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
        for model in models:
            shared = world.share(model=model, rolled_to_at=APRIL)
            for day in range(3):
                shared.use({"input": 3_000, "output": 500}, at=MARCH + day * DAY, model=model)
        world.lease(2, rolled_to_at=APRIL)
        ensure_periods(contract=world.contract, now=MARCH)
        assert close_period(period_id=world.period().id, now=APRIL + DAY).invoice is not None
        gap = {"subject": "node", "reason": "node_silent", "from_at": MARCH, "to_at": MARCH + timedelta(hours=1)}
        UsageGap.objects.create(node=world.nodes[0], **gap)
        for organization in (cast.tenant, cast.provider):
            make_user(f"person-{Cluster.objects.count()}@{organization.slug}.example.com", organization)
            api_key(organization)


WORDS: Final = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
LISTS: Final = re.compile(r"\?(?:::\w+)?(?:, \?(?:::\w+)?)+")


def shapes(statements: Iterable[str]) -> Counter[str]:
    """How often each question is asked, whatever it is asked about and about how many at once."""
    return Counter(LISTS.sub("?", WORDS.sub("?", one)) for one in statements if not one.startswith(NOTES_OF_USE))


def look(
    clients: dict[str, Client], filled: Filled, chosen: set[str] | None = None
) -> tuple[dict[str, Counter[str]], dict[str, bytes]]:
    """What each address asks the database, and each page; those `chosen`, or all."""
    asked: dict[str, Counter[str]] = {}
    pages: dict[str, bytes] = {}
    for caller, address in read_addresses():
        if address.name.endswith(DOCUMENTS) or (chosen is not None and str(address) not in chosen):
            continue
        with CaptureQueriesContext(connection) as captured:
            answer = clients[caller].get(address.path(filled), query_of(address, filled))
            content = b"".join(answer) if answer.streaming else answer.content
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        asked[str(address)] = shapes(query["sql"] for query in captured)
        if answer["Content-Type"].startswith("text/html"):
            pages[str(address)] = content
    return asked, pages


def named_twice(page: bytes) -> set[str]:
    """The ids that more than one element of a page has."""
    return {name for name, count in Counter(re.findall(r'<[^>]*?\sid="([^"]+)"', page.decode())).items() if count > 1}


def more_allowed(name: str) -> int:
    """How many questions more an address may ask once there are more rows."""
    return INVOICES_ADDED * QUERIES_OF_AN_INVOICE_MAX if any(one in name for one in BY_INVOICE) else 0


def stored_words(name: str) -> set[str]:
    """Words that stand on a page as they are stored."""
    return set(zone_names()).union(*(words for part, words in AS_STORED.items() if part in name))


@pytest.mark.unmeasured
def test_no_page_asks_more_or_grows_too_large_with_more_rows(cast: Cast, filled: Filled) -> None:
    """A question for each row is the same question again: who asks none twice of many rows asks as much of few.

    The pages are Chinese ones, which say nothing in English. Their lists can be saved, and their charts be read.
    """
    clients = readers(cast)
    for client in clients.values():
        client.cookies["django_language"] = "zh-hans"
    grow(cast, 1)
    with undone():
        grow(cast, INVOICES_ADDED)
        look(clients, filled, {"get health-live"})  # what closing left to ask is asked with whatever comes next
        many, pages = look(clients, filled)
    assert len(many) > 250, "few addresses were asked: who reads them?"
    again = {name for name, asked in many.items() if max(asked.values(), default=0) > 1}
    few, _ = look(clients, filled, again)
    assert few.keys() == again
    counts = {name: (few[name].total(), many[name].total()) for name in again}
    assert not {name: both for name, both in counts.items() if both[1] > both[0] + more_allowed(name)}
    assert not {name: asked.total() for name, asked in many.items() if asked.total() > QUERIES_MAX}
    spoken = {name: page.decode() for name, page in pages.items() if not any(one in name for one in IN_ENGLISH)}
    left = {name: english_left(page, (*NAMES, *GIVEN)) - stored_words(name) for name, page in spoken.items()}
    assert not any(left.values()), "\n".join(f"{name}: {words}" for name, words in left.items() if words)
    narrow = {name: narrow_marks(page) for name, page in spoken.items()}
    assert not any(narrow.values()), "\n".join(f"{name}: {marks}" for name, marks in narrow.items() if marks)
    shown = {name.split()[1]: page.decode() for name, page in pages.items()}
    assert {name for name, page in shown.items() if lacks_file(page)} - set(IN_ENGLISH) == set(WITHOUT_FILE)
    assert {name for name, page in shown.items() if lacks_table(page)} == set()
    sent = {name: sum(wire_bytes(page).values()) for name, page in pages.items()}
    assert sent
    assert not {name: count for name, count in sent.items() if count > WIRE_BYTES_MAX}
    assert not {name: found for name, page in pages.items() if (found := named_twice(page))}, "labels lead to the first"


def test_a_question_for_each_row_is_told_from_one_for_all(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as each:
        people = [Membership.objects.filter(organization=one).count() for one in Organization.objects.order_by("slug")]
        named = [len(Organization.objects.filter(name=f"it's {number}", slug=str(number))) for number in range(3)]
    assert len(people) > 2
    asked = shapes(query["sql"] for query in each)
    assert sorted(asked.values()) == [1, len(named), len(people)], asked
    with CaptureQueriesContext(connection) as at_once:
        some = list(Organization.objects.filter(pk__in=[1, 2, 3]))
        more = list(Organization.objects.prefetch_related("memberships"))
    assert len(some) < len(more)
    asked = shapes(query["sql"] for query in at_once)
    assert set(asked.values()) == {1}, asked
    assert len(asked) == 3


def test_an_id_that_two_elements_have_is_found() -> None:
    page = b'<section id="buy"><label for="buy">Buy</label><input name="x" id="buy"><b data-id="a"><b data-id="a">'
    assert named_twice(page) == {"buy"}
    assert named_twice(page.replace(b"<section id", b"<section name")) == set()


def test_lists_of_any_length_are_one_question() -> None:
    assert shapes(["SELECT a FROM b WHERE c IN (1, 2)", "SELECT a FROM b WHERE c IN ('x', 'it''s', 'z')"]).total() == 2
    assert len(shapes(["SELECT a FROM b WHERE c IN (1, 2)", "SELECT a FROM b WHERE c IN ('x', 'it''s', 'z')"])) == 1
    assert len(shapes(["SELECT a FROM b WHERE c = 1", "SELECT a FROM b WHERE d = 1"])) == 2
    assert not shapes([f"{NOTES_OF_USE[0]} SET used_at = 1"])


def test_what_a_page_brings_counts_its_styles_scripts_and_fonts(client: Client) -> None:
    sent = wire_bytes(client.get("/account/login/", follow=True).content)
    kinds = {name.rpartition(".")[2] for name in sent if name != "page"}
    assert {"css", "woff2"} <= kinds
    assert all(count > 0 for count in sent.values())


def test_a_file_that_is_not_there_is_no_small_file() -> None:
    with pytest.raises(FileNotFoundError):
        wire_bytes(b'<link rel="stylesheet" href="/static/portal/css/nowhere.css">')
