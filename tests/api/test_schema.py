"""The OpenAPI document is valid and complete, and nothing that a client can send makes the API fail."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular import validation
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from jsonschema_rs import Draft202012Validator
from rest_framework import serializers
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing.banking.csv_statement import OPTIONAL, REQUIRED
from forecourt.api_schema import REFUSALS
from forecourt.wsgi import application
from tenants.api_keys import SCOPES
from tenants.closed_shapes import ClosedSerializer
from tenants.problem_response import CONTENT_TYPE
from tests.api.published import published
from tests.filled import api_key, fill
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.factories import Cast
    from tests.filled import Filled

EXAMPLES_PER_OPERATION = int(os.environ.get("API_EXAMPLES", "2"))
"""Few in every run of the tests; who looks further sets more."""
OPERATIONS_MIN = 11


def plainly(environ: dict[str, Any], start_response: Any) -> Any:
    """The application to a client that takes nothing compressed: schemathesis asks for gzip and does not inflate it."""
    return application({**environ, "HTTP_ACCEPT_ENCODING": "identity"}, start_response)


LACKING = {"top_ups_not_taken"}
"""Codes of 503 by which a call says that this installation lacks what it needs: here a key of Stripe's."""


def not_a_fault(context: Any, answer: Any, case: schemathesis.Case[Any]) -> bool | None:
    """No server error: not one of 503 either, by which the database's refusals are answered."""
    if answer.status_code == 503 and answer.json()["code"] in LACKING:
        return None
    return not_a_server_error(context, answer, case)


