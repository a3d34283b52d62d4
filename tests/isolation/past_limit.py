"""Whether row-level security takes a row away from those who may read it.

A policy that is too narrow shows no error: a table is empty, a sum is too small. So whatever a request reads is read
once more past the limit: what pages and API ask for names the organization already, so both must be the same rows.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection

from tenants.limits.reader import reader_now, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def compared(seen: set[str]) -> Iterator[list[str]]:
    """Collect the queries of limited requests that a policy took rows from, but for those `seen` before.

    Every page of a caller asks some of the same; whoever changes rows between two pages begins with none seen.
    """
    differing: list[str] = []
    busy = False

    def twice(execute: Callable[..., Any], query: str, parameters: Any, many: bool, context: Any) -> Any:
        nonlocal busy
        moving = "clock_timestamp()" in query or "app_oldest_running" in query
        if not (busy or many or moving) and _is_limited() and query.lstrip().startswith(("SELECT", "WITH")):
            asked = f"{reader_now(len(connection.atomic_blocks))} {query} {parameters}"
            if asked in seen:
                return execute(query, parameters, many, context)
            seen.add(asked)
            busy = True
            try:
                limited = _rows(query, parameters)
                with whole("the same query past the limit"):
                    unlimited = _rows(query, parameters)
            finally:
                busy = False
            if limited != unlimited and sorted(map(repr, limited)) != sorted(map(repr, unlimited)):
                differing.append(f"{len(limited)} rows, {len(unlimited)} past the limit: {query} with {parameters}")
        return execute(query, parameters, many, context)

    with connection.execute_wrapper(twice):
        yield differing


def _is_limited() -> bool:
    return reader_now(len(connection.atomic_blocks)) is not None


def _rows(query: str, parameters: Any) -> list[Any]:
    """Rows in any order: without ORDER BY a plan decides it."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
