"""Sessions in the database, as Django keeps them; each request reads one, by a statement that is not made anew."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

STORED: Final = "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    """Django's, but for how a session is read."""

    def load(self) -> dict[str, Any]:
        """Return what the session holds. One that is not there, or over, is empty, and has another name when saved."""
        now = timezone.now()  # noqa: TID251  the clock by which Django ends sessions
        with connection.cursor() as cursor:
            cursor.execute(STORED, [self.session_key, now])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return {}
        return self.decode(row[0])
