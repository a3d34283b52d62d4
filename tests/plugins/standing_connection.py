"""Lets transactional tests follow each other on one connection.

Django closes it after each, and PostgreSQL begins the next with a process that knows no table yet: a twentieth of a
second for the same statements. What a test may have set for the session is set back instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from django.db import Error, connection
from django.test import TransactionTestCase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

SET_BACK: Final = "RESET SESSION AUTHORIZATION; RESET ALL; SELECT pg_advisory_unlock_all(); UNLISTEN *; CLOSE ALL"
"""What `DISCARD ALL` does, without forgetting plans and sequences; nothing here makes temporary tables."""


def can_go_on(standing: BaseDatabaseWrapper) -> bool:
    """Set a session back to how it began; false where it is in no state to be used again."""
    if standing.connection is None:
        return True
    try:
        with standing.cursor() as cursor:
            cursor.execute(SET_BACK)
        standing.ensure_timezone()
    except Error:
        return False
    return standing.get_autocommit()


@pytest.fixture(scope="session", autouse=True)
def standing_connection() -> Iterator[None]:
    """Ask Django for a new connection only where the one that stands cannot go on."""
    kind: Any = TransactionTestCase
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "_should_reload_connections", lambda _: not can_go_on(connection))
        yield
