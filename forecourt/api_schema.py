"""What the OpenAPI document says beyond the views: how to sign in, how errors look, and the agents' own address."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension

from billing.agreements.wording_shapes import wording_shapes
from forecourt.api_bodies import BODIES
from forecourt.api_callers import tell_callers
from forecourt.api_samples import resolved, sample_of
from forecourt.api_sections import tags_told
from forecourt.field_meanings import describe_fields
from forecourt.field_values import list_values
from forecourt.parameter_words import describe_parameters
from metering.wire import BATCH_BYTES_MAX, HEADER_NODE, HEADER_SENT_AT, HEADER_SIGNATURE
from metering.wire_keys import REJOIN_PATH, ROTATE_PATH
from tenants.api_keys import SCOPES
from tenants.conditional import CHANGING
from tenants.hooks.shapes import webhooks
from tenants.problem_response import CONTENT_TYPE
from tenants.rate_limits import UNCOUNTED

BATCHES_PATH: Final = "/api/v1/batches"
PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}
PROBLEM: Final = {
    "type": "object",
    "description": "What was wrong, and what is expected (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "always about:blank: `code` says which problem it is"},
        "title": {"type": "string", "description": "what kind of thing went wrong"},
        "status": {"type": "integer", "description": "the HTTP status"},
        "code": {"type": "string", "description": "stable; what a program decides by"},
        "detail": {"type": "string", "description": "what was found, where, and what is expected"},
        "errors": {
            "type": "array",
            "description": "each wrong value",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "where the wrong value stands, with dots into objects"},
                    "code": {"type": "string", "description": "stable; what a program decides by"},
                    "detail": {"type": "string", "description": "what was found, and what is expected"},
                    "example": {"type": "string", "description": "a value that would do, of a number out of bounds"},
                },
            },
        },
    },
}
REFUSALS: Final = {
    "400": "The request has wrong values.",
    "401": "The key is missing, unknown, revoked or expired.",
    "403": "The key lacks the scope.",
    "404": "There is nothing here for you.",
    "412": "It is not what `If-Match` names: somebody changed it meanwhile. Nothing is done.",
    "429": "More calls in this minute than a key may make.",
    "503": "Not now: the database is away, this process is full, or what the call needs, as Stripe, does not answer; "
    "`code` says which. The same call may be sent again, after `Retry-After` where it is given.",
    "default": "Any other refusal.",
}
HEADERS: Final = {
    "ETag": {"description": "names these bytes, for `If-None-Match` and `If-Match`", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "calls a minute that the key may make", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "calls left in this minute", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "seconds until all are back", "schema": {"type": "integer"}},
}


class ClosedShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # it registers itself
    """Says of a shape without other fields that it has none."""

    target_class = "tenants.closed_shapes.ClosedSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the shape as ever, and, of what is sent, closed."""
        shape: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**shape, "additionalProperties": False} if direction == "request" else shape


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
    """Bearer keys; drf-spectacular finds this by the class that it stands for."""

    target_class = "tenants.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, Any]:  # noqa: ARG002  its signature
        """Say how a key is sent and which scopes there are."""
        scopes = "; ".join(f"{scope}: {meaning}" for scope, meaning in SCOPES.items())
        return {"type": "http", "scheme": "bearer", "description": f"A key of an organization, fk_…. Scopes: {scopes}."}


