"""What is added to the OpenAPI document: errors by what an operation is, keys, and the agents' address."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from forecourt.api_schema import BATCHES_PATH, PROBLEM_REF, ApiKeyScheme, complete
from metering.wire import HEADER_NODE, HEADER_SIGNATURE
from tenants.problem_response import CONTENT_TYPE


def completed(operation: dict[str, Any], path: str = "/api/v1/things") -> dict[str, Any]:
    document: dict[str, Any] = {"components": {"schemas": {}}, "paths": {path: {"get": operation}}}
    return complete(document, generator=None, request=None, public=True)


@pytest.mark.parametrize(
    ("operation", "path", "errors"),
    [
        ({}, "/api/v1/things", {"400", "default"}),
        ({"security": [{"apiKey": []}]}, "/api/v1/things", {"400", "401", "403", "default"}),
        ({}, "/api/v1/things/{id}", {"400", "404", "default"}),
        ({"requestBody": {}}, "/api/v1/things", {"400", "404", "default"}),
    ],
)
def test_errors_follow_from_what_an_operation_is(operation: dict[str, Any], path: str, errors: set[str]) -> None:
    document = completed({**operation, "responses": {"200": {"description": "Things."}}}, path)
    responses = document["paths"][path]["get"]["responses"]
    assert set(responses) == {"200", "304", "429", "503"} | errors
    assert responses["default"]["content"] == {CONTENT_TYPE: {"schema": PROBLEM_REF}}


def test_a_read_names_its_tag_and_what_is_left_of_the_limit() -> None:
    document = completed({"responses": {"200": {"description": "Things."}}})
    operation = document["paths"]["/api/v1/things"]["get"]
    told = operation["responses"]["200"]["headers"]
    assert set(told) == {"ETag", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
    assert {one["$ref"].rpartition("/")[2] for one in told.values()} <= set(document["components"]["headers"])
    assert [one["name"] for one in operation["parameters"]] == ["If-None-Match"]
    reports = document["paths"][BATCHES_PATH]["post"]
    assert "429" not in reports["responses"]
    assert "headers" not in reports["responses"]["200"]


def test_a_change_of_what_is_read_may_name_what_it_changes() -> None:
    result: dict[str, Any] = {"components": {"schemas": {}}, "paths": {"/api/v1/things": {}, "/api/v1/words": {}}}
    for method in ("get", "put", "post"):
        result["paths"]["/api/v1/things"][method] = {"responses": {"200": {"description": "Things."}}}
    result["paths"]["/api/v1/words"]["put"] = {"responses": {"200": {"description": "Words."}}}
    document = complete(result, None, None, public=True)["paths"]
    things = document["/api/v1/things"]
    assert [one["name"] for one in things["put"]["parameters"]] == ["If-Match"]
    assert {method for method, one in things.items() if "412" in one["responses"]} == {"put"}
    assert "412" not in document["/api/v1/words"]["put"]["responses"], "it is not read, so it has no ETag"


def test_an_error_that_a_view_describes_itself_stays() -> None:
    own = {"description": "Its own words."}
    document = completed({"responses": {"400": own}})
    assert document["paths"]["/api/v1/things"]["get"]["responses"]["400"] is own


def test_the_agents_address_is_described() -> None:
    operation = completed({"responses": {}})["paths"][BATCHES_PATH]["post"]
    required = {one["name"] for one in operation["parameters"] if one["required"]}
    assert required == {HEADER_NODE, HEADER_SIGNATURE}
    assert {"200", "401", "404", "409", "413", "503", "400", "default"} == set(operation["responses"])
    assert "security" not in operation


def test_addresses_stand_in_order() -> None:
    document = completed({"responses": {}}, "/api/v1/aaa")
    paths = list(document["paths"])
    assert paths == sorted(paths)
    assert {"/api/v1/aaa", BATCHES_PATH} < set(paths)


def test_the_scheme_is_known_once_the_addresses_are_loaded() -> None:
    import_module(settings.ROOT_URLCONF)
    registered: Any = OpenApiAuthenticationExtension
    assert ApiKeyScheme in registered._registry
