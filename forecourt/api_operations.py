"""The operations of the API as its pages show them, read from the OpenAPI document that programs read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.urls import Resolver404, resolve
from django.utils.html import format_html, format_html_join

from forecourt.api_document import document
from forecourt.api_samples import UUID, resolved, sample_of
from forecourt.api_sections import TAGS, Tag
from metering.wire import HEADER_SIGNATURE
from portal.parts import Pill
from tenants.problem_response import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.utils.safestring import SafeString

NESTED_MAX: Final = 2
"""How deep the members of members are listed."""
TONES: Final = {"get": "good", "delete": "bad"}


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
class Answer:
    """What comes back under a status; `example` is "" where it is no JSON.

    `shape` is the name of the whole in the document, "" where it has none; `as_of` the operation before it in the same
    section whose answer has the same shape, which a page leads to and does not say again.
    """

    status: str
    meaning: SafeString
    fields: tuple[Field, ...]
    example: str
    shape: str = ""
    as_of: tuple[str, str] | None = None


@dataclass(frozen=True)
class Operation:
    """One method of one address; `scope` is what its key must hold, "" where none is asked for.

    Of an event that is sent, `path` is its kind and `example` the body that comes.
    """

    anchor: str
    method: Pill
    path: str
    title: str
    meaning: SafeString
    scope: str
    example: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    answers: tuple[Answer, ...]
    is_sent: bool = False

    @property
    def words(self) -> str:
        """Everything that a search looks at, in small letters."""
        fields = (*self.parameters, *self.body, *(one for answer in self.answers for one in answer.fields))
        own = (self.anchor, self.method.text, self.path, self.title, self.meaning, self.scope)
        return " ".join((*own, *(f"{one.name} {one.meaning}" for one in fields))).lower()


@dataclass(frozen=True)
class Section:
    """The operations of a tag."""

    tag: Tag
    operations: tuple[Operation, ...]


@cache
def sections(server: str) -> tuple[Section, ...]:
    """Return every operation once, by tag; `server` is the address that examples call."""
    schema = document()
    found: dict[str, list[Operation]] = {tag.name: [] for tag in TAGS}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_operation(schema, server, path, method, operation))
    for kind, methods in schema["webhooks"].items():
        found["webhooks"].append(_event(schema, kind, methods["post"]))
    return tuple(Section(tag, tuple(_shapes_once(found[tag.name]))) for tag in TAGS)


def _shapes_once(operations: list[Operation]) -> Iterator[Operation]:
    """Lead from an answer to the first of its shape."""
    first: dict[str, tuple[str, str]] = {}
    for one in operations:
        answers = tuple(replace(answer, as_of=first.get(answer.shape)) for answer in one.answers)
        first |= {answer.shape: (one.anchor, one.title) for answer in answers if answer.shape and not answer.as_of}
        yield replace(one, answers=answers)


def _operation(schema: dict[str, Any], server: str, path: str, method: str, operation: dict[str, Any]) -> Operation:
    scope = scope_of(path, method)
    answers = tuple(
        _answer(schema, status, response)
        for status, response in sorted(operation.get("responses", {}).items())
        # Errors look alike everywhere; the page says so once.
        if CONTENT_TYPE not in response.get("content", {})
    )
    return Operation(
        anchor=operation["operationId"],
        method=Pill(method.upper(), TONES.get(method, "info"), small=True),  # type: ignore[arg-type]
        path=path,
        title=operation.get("summary", "") or operation["operationId"].replace("_", " "),
        meaning=marked(operation.get("description", "")),
        scope=scope,
        example=_example(schema, f"{server}{path}", method, operation, with_key=bool(scope)),
        parameters=tuple(_parameter(schema, one) for one in operation.get("parameters", [])),
        body=_fields(schema, _content(operation.get("requestBody", {}))),
        answers=answers,
    )


def _event(schema: dict[str, Any], kind: str, operation: dict[str, Any]) -> Operation:
    content = _content(operation["requestBody"])
    return Operation(
        anchor=f"event-{kind}",
        method=Pill("EVENT", "warn", small=True),
        path=kind,
        title=operation["summary"],
        meaning=marked(operation.get("description", "")),
        scope="",
        example=json.dumps(sample_of(schema, content, whole=True), indent=2, ensure_ascii=False),
        parameters=tuple(_parameter(schema, one) for one in operation.get("parameters", [])),
        body=_fields(schema, content),
        answers=(),
        is_sent=True,
    )


def _answer(schema: dict[str, Any], status: str, response: dict[str, Any]) -> Answer:
    content = _content(response)
    fields = _fields(schema, content)
    sample = sample_of(schema, content, whole=True) if fields else None
    example = json.dumps(sample, indent=2, ensure_ascii=False) if sample else ""
    shape = str(content.get("$ref", "")).rpartition("/")[2]
    return Answer(status, marked(response.get("description", "")), fields, example, shape)


def marked(text: str) -> SafeString:
    """Return text as markup: what stands between backticks is code."""
    parts = re.split(r"`([^`]+)`", text)
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if place % 2 else part,) for place, part in enumerate(parts))
    )


def scope_of(path: str, method: str) -> str:
    """Return the scope that a key must hold for a method of an address; "" where no key is asked for."""
    try:
        found = resolve(re.sub(r"\{[^}]+\}", UUID, path))
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
        f"{one['name']}={sample_of(schema, one.get('schema', {}), whole=False, name=one['name'])}"
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
    request = operation.get("requestBody", {})
    body = _content(request)
    signed = any(one["name"] == HEADER_SIGNATURE for one in operation.get("parameters", []))
    if body.get("format") == "binary":
        lines.append("  --data-binary @batch")
    elif body and signed:
        # The signature is of these very bytes, so that they come from a file.
        lines += ['  -H "Content-Type: application/json"', "  --data-binary @body"]
    elif sample := body and example_of(schema, request):
        written = json.dumps(sample, indent=2, ensure_ascii=False).replace("'", r"'\''")
        lines += ['  -H "Content-Type: application/json"', f"  -d '{written}'"]
    return " \\\n".join(lines)


def example_of(schema: dict[str, Any], request: dict[str, Any]) -> Any:
    """Return the body that stands as the example of a request, or one with the members that must be there."""
    for content in request.get("content", {}).values():
        return content["example"] if "example" in content else sample_of(schema, content["schema"], whole=False)
    return None


def _content(holder: dict[str, Any]) -> dict[str, Any]:
    for content in holder.get("content", {}).values():
        found: dict[str, Any] = content.get("schema", {})
        return found
    return {}


def _fields(schema: dict[str, Any], node: dict[str, Any], depth: int = 0) -> tuple[Field, ...]:
    node = resolved(schema, node)
    if node.get("type") == "array":
        node = resolved(schema, node["items"])
    required = node.get("required", [])
    found: list[Field] = []
    for name, member in node.get("properties", {}).items():
        meaning = member.get("description", "") or resolved(schema, member).get("description", "")
        found.append(Field(name, "body", _type(schema, member), name in required, marked(meaning), depth))
        if depth < NESTED_MAX:
            found.extend(_fields(schema, member, depth + 1))
    return tuple(found)


def _type(schema: dict[str, Any], node: dict[str, Any]) -> str:
    node = resolved(schema, node)
    if choices := node.get("enum"):
        return " | ".join(str(choice) for choice in choices if choice is not None)
    if told_apart := node.get("discriminator"):
        return f"object, by its {told_apart['propertyName']}: {' | '.join(told_apart['mapping'])}"
    if "const" in node:
        return str(node["const"])
    kind = node.get("type", "object")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema, node['items'])}"
    return f"{kind} ({node['format']})" if "format" in node else str(kind)
