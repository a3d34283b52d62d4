"""Whether row-level security takes a row away from those who may read it.

A policy that is too narrow shows no error: a table is empty, a sum is too small. So whatever a request reads is read
once more past the limit: what pages and API ask for names the organization already, so both must be the same rows.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from django.db import connection

from tenants.limits.reader import reader_now, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOVING: Final = ("clock_timestamp()", "app_oldest_running")
"""What answers otherwise when it is asked again."""


@contextmanager
def compared(seen: set[str]) -> Iterator[list[str]]:
    """Collect the queries of limited requests that a policy took rows from, but for those `seen` before.

    Every page of a caller asks some of the same. What a request reads after it began to change rows is compared for
    itself; whoever keeps the changes begins with none seen.
    """
    differing: list[str] = []
    known, busy = seen, False

    def again(execute: Callable[..., Any], query: str, parameters: Any, many: bool, context: Any) -> Any:
        nonlocal busy, known
        if busy or many:
            return execute(query, parameters, many, context)
        if not query.lstrip().startswith(("SELECT", "WITH")):
            known = set()
            return execute(query, parameters, many, context)
        reader = reader_now(len(connection.atomic_blocks))
        asked = f"{reader} {query} {parameters}"
        answer = execute(query, parameters, many, context)
        if reader is None or asked in known or any(word in query for word in MOVING):
            return answer
        known.add(asked)
        busy = True
        try:
            limited = _rows_given(context["cursor"].cursor, query, parameters)
            with whole("the same query past the limit"):
                unlimited = _rows(query, parameters)
        finally:
            busy = False
        if limited != unlimited and sorted(map(repr, limited)) != sorted(map(repr, unlimited)):
            differing.append(f"{len(limited)} rows, {len(unlimited)} past the limit: {query} with {parameters}")
        return answer

    with connection.execute_wrapper(again):
        yield differing


def _rows_given(cursor: Any, query: str, parameters: Any) -> list[Any]:
    """The rows that a cursor is about to give, and still gives; one that the server holds does not go back."""
    if not isinstance(cursor, psycopg.ClientCursor):
        return _rows(query, parameters)
    rows = list(cursor.fetchall())
    if rows:
        cursor.scroll(0, mode="absolute")
    return rows


def _rows(query: str, parameters: Any) -> list[Any]:
    """Rows in any order: without ORDER BY a plan decides it."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
