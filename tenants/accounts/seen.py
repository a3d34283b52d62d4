"""When a session was last used, kept to ten minutes: enough to recognise one's own, and no write for every page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.utils import timezone

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

SEEN_KEY: Final = "seen_at"
STEP_S: Final = 600


class LastSeen:
    """Middleware: notes of a signed-in session that it is used."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        session = request.session
        if AUTHENTICATION_METHODS_SESSION_KEY in session and session.session_key:
            now = timezone.now()
            seen_s = int(now.timestamp())
            if seen_s - int(session.get(SEEN_KEY, 0)) >= STEP_S:
                session[SEEN_KEY] = seen_s
                UserSession.objects.filter(session_key=session.session_key).update(last_seen_at=now)
        return self._get_response(request)
