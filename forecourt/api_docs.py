"""The API's documentation as one page, made from the OpenAPI document that programs read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from tenants.api_keys import SCOPES

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@dataclass(frozen=True)
class Field:
    """A parameter, or a member of a body or answer: its name, type in words, whether it must be there, meaning."""

    name: str
    place: str
    type: str
    required: bool
    meaning: str


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    anchor: str
    method: str
    path: str
    title: str
    meaning: str
    parameters: list[Field]
    body: list[Field]
    answers: list[tuple[str, str, list[Field]]]


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show every operation of the API."""
    return render(request, "forecourt/api_docs.html", {"groups": _groups(), "scopes": SCOPES})


@cache
def _groups() -> list[tuple[str, list[Operation]]]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["api"])[0]
            groups.setdefault(tag, []).append(_operation(schema, path, method, operation))
    return sorted(groups.items())


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    answers = []
    for status, response in operation.get("responses", {}).items():
        answers.append((status, response.get("description", ""), _fields(schema, _content(response))))
    title = operation.get("summary", "") or operation["operationId"].replace("_", " ")
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        title=title,
        meaning=operation.get("description", ""),
        parameters=[
            Field(
                name=one["name"],
                place=one["in"],
                type=_type(schema, one.get("schema", {})),
                required=one.get("required", False),
                meaning=one.get("description", ""),
            )
            for one in operation.get("parameters", [])
        ],
        body=_fields(schema, _content(operation.get("requestBody", {}))),
        answers=answers,
    )


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
    return node


def _fields(schema: dict[str, Any], node: dict[str, Any]) -> list[Field]:
    node = _resolve(schema, node)
    if node.get("type") == "array":
        node = _resolve(schema, node["items"])
    required = node.get("required", [])
    return [
        Field(
            name=name,
            place="body",
            type=_type(schema, member),
            required=name in required,
            meaning=_resolve(schema, member).get("description", "") or member.get("description", ""),
        )
        for name, member in node.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any], node: dict[str, Any]) -> str:
    node = _resolve(schema, node)
    if choices := node.get("enum"):
        return " | ".join(str(choice) for choice in choices if choice is not None)
    kind = node.get("type", "object")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema, node['items'])}"
    return f"{kind} ({node['format']})" if "format" in node else str(kind)
