"""The WSGI application that granian serves.

Machines send thousands of requests a second to a few addresses. These need nothing of what pages need (sessions,
languages, forms, signing in), and all of that together costs more than taking a batch: they go straight to their views.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import resolve

from forecourt.frames import with_room
from forecourt.loading import loading
from metering.wire import BATCHES_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.urls import ResolverMatch

# An environment that is shared with jobs names their settings.
if os.environ.get("DJANGO_SETTINGS_MODULE", "forecourt.settings") == "forecourt.settings":
    os.environ["DJANGO_SETTINGS_MODULE"] = "forecourt.web_settings"

LEAN_PATHS: Final = frozenset({BATCHES_PATH})
MATCHES_MAX: Final = 1_024
"""More than there are addresses without a part that varies."""


class KnowingHandler(WSGIHandler):
    """Django, which looks for an address without a part that varies once among all of the site, not for each call."""

    def __init__(self) -> None:
        super().__init__()
        self._matches: dict[str, ResolverMatch] = {}

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Return whose address it is."""
        match = self._matches.get(request.path_info)
        if match is None:
            match = resolve(request.path_info)
            if not (match.args or match.kwargs) and len(self._matches) < MATCHES_MAX:
                self._matches[request.path_info] = match
        request.resolver_match = match
        return match


class LeanHandler(KnowingHandler):
    """Django without middleware: request, address, view, answer, and its care for database connections."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load none."""
        assert not is_async
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = convert_exception_to_response(self._with_length)

    def _with_length(self, request: HttpRequest) -> HttpResponseBase:
        """Say how long the answer is: an agent keeps its connection and must know where the answer ends."""
        response: HttpResponseBase = with_room(self._get_response, request)  # type: ignore[attr-defined]  # the stubs lack it
        if isinstance(response, HttpResponse):
            response["Content-Length"] = str(len(response.content))
        return response


with loading():
    django.setup(set_prefix=False)
    _pages = KnowingHandler()
    _machines = LeanHandler()
    # Now, not in the first request.
    import_module(settings.ROOT_URLCONF)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request."""
    handler = _machines if environ.get("PATH_INFO") in LEAN_PATHS else _pages
    return handler(environ, start_response)
