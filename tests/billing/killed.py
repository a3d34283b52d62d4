"""Kills an act before each of its writes in turn, and holds that nothing of it is left.

A kill between two writes, at a read, finds the same rows as one before the later of them, so that writes are the
places to die at; `KILL_READS=1` dies at each read too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from django.db.models import Model

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]
Wrapper = Callable[[Execute, str, Any, bool, dict[str, Any]], Any]
SAVEPOINTS = ("SAVEPOINT", "RELEASE", "ROLLBACK")
NOT_PLACES = SAVEPOINTS if os.environ.get("KILL_READS") else (*SAVEPOINTS, "SELECT")
PLACES_MAX = 200


class Killed(Exception):
    """The worker died."""


def die() -> None:
    raise Killed


def at_statement(number: int, act: Callable[[], None], *, none_of: tuple[str, ...] = SAVEPOINTS) -> Wrapper:
    """Return a wrapper that acts before the statement of that number is executed."""
    seen = 0

    def wrapper(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal seen
        if not sql.startswith(none_of):
            seen += 1
            if seen == number:
                act()
        return execute(sql, params, many, context)

    return wrapper


def at_write(number: int, act: Callable[[], None]) -> Wrapper:
    """Return a wrapper that acts before the statement of that number is executed, of those that may write."""
    return at_statement(number, act, none_of=NOT_PLACES)


def rows_in(tables: Sequence[type[Model]]) -> list[tuple[str, str]]:
    """Every row of the tables as it stands, with the name of its table."""
    names = [table._meta.db_table for table in tables]
    rows = " UNION ALL ".join(f"SELECT '{name}', kept::text FROM {name} kept" for name in names)
    return _fetched(f"{rows} ORDER BY 1, 2")


def counts_in(tables: Sequence[type[Model]]) -> dict[str, int]:
    """How many rows each table has."""
    names = [table._meta.db_table for table in tables]
    return dict(_fetched(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in names)))


def _fetched(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def killed_everywhere(act: Callable[[], object], tables: Sequence[type[Model]], *, least: int, every: int = 1) -> None:
    """Kill an act before each of its writes; it leaves every row as it was, and ends at last.

    `least` is how many places to die at there must have been: fewer, and the act did not do what it is tested for.
    A long act may be killed before `every` so-manieth write only.
    """
    before, place = rows_in(tables), 1 - every
    while True:
        place += every
        assert place < PLACES_MAX, "the act never ends"
        try:
            with connection.execute_wrapper(at_write(place, die)):
                act()
        except Killed:
            assert rows_in(tables) == before, f"killed before write {place}"
        else:
            break
    assert place > least, f"there were {place - 1} places to die at"
    assert rows_in(tables) != before
