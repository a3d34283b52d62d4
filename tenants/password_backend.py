"""Passwords of people, checked only as often as `tenants.sign_in` lets them be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.utils import timezone

from tenants.remote_addresses import address_of as address_of
from tenants.sign_in import forget_failures, note_attempt
from tenants.who_asks import find_person

if TYPE_CHECKING:
    from uuid import UUID

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

    def get_user(self, user_id: UUID) -> User | None:
        """Return the person whom a session names, who may still sign in."""
        person = find_person(user_id)
        return person if person is not None and self.user_can_authenticate(person) else None
