"""Middleware: each request reads the rows of whoever makes it, and no others (see `tenants.limits.reader`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from django.http import StreamingHttpResponse

from tenants.limits.reader import lasting, lift, limited, read_for
from tenants.models import User
from tenants.scoping import acting_membership

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

READING: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
BACK_OFFICE: Final = "/admin/"


class LimitedRows:
    """After sessions and people are known. Programs are known once their key is: see `tenants.authentication`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as nobody, or as the person that the session names, acting for their organization."""
        with limited(changes=request.method not in READING) as limit:
            _read_for_person(request)
            response = self._get_response(request)
        if isinstance(response, StreamingHttpResponse):
            pieces = response.streaming_content
            assert isinstance(pieces, Iterator), "answers are not asynchronous here"
            response.streaming_content = lasting(limit, pieces)
        return response


def _read_for_person(request: HttpRequest) -> None:
    """Say who asks, in the order in which it becomes known: who it is, then for whom they act."""
    person = request.user
    if not isinstance(person, User):
        return
    read_for(person_id=person.id)
    membership = acting_membership(request)
    if membership is not None:
        read_for(organization_id=membership.organization_id)
    in_back_office = person.is_staff and request.path.startswith(BACK_OFFICE)
    if in_back_office or (membership is not None and membership.organization.is_operator):
        lift()
