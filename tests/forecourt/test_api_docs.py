"""The readable documentation of the API: everything that programs read, for everyone, in and out of the frame."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from typing import Any

import pytest
from django.test import Client

from forecourt.api_docs import marked, scope_of
from tenants.api_keys import SCOPES
from tests.factories import Cast


def schema(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.get("/api/v1/schema?format=json").content)
    return found


@pytest.mark.django_db
def test_every_operation_of_the_document_is_on_the_page(client: Client) -> None:
    page = unescape(client.get("/api/docs").content.decode())
    operations = [
        (path, method, operation)
        for path, methods in schema(client)["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) >= 10
    for path, method, operation in operations:
        assert f'id="{operation["operationId"]}"' in page
        assert f'href="#{operation["operationId"]}"' in page
        section = page.split(f'id="{operation["operationId"]}"')[1].split("</section>")[0]
        assert f"<code>{path}</code>" in section
        assert f">{method.upper()}</span>" in section
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in section


@pytest.mark.django_db
def test_every_scope_is_explained_and_stands_beside_what_needs_it(client: Client) -> None:
    page = unescape(client.get("/api/docs").content.decode())
    for scope, meaning in SCOPES.items():
        assert f"<code>{scope}</code></dt><dd>{meaning}</dd>" in page
    usage = page.split('id="usage_list"')[1].split("</section>")[0]
    assert "scope <code>usage:read</code>" in usage
    enrol = page.split('id="enrol"')[1].split("</section>")[0]
    assert "no API key is asked for" in enrol
    assert "Authorization" not in enrol


@pytest.mark.django_db
def test_every_example_is_a_call_that_a_shell_understands(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    examples = [
        unescape(found) for found in re.findall(r'<pre class="cmd" tabindex="0"><code>(.*?)</code>', page, re.DOTALL)
    ]
    assert len(examples) >= 11
    for example in examples:
        words = shlex.split(example)
        assert words[0] == "curl"
        assert any("/api/v1/" in word for word in words)
        if "-d" in words:
            assert json.loads(words[words.index("-d") + 1])
    [events] = [example for example in examples if "-d '[" in example]
    body = json.loads(shlex.split(events)[-1])
    assert set(body[0]) == {"id", "source", "occurred_at", "model", "input", "output"}


@pytest.mark.django_db
def test_members_of_members_are_listed_below_them(client: Client) -> None:
    page = unescape(client.get("/api/docs").content.decode())
    usage = page.split('id="usage_list"')[1].split("</section>")[0]
    assert re.search(r'class="d0"><code>usage</code>', usage)
    assert re.search(r'class="d1"><code>witness</code>', usage)


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_what_is_told_apart_by_kind_names_the_kinds_and_has_an_example(client: Client) -> None:
    page = unescape(client.get("/api/docs").content.decode())
    drafting = page.split('id="contracts_create"')[1].split("</section>")[0]
    assert "object, by its kind: lease | on_demand | " in drafting
    assert '"wording": {"kind": "lease"}' in drafting


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_signed_out_it_stands_alone_and_offers_to_sign_in(client: Client) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert "portal/bare.html" in [template.name for template in page.templates]
    assert b"/sign-in/?next=/api/docs" in page.content


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.django_db
def test_signed_in_it_is_a_page_of_the_portal(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = client.get("/api/docs")
    assert "portal/base.html" in [template.name for template in page.templates]
    assert cast.tenant.name in page.content.decode()
    assert b"next=/api/docs" not in page.content
    assert client.post("/api/docs").status_code == 405


def test_backticks_are_code_and_markup_is_text() -> None:
    assert marked("read `a<b` & go") == "read <code>a&lt;b</code> &amp; go"
    assert marked("") == ""


def test_the_scope_is_that_of_the_view() -> None:
    assert scope_of("/api/v1/usage", "get") == "usage:read"
    assert scope_of("/api/v1/invoices/{invoice_id}", "get") == "invoices:read"
    assert scope_of("/api/v1/enrol", "post") == ""
    assert scope_of("/api/v1/nowhere", "get") == ""
