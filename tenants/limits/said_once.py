"""Statements that are written once and asked with other values each time.

Django takes longer to write a statement of some joins and sums than PostgreSQL to answer it, and pages ask dozens.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance
    from django.db.models import QuerySet


class SaidOnce:
    """A statement written for stand-ins, each of which is told from every other value in it.

    `stand_ins` is what is asked, as an instance of a frozen dataclass: its values stand in `rows` where those of
    another instance shall be taken. A value that is worked out from another (an hour before now) is a field of its own.
    """

    def __init__(self, stand_ins: DataclassInstance, rows: QuerySet[Any, Any]) -> None:
        names: Mapping[Any, str] = {getattr(stand_ins, field.name): field.name for field in fields(stand_ins)}
        self._statement, values = rows.query.sql_with_params()
        self._places = [(names.get(value, ""), value) for value in values]
        self.takes = frozenset(name for name, _ in self._places if name)
        """The fields whose values the statement takes."""

    def grouped(self, *keys: str, **sums: str) -> SaidOnce:
        """Group its rows by some of its columns; names and sums are those of the module that asks."""
        said = ", ".join([*keys, *(f"{how} AS {name}" for name, how in sums.items())])
        return self.within(f"SELECT {said} FROM ({{rows}}) AS one GROUP BY {', '.join(keys)}")  # noqa: S608 - as said

    def within(self, statement: str) -> SaidOnce:
        """Put its rows into a statement of the module that asks, for `{rows}`, before the first place for a value."""
        made = object.__new__(SaidOnce)
        made._statement = statement.format(rows=self._statement)
        made._places, made.takes = self._places, self.takes
        return made

    def rows(self, asked: DataclassInstance, *more: Any) -> list[tuple[Any, ...]]:
        """Return the rows of the statement for what is asked; one query.

        `more` are the values of the places that stand after those of its own, in a statement that it was put into.
        """
        values = [getattr(asked, name) if name else value for name, value in self._places]
        with connection.cursor() as cursor:
            cursor.execute(self._statement, [*values, *more])
            return list(cursor.fetchall())