def complete(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:  # noqa: ARG001  its signature
    """Add the problem document, the errors of every operation, and the address that is no DRF view."""
    result["components"]["schemas"] |= {"Problem": PROBLEM, **wording_shapes()}
    describe_fields(result["components"]["schemas"])
    list_values(result["components"]["schemas"])
    result["webhooks"] = webhooks()
    result["paths"][BATCHES_PATH] = {"post": _batches()}
    result["paths"][ROTATE_PATH] = {"post": _signed("node_keys_create", "Put a node's new key in force", ROTATION)}
    result["paths"][REJOIN_PATH] = {"post": _signed("chain_rejoin", "Go on at the end of the chain", REJOINING)}
    result["components"]["headers"] = HEADERS
    result["tags"] = tags_told()
    result["paths"] = dict(sorted(result["paths"].items()))
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            for status in _refusals_of(path, operation):
                operation["responses"].setdefault(status, _refusal(REFUSALS[status]))
            if method == "get":
                _conditional(operation)
            elif method.upper() in CHANGING and "get" in methods:
                _unless_changed(operation)
            if ("POST", path) not in UNCOUNTED or method == "get":
                _limited(operation)
            _with_example(result, operation)
            describe_parameters(path, operation)
            tell_callers(operation)
    return result


def _with_example(schema: dict[str, Any], operation: dict[str, Any]) -> None:
    """A body of JSON that has none gets an example: what must be there, or what does what the operation is for."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if content and "examples" not in content and resolved(schema, content["schema"]) != {"type": "object"}:
        example = BODIES.get(operation.get("operationId", "")) or sample_of(schema, content["schema"], whole=False)
        content.setdefault("example", example)


def _conditional(operation: dict[str, Any]) -> None:
    """A read may be asked for by what the caller has of it."""
    operation.setdefault("parameters", []).append(
        _header("If-None-Match", "the `ETag` of what the caller has: the same again is 304", required=False)
    )
    operation["responses"]["304"] = {"description": "Not changed: what the caller has is what there is."}
    if "200" in operation["responses"]:
        operation["responses"]["200"].setdefault("headers", {})["ETag"] = {"$ref": "#/components/headers/ETag"}


def _unless_changed(operation: dict[str, Any]) -> None:
    """A change may be asked for of what the caller has read."""
    told = "the `ETag` of what is changed, as the caller read it: 412 if it is another by now"
    operation.setdefault("parameters", []).append(_header("If-Match", told, required=False))
    operation["responses"]["412"] = _refusal(REFUSALS["412"])


def _limited(operation: dict[str, Any]) -> None:
    """Calls are counted, and every answer says how the caller stands; here it is said of those that succeed."""
    operation["responses"].setdefault("429", _refusal(REFUSALS["429"]))
    named = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS if name.startswith("RateLimit")}
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {}).update(named)


def _refusals_of(path: str, operation: dict[str, Any]) -> list[str]:
    by_key = ["401", "403"] if operation.get("security") else []
    named = ["404"] if "{" in path or "requestBody" in operation else []
    return ["400", *by_key, *named, "503", "default"]


def _refusal(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {CONTENT_TYPE: {"schema": PROBLEM_REF}}}


def _batches() -> dict[str, Any]:
    return {
        "operationId": "batches_create",
        "summary": "Send a batch of readings",
        "description": "Take a signed batch of a node's agent; the answer is sent after the commit. The signature over "
        "the bytes is the credential; the same bytes again get the same answer.",
        "tags": ["nodes"],
        "parameters": [
            _header(HEADER_NODE, "the node's id", required=True),
            _header(HEADER_SIGNATURE, "Ed25519 over the body as sent, base64", required=True),
            _header(HEADER_SENT_AT, "the node's clock when it was sent, RFC 3339", required=False),
            _header("Content-Encoding", "zstd, gzip or nothing", required=False),
        ],
        "requestBody": {
            "required": True,
            "description": f"A batch as `metering.wire` writes it, {BATCH_BYTES_MAX} bytes at most.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        "responses": {
            "200": {
                "description": "Every reading's outcome, counted.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "401": _refusal("The signature does not fit, or the node is revoked."),
            "404": _refusal("The node is not enrolled."),
            "409": _refusal("The batch does not follow the one before, or other bytes have its number."),
            "413": _refusal("The batch is too large."),
            "503": _refusal("The database does not take it now. Send the same again; it counts once."),
        },
    }


ROTATION: Final = (
    "An agent's new key, signed with the old one over `forecourt-rotate-v1` and a newline before the body, with the "
    "new key's proof inside. What the old key signed stays verifiable; the same call again gets the same answer."
)
REJOINING: Final = (
    "For a node whose agent lost batches that it had not shipped: signed over `forecourt-rejoin-v1` and a newline "
    "before the body. The answer says which number and link come next; the break is kept as a gap and in the audit log."
)


def _signed(operation: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "tags": ["nodes"],
        "parameters": [
            _header(HEADER_NODE, "the node's id", required=True),
            _header(HEADER_SIGNATURE, "Ed25519 over the prefix and the body as sent, base64", required=True),
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}},
            "401": _refusal("The signature does not fit, or the node is revoked."),
            "404": _refusal("The node is not enrolled."),
            "409": _refusal("The key was registered before, or the end of the chain is another one."),
        },
    }


def _header(name: str, meaning: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": meaning, "schema": {"type": "string"}}
