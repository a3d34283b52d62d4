"""Calls of the API that make something, each made once under the caller's `Idempotency-Key`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Final, TypeVar, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.authentication import organization_of
from tenants.idempotency import Answered, answer_once

KEY_HEADER: Final = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="the same key again is answered as the first time"
)


Made = TypeVar("Made", bound=Callable[..., Response])


def once(post: Made) -> Made:
    """Let a view's method that makes something take an `Idempotency-Key`: the same call again is answered the same.

    For what is one transaction in the database. What the method raises is stored nowhere, and whatever it stored before
    it raised is taken back with it.
    """

    @wraps(post)
    def answered(view: object, request: Request, *args: object, **named: object) -> Response:
        if not request.headers.get("Idempotency-Key"):
            return post(view, request, *args, **named)

        def make() -> Answered:
            response = post(view, request, *args, **named)
            return response.status_code, json.loads(JSONRenderer().render(response.data))

        return made_once(request, request._request.body, datetime.now(UTC), make)  # noqa: TID251  an entry point

    return cast("Made", extend_schema(parameters=[KEY_HEADER])(answered))


def made_once(request: Request, body: bytes, now: datetime, make: Callable[[], Answered]) -> Response:
    """Answer a call as `make` says, or as it was answered the first time that its key came.

    `body` are the bytes of the call, read before anything else reads them. Raises `KeyReused` and `WrongKey`.
    """
    status, answer = answer_once(
        organization=organization_of(request),
        key=request.headers.get("Idempotency-Key", ""),
        address=f"{request.method} {request.path}",
        body=body,
        now=now,
        make=make,
    )
    return Response(answer, status=status)
