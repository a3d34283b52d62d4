"""The API of nodes about themselves: a new key, the end of the chain. Plain views: a signature is the credential."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from msgspec import json

from clusters.bodies import read_body
from metering.node_keys import Asking, rejoin_chain, rotate_key
from metering.wire import HEADER_NODE, HEADER_SIGNATURE
from metering.wire_keys import BODY_BYTES_MAX
from tenants.limits.reader import whole
from tenants.problem_response import answer, problem_answer
from tenants.problems import Problem

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Protocol

    from django.http import HttpRequest

    from metering.wire_keys import ChainEnd, KeyRotated

    class Change(Protocol):
        """A use case that answers one signed call."""

        def __call__(self, *, asking: Asking, now: datetime) -> KeyRotated | ChainEnd:
            """Do it."""


@csrf_exempt
def node_keys(request: HttpRequest) -> HttpResponse:
    """Put a node's new key in force; the same call again gets the same answer."""
    return _answered(request, rotate_key)


@csrf_exempt
def chain(request: HttpRequest) -> HttpResponse:
    """Let a node that lost batches go on at the end of its chain, with the break on record."""
    return _answered(request, rejoin_chain)


def _answered(request: HttpRequest, change: Change) -> HttpResponse:
    if request.method != "POST":
        response = answer(status=405, code="method_not_allowed", detail="Expected POST.")
        response["Allow"] = "POST"
        return response
    headers = request.headers
    try:
        body = read_body(request, BODY_BYTES_MAX)
        asking = Asking(headers.get(HEADER_NODE, ""), body, headers.get(HEADER_SIGNATURE, ""))
        with whole("a node signs for itself; its provider has no part in it"):
            done = change(asking=asking, now=timezone.now())  # noqa: TID251  an entry point
    except Problem as refused:
        return problem_answer(refused)
    return HttpResponse(json.encode(done), content_type="application/json")