CHECKS = [not_a_fault, status_code_conformance, content_type_conformance, response_schema_conformance]
OPENAPI = Draft202012Validator(json.loads((Path(validation.__file__).parent / "openapi_3_1_schema.json").read_text()))
"""The schema of such documents that OpenAPI publishes."""
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as a program gets it."""
    return published()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert [f"{one.instance_path}: {one.message}" for one in OPENAPI.iter_errors(document)] == []


def test_a_document_that_is_not_valid_is_found_out() -> None:
    document = published()
    first = next(iter(document["paths"].values()))
    first["get"] = {"responses": {"200": {"content": {}}}}
    document["components"]["securitySchemes"]["apiKey"]["type"] = "word"
    found = {"/".join(map(str, one.instance_path)) for one in OPENAPI.iter_errors(document)}
    assert any(path.endswith("responses/200") for path in found), found
    assert any(path.startswith("components/securitySchemes/apiKey") for path in found), found


def test_who_asks_for_yaml_gets_yaml() -> None:
    answer = Client().get("/api/v1/schema", headers={"Accept": "application/yaml"})
    assert answer.content.startswith(b"openapi: 3.1.0")
    assert "yaml" in answer.headers["Content-Type"]


def test_every_address_of_the_api_is_in_it(document: dict[str, Any]) -> None:
    def walk(patterns: list[Any], before: str) -> Iterator[str]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, before + str(one.pattern))
            elif isinstance(one, URLPattern):
                yield before + str(one.pattern)

    argument = re.compile(r"<[a-z]+:([a-z_]+)>")
    served = {"/" + argument.sub(r"{\1}", path) for path in walk(get_resolver().url_patterns, "")}
    expected = {path for path in served if path.startswith("/api/v1/")} - {"/api/v1/schema"}
    assert set(document["paths"]) == expected


def test_every_operation_says_what_it_is(document: dict[str, Any]) -> None:
    found = list(operations(document))
    assert len(found) >= OPERATIONS_MIN
    for path, method, operation in found:
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        assert operation["tags"], (path, method)
        for parameter in operation.get("parameters", []):
            told = parameter.get("description") or parameter["in"] == "path" or "enum" in parameter["schema"]
            assert told, (path, parameter["name"])
    identifiers = [operation["operationId"] for _, _, operation in found]
    assert len(set(identifiers)) == len(identifiers)


def test_every_operation_names_its_errors_as_problem_documents(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        by_key = {"401", "403"} if operation.get("security") else set()
        errors = {status: one for status, one in operation["responses"].items() if status[0] not in "23"}
        assert {"400", "503", "default"} | by_key <= set(errors), (path, method)
        for status, error in errors.items():
            assert error["description"], (path, status)
            assert set(error["content"]) == {CONTENT_TYPE}, (path, status)
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "code", "detail"}
    assert set(REFUSALS) == {"400", "401", "403", "404", "412", "429", "503", "default"}


def named_in(part: Any) -> set[str]:
    """The shapes that a part of the document names, not those within them."""
    if isinstance(part, list):
        return set().union(*map(named_in, part)) if part else set()
    if not isinstance(part, dict):
        return set()
    own = {str(part["$ref"]).rsplit("/", 1)[1]} if "$ref" in part else set()
    return own.union(*map(named_in, part.values()))


def test_no_body_may_hold_a_field_that_nobody_reads(document: dict[str, Any]) -> None:
    shapes = document["components"]["schemas"]
    sent = set().union(*(named_in(one.get("requestBody", {})) for _, _, one in operations(document)))
    waiting = list(sent)
    while waiting:
        within = named_in(shapes[waiting.pop()]) - sent
        sent |= within
        waiting += within
    closed = {one.__name__.removesuffix("Serializer") for one in all_below(ClosedSerializer)}
    objects = {name for name in sent if shapes[name].get("type") == "object"}
    # Wordings are read by structs, which say so themselves: `billing.agreements.wording_shapes`.
    by_structs = {name for name in objects if "Wording" in name and shapes[name]["additionalProperties"] is False}
    open_shapes = {name.removeprefix("Patched") for name in objects - by_structs} - closed
    # Events are read by a reader of their own, which refuses unknown fields too: `tests/metering/test_events.py`.
    assert open_shapes == {"Event"}


def test_every_body_that_is_sent_says_what_each_of_its_fields_holds(document: dict[str, Any]) -> None:
    shapes = document["components"]["schemas"]
    waiting = list(set().union(*(named_in(one.get("requestBody", {})) for _, _, one in operations(document))))
    seen: set[str] = set()
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            assert not list(untold(shapes[name], name))
            waiting += named_in(shapes[name])
    assert {"ProposedChange", "Wording", "TokenShareWording"} <= seen


def test_no_answer_holds_what_nobody_describes(document: dict[str, Any]) -> None:
    assert [place for name, shape in document["components"]["schemas"].items() for place in untold(shape, name)] == []


BY_ID = {
    ("Change", "slices"),
    ("Change", "deployments"),
    ("ProposedChange", "slices"),
    ("ProposedChange", "deployments"),
}
"""Lists of ids within what both parties agreed, whose words are hashed."""
OF_AGENTS = {("Enrolled", "node")}
"""Of the wire between agents and servers, which may be of other versions."""


def test_an_id_says_so_by_its_name_and_a_thing_s_own_name_is_never_one(document: dict[str, Any]) -> None:
    """`invoice` was an id in some answers and a number in others and in webhooks."""
    said = {
        (name, field): json.dumps(holds)
        for name, shape in document["components"]["schemas"].items()
        for field, holds in shape.get("properties", {}).items()
    }
    assert len(said) > 1_000
    by_id = {place for place, holds in said.items() if '"uuid"' in holds}
    assert {one for one in by_id if not re.search(r"(^|_)ids?$", one[1])} == BY_ID | OF_AGENTS
    for name, operation in document["webhooks"].items():
        content = operation["post"]["requestBody"]["content"]["application/json"]["schema"]
        for field, holds in content["properties"]["data"]["properties"].items():
            assert (holds.get("format") == "uuid") == bool(re.search(r"(^|_)id$", field)) or field == "subject_id", name
    asked = {
        (parameter["name"], path)
        for path, _, one in operations(document)
        for parameter in one.get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("format") == "uuid"
    }
    assert {one for one in asked if not one[0].endswith("_id")} == set()


@pytest.mark.usefixtures("kept_connection")
def test_who_is_named_by_slug_is_so_everywhere(cast: Cast, filled: Filled) -> None:
    """A party's name for people stands beside it, as `tenant_name`."""
    client = Client(headers={"Authorization": f"Bearer {api_key(cast.tenant)}"})
    parties = {"tenant": cast.tenant.slug, "provider": cast.provider.slug, "issuer": cast.provider.slug}
    seen = set()
    for path in ("contracts", "invoices", "drafts", "leases", "payments", "credit-notes"):
        (rows,) = (each for each in client.get(f"/api/v1/{path}").json().values() if isinstance(each, list))
        for row in rows:
            named = row.keys() & parties.keys()
            seen |= {(path, name) for name in named}
            assert {name: row[name] for name in named} == {name: parties[name] for name in named}, path
    assert {("contracts", "tenant"), ("invoices", "issuer"), ("leases", "provider")} <= seen


def test_a_bank_statement_names_the_columns_that_are_read(document: dict[str, Any]) -> None:
    said = document["components"]["schemas"]["BankStatementRequest"]["properties"]["document"]["description"]
    assert all(name in said for name in (*REQUIRED, *OPTIONAL))


def untold(part: Any, place: str) -> Iterator[str]:
    """Where within a shape anything at all would do."""
    if part == {}:
        yield place
    for key, each in part.items() if isinstance(part, dict) else enumerate(part if isinstance(part, list) else ()):
        if key not in ("default", "example"):
            yield from untold(each, f"{place}.{key}")


