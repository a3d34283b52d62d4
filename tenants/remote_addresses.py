"""Where a request comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Return where a request comes from.

    An installation that is reached by https has a proxy before it, which ends X-Forwarded-For with the address that it
    saw; what stands before that anyone may have written. Elsewhere the header proves nothing.
    """
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if settings.SECURE_SSL_REDIRECT:
        return request.headers.get("X-Forwarded-For", seen).rpartition(",")[2].strip() or seen
    return seen
