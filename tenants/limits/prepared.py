"""Statements that a process runs again and again: planned once a session, their parameters apart from their text.

A pooler that shares sessions may not know a statement that was prepared in another one: there they are planned anew
(`FORECOURT_PREPARED_STATEMENTS`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection
from psycopg import RawCursor

from tenants.limits.base import telling
from tenants.limits.reader import reader_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PREPARE_AFTER: Final = 2


def run_prepared(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement, whose parameters are `$1`, `$2` and so on; return its rows, none where it has no result.

    Values travel in binary, with the types that psycopg gives them: wrap integers (`psycopg.types.numeric.Int8`). It
    reads for whom any statement would read now; where that must be told first, outside a transaction, it takes one.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    reader = reader_now(len(connection.atomic_blocks))
    if connection.in_atomic_block:
        connection.tell(reader)  # type: ignore[attr-defined]  # of `tenants.limits.base`
    elif reader is not None:
        with connection.wrap_database_errors, connection.connection.transaction():
            connection.connection.execute(telling(reader))
            return _run(statement, parameters)
    return _run(statement, parameters)


def _run(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": ""})
    with connection.wrap_database_errors, RawCursor(connection.connection) as cursor:
        connection.connection.prepare_threshold = PREPARE_AFTER if settings.PREPARED_STATEMENTS else None
        # Whoever watches statements, or ends a session at one, meets these among the others.
        run: Callable[..., Any] = _execute
        for wrapper in reversed(connection.execute_wrappers):
            run = partial(wrapper, run)
        run(statement, parameters, False, {"connection": connection, "cursor": cursor})
        return cursor.fetchall() if cursor.description else []


def _execute(statement: str, parameters: Sequence[Any], _many: bool, context: dict[str, Any]) -> None:
    context["cursor"].execute(statement, parameters, binary=True)
