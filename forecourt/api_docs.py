"""The API's documentation as one page, made from the OpenAPI document that programs read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.html import format_html, format_html_join
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from forecourt.api_document import document
from metering.wire import HEADER_SIGNATURE
from portal.parts import Pill
from portal.shell import Crumb
from tenants.api_keys import SCOPES
from tenants.problem_response import CONTENT_TYPE
from tenants.scoping import acting_membership

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

SAMPLE_UUID: Final = "00000000-0000-0000-0000-000000000000"
SAMPLES: Final[dict[str, object]] = {
    "date-time": "2026-03-01T00:00:00Z",
    "date": "2026-03-01",
    "uuid": SAMPLE_UUID,
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": [],
    "object": {},
}
"""What stands for a value of a format or type in an example."""
NESTED_MAX: Final = 2
"""How deep the members of members are listed."""


@dataclass(frozen=True)
class Field:
    """A parameter, or a member of a body or answer: its name, type in words, whether it must be there, meaning.

    `depth` says how far below the top it lies.
    """

    name: str
    place: str
    type: str
    required: bool
    meaning: SafeString
    depth: int = 0


@dataclass(frozen=True)
class Operation:
    """One method of one address; `scope` is what its key must hold, "" where none is asked for."""

    anchor: str
    method: Pill
    path: str
    title: str
    meaning: SafeString
    scope: str
    example: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[tuple[str, SafeString, tuple[Field, ...]], ...]


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show every operation of the API, inside the portal's frame or, signed out, without it."""
    server = settings.PUBLIC_URL.rstrip("/")
    in_frame = acting_membership(request) is not None
    context = {
        "layout": "portal/base.html" if in_frame else "portal/bare.html",
        "in_frame": in_frame,
        "groups": _groups(server),
        "operations": _written(server, get_language()),
        "scopes": SCOPES,
        "server": server,
        "crumbs": (Crumb(_("API")),),
    }
    return render(request, "forecourt/api_docs.html", context)


@cache
def _written(server: str, language: str | None) -> SafeString:  # noqa: ARG001  the words follow it
    """What the page says of the operations, which is the same for every reader of a language."""
    return render_to_string("forecourt/partials/api_operations.html", {"groups": _groups(server)})


@cache
def _groups(server: str) -> list[tuple[str, list[Operation]]]:
    schema = document()
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["api"])[0]
            groups.setdefault(tag, []).append(_operation(schema, server, path, method, operation))
    return sorted(groups.items())


def _operation(schema: dict[str, Any], server: str, path: str, method: str, operation: dict[str, Any]) -> Operation:
    scope = scope_of(path, method)
    answers = tuple(
        (status, marked(response.get("description", "")), _fields(schema, _content(response)))
        for status, response in sorted(operation.get("responses", {}).items())
        # Errors look alike everywhere; the page says so once.
        if CONTENT_TYPE not in response.get("content", {})
    )
    return Operation(
        anchor=operation["operationId"],
        method=Pill(method.upper(), "good" if method == "get" else "info", small=True),
        path=path,
        title=operation.get("summary", "") or operation["operationId"].replace("_", " "),
        meaning=marked(operation.get("description", "")),
        scope=scope,
        example=_example(schema, f"{server}{path}", method, operation, with_key=bool(scope)),
        parameters=tuple(_parameter(schema, one) for one in operation.get("parameters", [])),
        body=_fields(schema, _content(operation.get("requestBody", {}))),
        answers=answers,
    )


def marked(text: str) -> SafeString:
    """Return text as markup: what stands between backticks is code."""
    parts = re.split(r"`([^`]+)`", text)
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if place % 2 else part,) for place, part in enumerate(parts))
    )


def scope_of(path: str, method: str) -> str:
    """Return the scope that a key must hold for a method of an address; "" where no key is asked for."""
    try:
        found = resolve(re.sub(r"\{[^}]+\}", SAMPLE_UUID, path))
    except Resolver404:
        return ""
    scopes: dict[str, str] = getattr(getattr(found.func, "view_class", None), "required_scopes", {})
    return scopes.get(method.upper(), "")


