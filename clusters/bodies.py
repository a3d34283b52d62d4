"""Reading a request's body within a limit before it is parsed, and refusing its fields by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.problems import Problem

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework import serializers


class BodyTooLarge(Problem):
    """More bytes than this address takes."""

    status = 413
    code = "body_too_large"
    title = "The body is too large"


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Return the body if it has at most `limit` bytes; one that says it has more is not read at all.

    Raises BodyTooLarge.
    """
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        announced = 0
    body = b"" if announced > limit else request.read(limit + 1)
    if announced > limit or len(body) > limit:
        raise BodyTooLarge(f"At most {limit} bytes are taken here.", limit=limit)
    return body


def checked(serializer: serializers.Serializer[Any], problem: type[Problem]) -> dict[str, Any]:
    """Return what a serializer read, or raise `problem` with every field that is not what it must be."""
    if not serializer.is_valid():
        errors = [
            {"field": str(name), "detail": str(detail)}
            for name, details in serializer.errors.items()
            for detail in (details if isinstance(details, list) else [details])
        ]
        raise problem("; ".join(f"{one['field']}: {one['detail']}" for one in errors), errors=errors)
    return dict(serializer.validated_data)
