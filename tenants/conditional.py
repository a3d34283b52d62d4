"""`ETag`, `If-None-Match` and `If-Match` of the API, for every address at once.

Reads that have not changed are not sent again; writes to what was changed meanwhile are refused to whoever asks for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.permissions import BasePermission

from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.views import APIView

PATHS: Final = "/api/"
OK: Final = 200
CHANGING: Final = frozenset({"PUT", "PATCH", "DELETE"})
"""Methods that change what the same address reads."""
WHATEVER: Final = "*"
WEAK: Final = "W/"


class ChangedMeanwhile(Problem):
    """What a call would change is not what its `If-Match` names."""

    status = 412
    code = "changed_meanwhile"
    title = "It is not what If-Match names"


class ConditionalReads:
    """Middleware: a weak ETag of the bytes on every read of the API that has none of its own, and 304 where it fits.

    A streamed file keeps the ETag that its view gave it, or none: its bytes are not known when its head is sent.
    Answers are for the one who asked; a cache between may keep none of them without asking again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass a call on and look at its answer."""
        response = self._get_response(request)
        if not request.path.startswith(PATHS):
            return response
        patch_vary_headers(response, ("Authorization", "Accept"))
        response.setdefault("Cache-Control", "private, no-cache")
        if request.method not in ("GET", "HEAD") or response.status_code != OK:
            return response
        if "ETag" not in response and not response.streaming:
            response["ETag"] = _tag_of(response)
        if "ETag" not in response:
            return response
        answer: HttpResponseBase | None = get_conditional_response(request, etag=response["ETag"], response=response)
        if answer is None or answer is response:
            return response
        # What is not sent again was a call nevertheless: Django's 304 would not say how the caller stands.
        for name, value in response.items():
            if name.startswith("RateLimit-"):
                answer[name] = value
        return answer


class Unchanged(BasePermission):
    """A call with `If-Match` changes what is as its caller read it, and is 412 `changed_meanwhile` otherwise.

    What the address reads now is made anew and compared, just before the call does its work. Tags are compared weakly,
    as all are weak: they name what is read, whatever its compression. Raises whatever the read raises, as 404.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the key may read what is compared; its scope for the call itself was looked at before."""
        named = request.headers.get("If-Match")
        if named is None or request.method not in CHANGING:
            return True
        read = getattr(view, "get", None)
        if read is None:
            raise ChangedMeanwhile("This address is not read, so it has no ETag: expected no If-Match.")
        key: Any = request.auth
        scope = view.required_scopes["GET"]  # type: ignore[attr-defined]  # every view of the API has it
        if scope not in key.scopes:
            self.message = f"This key lacks the scope {scope!r}, by which what If-Match names is read."
            return False
        answer = view.finalize_response(request, read(request, *view.args, **view.kwargs), *view.args, **view.kwargs)
        tag = answer.get("ETag") or _tag_of(answer.render())
        known = [one.removeprefix(WEAK) for one in parse_etags(named)]
        if WHATEVER not in known and tag.removeprefix(WEAK) not in known:
            raise ChangedMeanwhile(f"It was changed, and its ETag is {tag} now: read it again, and say what to change.")
        return True


def _tag_of(response: HttpResponse) -> str:
    return f'{WEAK}"{hashlib.sha256(response.content).hexdigest()[:32]}"'