def test_csv_is_an_answer_of_reads_alone(document: dict[str, Any]) -> None:
    by_csv = {
        method
        for _, method, one in operations(document)
        for answer in one["responses"].values()
        if "text/csv" in answer.get("content", {})
    }
    assert by_csv == {"get"}


def all_below(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from all_below(one)


def test_keys_are_bearers_with_scopes(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["apiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert all(scope in scheme["description"] for scope in SCOPES)
    open_to_all = {path for path, _, operation in operations(document) if not operation.get("security")}
    assert open_to_all == {"/api/v1/enrol", "/api/v1/batches", "/api/v1/node-keys", "/api/v1/chain"}


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """The WSGI application would close the connection after each request, and with it the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_refused_key_gets_the_problem_that_the_document_promises(
    document: dict[str, Any], cast: Cast, status: str
) -> None:
    secret = api_key(cast.tenant, ()) if status == "403" else "fk_unknown"
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    for path, method, operation in operations(document):
        if operation.get("security") and "{" not in path:
            answer = getattr(client, method)(path)
            assert str(answer.status_code) == status, path
            assert answer.headers["Content-Type"] == CONTENT_TYPE
            assert set(answer.json()) >= {"type", "title", "status", "code", "detail"}


def ids_of(filled: Filled) -> dict[str, str]:
    """Parts of addresses by which something of the filled world is found."""
    return {
        "budget_id": filled.budgets["budget"],
        "account_id": filled.books["account"],
        "posting_id": filled.books["posting"],
        "contract_id": str(filled.lease.contract_id),
        "draft_id": str(filled.draft.id),
        "invoice_id": str(filled.invoice.id),
        "line_id": str(filled.movement.id),
        "node_id": str(filled.node.id),
        "number": filled.invoice.contract.number,
        "quote_id": str(filled.quote.id),
        "ref": filled.lease.ref,
        "session_id": str(filled.session.id),
        "statement_id": str(filled.stated.id),
        "version_id": str(filled.notice.version_id),
    }


filled = kept(fill)


def test_ids_that_are_there_stand_in_addresses(document: dict[str, Any], filled: Filled) -> None:
    named = {name for path in document["paths"] for name in re.findall(r"{(\w+)}", path)}
    assert len(set(ids_of(filled)) & named) >= 9


@pytest.fixture
def same_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypothesis tries words of the modules that are loaded, slowly: those are others beside other tests."""
    monkeypatch.setattr(providers, "_get_local_constants", Constants)
    providers.CONSTANTS_CACHE.cache.clear()


@pytest.mark.unmeasured
@pytest.mark.usefixtures("kept_connection", "same_examples")
@pytest.mark.parametrize("mode", GenerationMode)
def test_nothing_a_client_sends_makes_the_api_fail(
    document: dict[str, Any], cast: Cast, filled: Filled, mode: GenerationMode
) -> None:
    there = ids_of(filled)
    secrets = [api_key(one) for one in (cast.tenant, cast.provider, cast.outsider, cast.operator)]
    schema = schemathesis.openapi.from_dict(document)
    schema.app, schema.location = plainly, "/api/v1/schema"
    tried = 0
    refused: set[str] = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        cases = result.ok().as_strategy(generation_mode=mode)

        @settings(
            max_examples=EXAMPLES_PER_OPERATION,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, secret=st.sampled_from(secrets), existing=st.sampled_from((True, False)))
        def call(case: schemathesis.Case[Any], secret: str, existing: bool) -> None:
            if existing:
                case.path_parameters.update({name: there[name] for name in case.path_parameters if name in there})
            case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS)
            # A wrong call is refused anyhow, and what a right one says besides is not read before its key.
            if mode.is_positive and case.operation.label not in refused:
                refused.add(case.operation.label)
                answer = case.call_and_validate(checks=CHECKS)
                assert answer.status_code >= 400, "nothing is told, and nothing done, without a key"

        call()
        tried += 1
    assert tried >= OPERATIONS_MIN
    assert len(refused) == (tried if mode.is_positive else 0)


def test_every_shape_has_a_name_of_its_own() -> None:
    get_resolver().url_patterns  # noqa: B018  reading it imports every module with addresses
    # A shape that is made of two others is found by each.
    names = Counter(shape.__name__ for shape in {*_shapes(serializers.Serializer)} if not _is_foreign(shape))
    assert [name for name, count in names.items() if count > 1] == []


def _shapes(of: type[Any]) -> Iterator[type[Any]]:
    for shape in of.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _is_foreign(shape: type[Any]) -> bool:
    return shape.__module__.split(".")[0] not in {"billing", "clusters", "metering", "tenants", "forecourt"}
