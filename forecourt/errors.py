"""What a missing address, a refused page and a fault look like: a problem document to programs, a page to people."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

from billing.pages.periods import UnreadablePeriod
from forecourt.uploads import limit_passed
from portal.punctuation import joined
from tenants.members.words import permission_names, role_names
from tenants.models import Membership, Role
from tenants.problem_response import answer
from tenants.roles import MANAGE_MEMBERS, NotAllowed, roles_that
from tenants.scoping import acting_membership
from tenants.sign_in import TooManyAttempts

if TYPE_CHECKING:
    from collections.abc import Callable

GIVERS_SHOWN: Final = 5
"""How many of those who can give a role are named."""
RETRY_AFTER_S: Final = 10
MIB: Final = 2**20


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400; 413 with the limit where a form is larger than forms may be."""
    if isinstance(exception, RequestDataTooBig):
        return _too_large(request, limit_passed(exception))
    if _is_program(request):
        return answer(status=400, code="bad_request", detail="The request could not be read.")
    return defaults.bad_request(request, exception)


def _too_large(request: HttpRequest, limit: int) -> HttpResponse:
    if _is_program(request):
        return answer(status=413, code="too_large", detail=f"A request has at most {limit} bytes here.", limit=limit)
    return render(request, "413.html", {"limit_mib": limit / MIB}, status=413)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    if _is_program(request):
        return answer(status=403, code="permission_denied", detail="You may not do this.")
    membership = acting_membership(request) if isinstance(exception, NotAllowed) else None
    if isinstance(exception, NotAllowed) and membership is not None:
        return _not_in_role(request, membership, exception.permission)
    return defaults.permission_denied(request, exception)


def _not_in_role(request: HttpRequest, membership: Membership, permission: str) -> HttpResponse:
    """Say which roles may do it, which one the reader has, and who can give another."""
    names = role_names()
    givers = Membership.objects.filter(
        organization=membership.organization, role__in=roles_that(MANAGE_MEMBERS), user__is_active=True
    ).exclude(user=membership.user)
    context = {
        "organization": membership.organization.name,
        "asked": permission_names().get(permission, ""),
        "role": names[Role(membership.role)],
        "roles": joined(names[role] for role in roles_that(permission)),
        "givers": [one.user for one in givers.select_related("user").order_by("role", "user__email")[:GIVERS_SHOWN]],
    }
    return render(request, "403_role.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, for what does not exist and for what is not yours alike; a time that cannot be shown is explained."""
    if _is_program(request):
        return answer(status=404, code="not_found", detail="There is nothing here for you.")
    if isinstance(exception.__cause__, UnreadablePeriod):
        return render(request, "404_period.html", {"words": exception.__cause__.words}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without a word of what went wrong inside; 503 where the database takes nothing now."""
    if isinstance(sys.exc_info()[1], InterfaceError | OperationalError):  # Django calls this while it handles the fault
        return _database_away(request)
    if _is_program(request):
        return answer(status=500, code="server_error", detail="Something failed on our side. Try again.")
    return defaults.server_error(request)


def _database_away(request: HttpRequest) -> HttpResponse:
    """Say that it is worth trying again, and when; whether a call whose commit was lost was stored, nobody knows."""
    if _is_program(request):
        detail = "The database does not take the call now. Send it again, with the same Idempotency-Key if it had one."
        return answer(status=503, code="unavailable", detail=detail, retry_after_s=RETRY_AFTER_S)
    response = HttpResponse(render_to_string("503.html"), status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


class NoPage:
    """Middleware: an address that takes forms alone is a page that says so to whoever opens it, not an empty one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; give an empty 405 its words where a browser opens an address."""
        response = self._get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or "text/html" not in request.headers.get(
            "Accept", ""
        ):
            return response
        page = render(request, "405.html", status=response.status_code)
        page["Allow"] = response["Allow"]
        return page


class SignInLimit:
    """Middleware: signing in failed too often, here or in the back office, is a page that says how long to wait."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 429 to an attempt too many; any other fault is none of its business."""
        if not isinstance(exception, TooManyAttempts):
            return None
        wait_s = exception.retry_after_s
        response = render(request, "429.html", {"minutes": -(-wait_s // 60)}, status=exception.status)
        response["Retry-After"] = str(wait_s)
        return response


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/webhooks/"))
