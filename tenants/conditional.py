"""Reads of the API that have not changed are not sent again: `ETag` and `If-None-Match`, for every address at once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from django.utils.cache import get_conditional_response, patch_vary_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

PATHS: Final = "/api/"
OK: Final = 200


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
            response["ETag"] = f'W/"{hashlib.sha256(response.content).hexdigest()[:32]}"'
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
