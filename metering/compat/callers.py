"""Who calls a compatible input, and how each of them is answered when something is wrong."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec

from django.db import InterfaceError, InternalError, OperationalError
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import csrf_exempt

from tenants.api_keys import find_key, require_network
from tenants.authentication import OPEN_TO_SUSPENDED, OrganizationSuspended
from tenants.problems import Problem
from tenants.remote_addresses import address_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

    from metering.admission import Gate
    from tenants.models import ApiKey

logger = logging.getLogger(__name__)
P = ParamSpec("P")
WRITE: Final = "events:write"
READ: Final = "usage:read"
RETRY_AFTER_S: Final = 10


class KeyUnknown(Problem):
    """No usable API key came along."""

    status = 401
    code = "key_unknown"
    title = "The API key is missing, unknown, revoked or expired"


class KeyLacksScope(Problem):
    """The key may not do this."""

    status = 403
    code = "scope_missing"
    title = "The API key lacks the scope"


class MethodNotOffered(Problem):
    """The address does not know the method."""

    status = 405
    code = "method_not_offered"
    title = "The method is not offered here"


class NulCharacter(Problem):
    """The database's texts hold no NUL."""

    status = 400
    code = "nul_character"
    title = "The request holds a NUL character"


class Unavailable(Problem):
    """The database does not take anything now. Where it was lost at the commit nobody knows what is stored."""

    status = 503
    code = "not_taken"
    title = "The call cannot be taken now"


def key_of(request: HttpRequest, scope: str, now: datetime) -> ApiKey:
    """Return the caller's key. Raises KeyUnknown, NotFromHere, OrganizationSuspended, KeyLacksScope."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    address = address_of(request)
    key = find_key(secret.strip(), now, address) if kind.lower() == "bearer" else None
    if key is None:
        raise KeyUnknown("Expected: Authorization: Bearer fk_… of a key in use.")
    require_network(key, address)
    if key.organization.suspended_at is not None and scope not in OPEN_TO_SUSPENDED:
        raise OrganizationSuspended(f"The operator keeps {key.organization.name} out. Ask the operator why.")
    if scope not in key.scopes:
        raise KeyLacksScope(f"This key lacks the scope {scope!r}.")
    return key


def endpoint(
    refuse: Callable[[Problem], HttpResponse],
    *,
    gate: Gate | None = None,
    **methods: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Make a view of one view per method; `refuse` words every refusal as the imitated server would.

    Writers pass the `gate`, if one is given: give it where the program sends again what was turned away. Most callbacks
    of LiteLLM do not, so that what they send would be lost.
    """

    @csrf_exempt
    def view(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        chosen = methods.get("GET" if request.method == "HEAD" else request.method or "")
        try:
            if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
                raise NulCharacter("No address or parameter may hold a NUL character.")
            if chosen is None:
                raise MethodNotOffered(f"Expected {' or '.join(sorted(methods))}.", allow=", ".join(sorted(methods)))
            with gate.entered() if gate is not None and request.method == "POST" else nullcontext():
                response = chosen(request, *args, **kwargs)
        except Problem as problem:
            response = refuse(problem)
            _add_headers(response, problem)
        except (InterfaceError, InternalError, OperationalError):
            logger.exception("A call of %s could not be stored.", request.path)
            response = refuse(Unavailable("The database does not take the call now; send the same again."))
            response["Retry-After"] = str(RETRY_AFTER_S)
        add_never_cache_headers(response)
        return response

    return view


def _add_headers(response: HttpResponse, problem: Problem) -> None:
    if problem.status == KeyUnknown.status:
        response["WWW-Authenticate"] = 'Bearer realm="Forecourt"'
    if "allow" in problem.extra:
        response["Allow"] = str(problem.extra["allow"])
    if "retry_after_s" in problem.extra:
        response["Retry-After"] = str(problem.extra["retry_after_s"])
