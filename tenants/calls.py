"""Calls of the API that make something, each made once under the caller's `Idempotency-Key`."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.authentication import organization_of
from tenants.idempotency import Answered, answer_once

KEY_HEADER: Final = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="the same key again is answered as the first time"
)


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
