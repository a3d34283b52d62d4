"""Passwords of people, checked only as often as `tenants.sign_in` lets them be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.utils import timezone

from tenants.sign_in import forget_failures, note_attempt

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tenants.models import User


class LimitedPasswords(ModelBackend):
    """Django's check of e-mail address and password, behind the limit of attempts, on every page that asks for them."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Return the person whose password it is. Raises TooManyAttempts; code without a request is not limited.

        The person is named by `username` or by `email`, which are the same here.
        """
        username = username if username is not None else kwargs.pop("email", None)
        if request is None or username is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        attempt = note_attempt(address=address_of(request), email=username, now=timezone.now())
        person = super().authenticate(request, username, password, **kwargs)
        if person is not None:
            forget_failures(attempt=attempt)
        return person


def address_of(request: HttpRequest) -> str:
    """Return where a request comes from.

    An installation that is reached by https has a proxy before it, which ends X-Forwarded-For with the address that it
    saw; what stands before that anyone may have written. Elsewhere the header proves nothing.
    """
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if settings.SECURE_SSL_REDIRECT:
        return request.headers.get("X-Forwarded-For", seen).rpartition(",")[2].strip() or seen
    return seen
