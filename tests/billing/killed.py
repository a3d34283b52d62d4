"""Kills an act before each of its statements in turn, and holds that nothing of it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from tests.billing.test_closing__killed import Killed, at_statement, die

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models import Model


def rows_in(tables: Sequence[type[Model]]) -> list[list[tuple[object, ...]]]:
    """Every row of the tables as it stands."""
    return [sorted(table._default_manager.values_list(), key=repr) for table in tables]


def killed_everywhere(act: Callable[[], object], tables: Sequence[type[Model]], *, least: int, every: int = 1) -> None:
    """Kill an act before each of its statements; it leaves every row as it was, and ends at last.

    `least` is how many places to die at there must have been: fewer, and the act did not do what it is tested for.
    A long act may be killed before `every` so-manieth statement only.
    """
    before, statement = rows_in(tables), 1 - every
    while True:
        statement += every
        assert statement < 200, "the act never ends"
        try:
            with connection.execute_wrapper(at_statement(statement, die)):
                act()
        except Killed:
            assert rows_in(tables) == before, f"killed at statement {statement}"
        else:
            break
    assert statement > least
    assert rows_in(tables) != before
