"""What somebody is shown who is signed in is kept by no browser and no proxy: after signing out, Back shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

KEPT_BY_NOBODY: Final = "private, no-store"


class PrivatePages:
    """Middleware: says so of each answer to a browser with a session that does not say itself what may be kept."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        response = self._get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES and "Cache-Control" not in response:
            response["Cache-Control"] = KEPT_BY_NOBODY
        return response
