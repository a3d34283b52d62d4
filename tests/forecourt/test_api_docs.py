"""The readable documentation of the API: everything that programs read, for everyone, in and out of the frame."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape

import pytest
from django.test import Client

from forecourt.api_sections import TAGS
from tenants.api_keys import SCOPES
from tests.api.published import published
from tests.factories import Cast
from tests.read_pages import wire_bytes

WIRE_BYTES_MAX = 100_000


def page_of(client: Client, section: str) -> str:
    return unescape(client.get(f"/api/docs/{section}").content.decode())


def part(page: str, anchor: str) -> str:
    return page.split(f'<section class="card op" id="{anchor}"')[1].split("</section>")[0]


@pytest.mark.django_db
def test_every_operation_of_the_document_is_on_the_page_of_its_section(client: Client) -> None:
    contents = unescape(client.get("/api/docs").content.decode())
    pages = {tag.name: page_of(client, tag.name) for tag in TAGS}
    operations = [
        (path, method, operation)
        for path, methods in published()["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) >= 10
    for path, method, operation in operations:
        anchor, section = operation["operationId"], operation["tags"][0]
        # Where the page of all of them had it, the list of all of them has it.
        assert f'<li id="{anchor}"><a href="/api/docs/{section}#{anchor}">' in contents
        assert f'href="#{anchor}"' in pages[section]
        shown = part(pages[section], anchor)
        assert f"<code>{path}</code>" in shown
        assert f">{method.upper()}</span>" in shown
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in shown


@pytest.mark.django_db
def test_every_event_that_is_sent_stands_with_its_body(client: Client) -> None:
    page = page_of(client, "webhooks")
    for kind in published()["webhooks"]:
        shown = part(page, f"event-{kind}")
        example = json.loads("{" + shown.split("<code>{")[1].split("</code>")[0])
        assert example["type"] == kind
        assert example["data"]
        assert "<code>webhook-signature</code>" in shown


@pytest.mark.django_db
def test_a_first_visit_of_each_page_stays_light(client: Client) -> None:
    for address in ("/api/docs", *(f"/api/docs/{tag.name}" for tag in TAGS)):
        sent = wire_bytes(client.get(address).content)
        assert sum(sent.values()) <= WIRE_BYTES_MAX, (address, sent)


@pytest.mark.django_db
def test_every_scope_is_explained_and_stands_beside_what_needs_it(client: Client) -> None:
    contents = unescape(client.get("/api/docs").content.decode())
    for scope, meaning in SCOPES.items():
        assert f"<code>{scope}</code></dt><dd>{meaning}</dd>" in contents
    assert "scope <code>usage:read</code>" in part(page_of(client, "usage"), "usage_list")
    enrol = part(page_of(client, "nodes"), "enrol")
    assert "no API key is asked for" in enrol
    assert "Authorization" not in enrol


@pytest.mark.django_db
def test_every_example_is_a_call_that_a_shell_understands(client: Client) -> None:
    pages = [client.get(f"/api/docs/{tag.name}").content.decode() for tag in TAGS]
    found = [re.findall(r'<pre class="cmd" tabindex="0"><code>(curl.*?)</code>', page, re.DOTALL) for page in pages]
    examples = [unescape(one) for some in found for one in some]
    assert len(examples) >= 250
    for example in examples:
        words = shlex.split(example)
        assert words[0] == "curl"
        assert any("/api/v1/" in word for word in words)
        if "-d" in words:
            assert json.loads(words[words.index("-d") + 1])


@pytest.mark.django_db
def test_members_of_members_are_listed_below_them(client: Client) -> None:
    usage = part(page_of(client, "usage"), "usage_list")
    assert re.search(r'class="d0"><dt><code>usage</code>', usage)
    assert re.search(r'class="d1"><dt><code>witness</code>', usage)


@pytest.mark.django_db
def test_what_is_told_apart_by_kind_names_the_kinds(client: Client) -> None:
    drafting = part(page_of(client, "contracts"), "contracts_create")
    assert "object, by its kind: lease | on_demand | " in drafting


def searched(client: Client, words: str) -> list[str]:
    page = client.get("/api/docs", {"q": words}).content.decode()
    return re.findall(r'<li id="([^"]+)">', page)


@pytest.mark.django_db
def test_a_search_finds_by_title_and_address_and_else_by_fields(client: Client) -> None:
    assert "refunds_create" not in searched(client, "price book")
    assert searched(client, "price-books POST") == ["price_books_create"]
    assert searched(client, "/api/v1/quotes/{quote_id}/RESERVE") == ["quotes_reserve"]
    # No title and no address has it: a field does.
    assert "bank_accounts_create" in searched(client, "iban")
    nothing = client.get("/api/docs", {"q": "<b>zebra"})
    assert b"No operation holds these words" in nothing.content
    assert b"&lt;b&gt;zebra" in nothing.content


@pytest.mark.django_db
def test_a_section_that_is_none_is_not_found(client: Client) -> None:
    assert client.get("/api/docs/zebras").status_code == 404


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_signed_out_it_stands_alone_and_offers_to_sign_in(client: Client) -> None:
    for address in ("/api/docs", "/api/docs/usage"):
        page = client.get(address)
        assert page.status_code == 200
        assert "portal/bare.html" in [template.name for template in page.templates]
        assert f"/sign-in/?next={address}".encode() in page.content


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_signed_in_it_is_a_page_of_the_portal(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    for address in ("/api/docs", "/api/docs/usage"):
        page = client.get(address)
        assert "portal/base.html" in [template.name for template in page.templates]
        assert cast.tenant.name in page.content.decode()
        assert b"next=/api/docs" not in page.content
        assert client.post(address).status_code == 405
