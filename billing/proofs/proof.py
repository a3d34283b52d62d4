"""What a check of the books is, and how it reads rows."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import connection

Proved = tuple[int, Iterable[str]]
"""How many rows a check looked at, and where its invariant does not hold."""

Checks = Mapping[str, Callable[[], Proved]]
"""Checks by what they prove, in words for people."""


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a statement reads."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
