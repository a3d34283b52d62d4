"""Pages, answers and files of text are sent by gzip to whoever takes it: a page is a fifth of its size on the wire.

Whoever can make a browser ask and sees how long the answers are could guess at a secret beside their words (BREACH).
Each answer begins with up to a hundred random bytes, and the token against forged requests is masked anew in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

TEXTS: Final = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/xml",
    "application/vnd.oai.openapi",
)
"""Media types that are worth it, by their beginnings; papers, pictures and archives are compressed in themselves."""


class Compression(GZipMiddleware):
    """Django's middleware, for texts alone."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress an answer of text; leave every other as it is."""
        if not response.get("Content-Type", "").startswith(TEXTS):
            return response
        return super().process_response(request, response)