def _parameter(schema: dict[str, Any], one: dict[str, Any]) -> Field:
    return Field(
        name=one["name"],
        place=one["in"],
        type=_type(schema, one.get("schema", {})),
        required=one.get("required", False),
        meaning=marked(one.get("description", "")),
    )


def _example(schema: dict[str, Any], address: str, method: str, operation: dict[str, Any], *, with_key: bool) -> str:
    """A call with curl that names everything that must be there."""
    query = "&".join(
        f"{one['name']}={_sample(schema, one.get('schema', {}))}"
        for one in operation.get("parameters", [])
        if one["in"] == "query" and one.get("required")
    )
    url = f"{address}?{query}" if query else address
    lines = [f'curl "{url}"' if method == "get" else f'curl -X {method.upper()} "{url}"']
    if with_key:
        lines.append('  -H "Authorization: Bearer $FORECOURT_API_KEY"')
    lines += [
        f'  -H "{one["name"]}: …"'
        for one in operation.get("parameters", [])
        if one["in"] == "header" and one.get("required")
    ]
    body = _content(operation.get("requestBody", {}))
    signed = any(one["name"] == HEADER_SIGNATURE for one in operation.get("parameters", []))
    if body.get("format") == "binary":
        lines.append("  --data-binary @batch")
    elif body and signed:
        # The signature is of these very bytes, so that they come from a file.
        lines += ['  -H "Content-Type: application/json"', "  --data-binary @body"]
    elif body and (sample := _sample(schema, body)):
        lines += ['  -H "Content-Type: application/json"', f"  -d '{json.dumps(sample)}'"]
    return " \\\n".join(lines)


def _sample(schema: dict[str, Any], node: dict[str, Any]) -> Any:
    """A value of the right shape, with the members that must be there."""
    node = _resolve(schema, node)
    if choices := node.get("enum"):
        return choices[0]
    if "discriminator" in node:
        return _sample(schema, node["anyOf"][0])
    if node.get("type") == "array":
        return [_sample(schema, node["items"])]
    if members := node.get("properties"):
        return {name: _sample(schema, members[name]) for name in members if name in node.get("required", [])}
    return SAMPLES.get(node.get("format", ""), SAMPLES.get(str(node.get("type")), "..."))


def _content(holder: dict[str, Any]) -> dict[str, Any]:
    for content in holder.get("content", {}).values():
        found: dict[str, Any] = content.get("schema", {})
        return found
    return {}


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        found: dict[str, Any] = schema["components"]["schemas"][name]
        return found
    if len(node.get("allOf", [])) == 1:
        return _resolve(schema, node["allOf"][0])
    # What can also be null.
    some = [one for one in node.get("oneOf", []) if one.get("type") != "null"]
    return _resolve(schema, some[0]) if len(some) == 1 else node


def _fields(schema: dict[str, Any], node: dict[str, Any], depth: int = 0) -> tuple[Field, ...]:
    node = _resolve(schema, node)
    if node.get("type") == "array":
        node = _resolve(schema, node["items"])
    required = node.get("required", [])
    found: list[Field] = []
    for name, member in node.get("properties", {}).items():
        meaning = member.get("description", "") or _resolve(schema, member).get("description", "")
        found.append(Field(name, "body", _type(schema, member), name in required, marked(meaning), depth))
        if depth < NESTED_MAX:
            found.extend(_fields(schema, member, depth + 1))
    return tuple(found)


def _type(schema: dict[str, Any], node: dict[str, Any]) -> str:
    node = _resolve(schema, node)
    if choices := node.get("enum"):
        return " | ".join(str(choice) for choice in choices if choice is not None)
    if told_apart := node.get("discriminator"):
        return f"object, by its {told_apart['propertyName']}: {' | '.join(told_apart['mapping'])}"
    kind = node.get("type", "object")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema, node['items'])}"
    return f"{kind} ({node['format']})" if "format" in node else str(kind)
