"""Querysets that are written once and asked with other values each time; they answer with what querysets answer.

To build a query of some joins and to write it takes Django a millisecond or two, longer than PostgreSQL takes to answer
most: a page of forty statements spent a third of its time so. `SaidOnce` is the same for a statement whose columns
its reader puts together itself.
"""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import lru_cache, wraps
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import prefetch_related_objects
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from django.db.models import QuerySet

Asked = ParamSpec("Asked")
Row = TypeVar("Row")

LISTED_MAX: Final = 256
"""A query that names more than this is written for them: what it costs is not the writing."""
TOLD_MAX: Final = 6
"""A tuple of more than this likewise: so many shapes are not met again."""
KEPT: Final = 64
"""Of one function: for so many shapes of what it is asked its queries are kept."""

_EPOCH: Final = datetime(1000, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000
"""The numbers from which the second stand-ins count down."""
_MADE: Final[dict[type, Callable[[int], Any]]] = {
    UUID: lambda number: UUID(int=number),
    datetime: lambda number: _EPOCH + timedelta(seconds=number),
    date: lambda number: _EPOCH.date() + timedelta(days=number),
    str: "stand-in {}".format,
}
"""By type, what stands for a value while a query is written: each number makes another."""


class _Same(NamedTuple):
    """The shape of what is part of the statement: another value makes another one."""

    kind: type
    value: Any


class _Listed(NamedTuple):
    """The shape of a collection, of so many values at most."""

    kind: type
    places: int


class _Place(NamedTuple):
    """Where a parameter comes from: a value asked, one of its members (-1: it as a whole), or else the constant."""

    asked: int
    member: int
    constant: Any


class GoesByValues(RuntimeWarning):
    """A function does more with what it is asked than to hand it to the database; its queries are written each time."""


def written_once(build: Callable[Asked, QuerySet[Any, Row]]) -> Callable[Asked, list[Row]]:
    """Make a function that builds a queryset return its rows; what it builds is written once a shape of arguments.

    Identifiers, instants, days and words may be other ones each time, alone, in tuples, and as the members of lists and
    sets that a column is looked up in; how long a tuple is, flags, numbers, None and members of enumerations are of
    the shape. All are handed to the database as they are: the function decides nothing by a value and works nothing out
    of one, and goes by its arguments alone. It is written for two sets of stand-ins; where they tell that it does more,
    it warns (GoesByValues, an error in tests), and what it builds for each call is asked.
    """

    @lru_cache(maxsize=KEPT)
    def written(names: tuple[str, ...], shapes: tuple[Any, ...]) -> _Written | _Empty | None:
        try:
            return _write(build, names, shapes)
        except EmptyResultSet:
            return _Empty()
        except ValueError as error:
            warnings.warn(str(error), GoesByValues, stacklevel=3)
            return None

    @wraps(build)
    def rows(*args: Asked.args, **kwargs: Asked.kwargs) -> list[Row]:
        values = (*args, *kwargs.values())
        shapes = _shape(values)
        found = None if shapes is None else written(tuple(kwargs), shapes)
        return list(build(*args, **kwargs)) if found is None else found.rows(list(_leaves(values)))

    return rows


class _Empty:
    """What is known to give no rows, such as what is in an empty list, and is not asked."""

    def rows(self, _asked: list[Any]) -> list[Any]:
        """Return no rows."""
        return []


@dataclass(frozen=True, slots=True)
class _Written:
    """A queryset with the statement that it came to, and where the parameters of it come from."""

    queryset: Any
    compiler: Any
    statement: str
    places: tuple[_Place, ...]

    def rows(self, asked: list[Any]) -> list[Any]:
        """Return the rows for what is asked; one query, and those of what is prefetched."""
        members = [list(value) if _is_listed(value) else [] for value in asked]
        params = tuple(
            place.constant
            if place.asked < 0
            else asked[place.asked]
            if place.member < 0
            else _member(members[place.asked], place.member)
            for place in self.places
        )
        compiler, query = copy(self.compiler), copy(self.queryset.query)
        compiler.connection = connections[DEFAULT_DB_ALIAS]
        compiler.as_sql = lambda *_args, **_kwargs: (self.statement, params)
        query.get_compiler = lambda *_args, **_kwargs: compiler
        found: list[Any] = list(self.queryset._iterable_class(_of_query(self.queryset, query)))
        if lookups := self.queryset._prefetch_related_lookups:
            prefetch_related_objects(found, *lookups)
        return found


def _of_query(queryset: Any, query: Any) -> Any:
    """Return a queryset that reads a query as another one does."""
    made = type(queryset)(model=queryset.model, query=query)
    made._fields = queryset._fields
    return made


def _is_listed(value: object) -> bool:
    return isinstance(value, (list, set, frozenset))


def _leaves(value: Any) -> Iterator[Any]:
    """Yield what is asked, value by value, with those that stand in tuples."""
    if type(value) is tuple:
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _member(values: list[Any], place: int) -> Any:
    """The member at a place; behind the last one that again, which changes nothing of a set."""
    return values[place] if place < len(values) else values[-1]


def _shape(value: Any) -> Any:
    """Return what of a value the statement depends on; None where it is written for this very value."""
    kind = type(value)
    if kind is tuple:
        shapes = tuple(_shape(each) for each in value)
        return None if None in shapes or len(shapes) > TOLD_MAX else shapes
    if kind in _MADE:
        return kind
    if _is_listed(value):
        return _shape_of_listed(value)
    assert value is None or isinstance(value, (bool, int, Enum)), f"not to be asked with: {kind.__name__}"
    return _Same(kind, value)


def _shape_of_listed(values: Collection[Any]) -> _Listed | _Same | None:
    if not values:
        return _Same(list, ())
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or len(values) > LISTED_MAX:
        return None
    (kind,) = kinds
    # Powers of two, so that lists of all lengths come to few statements.
    return _Listed(kind, 1 << (len(values) - 1).bit_length()) if kind in _MADE else None


def _write(build: Callable[..., Any], names: tuple[str, ...], shapes: tuple[Any, ...]) -> _Written:
    """Write what is built for stand-ins, and for others in the opposite order: what differs is what is asked."""
    first, second = _stand_ins(shapes, count(1)), _stand_ins(shapes, count(_SECOND, -1))
    queryset, compiler, statement, params = _statement(build, names, first)
    _queryset, _compiler, other, others = _statement(build, names, second)
    if statement != other or len(params) != len(others):
        raise ValueError(f"{build.__qualname__} builds another query for other values of its arguments")
    leaves = list(zip(_leaves(first), _leaves(second), strict=True))
    places = tuple(_place(pair, leaves, build.__qualname__) for pair in zip(params, others, strict=True))
    told = {place.asked for place in places}
    if any(one != another and number not in told for number, (one, another) in enumerate(leaves)):
        raise ValueError(f"{build.__qualname__} does not hand all of its arguments to the database")
    return _Written(queryset, compiler, statement, places)


def _stand_ins(shape: Any, numbers: Iterator[int]) -> Any:
    """Return what stands for a value of a shape, or for several."""
    if isinstance(shape, _Same):
        return [] if shape.kind is list else shape.value
    if isinstance(shape, _Listed):
        return [_MADE[shape.kind](next(numbers)) for _ in range(shape.places)]
    if isinstance(shape, tuple):
        return tuple(_stand_ins(each, numbers) for each in shape)
    return _MADE[shape](next(numbers))


def _statement(build: Callable[..., Any], names: tuple[str, ...], values: Any) -> tuple[Any, Any, str, Any]:
    plain = len(values) - len(names)
    queryset = build(*values[:plain], **dict(zip(names, values[plain:], strict=True)))
    compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
    return queryset, compiler, *compiler.as_sql()


def _place(pair: tuple[Any, Any], leaves: list[tuple[Any, Any]], name: str) -> _Place:
    """Return where a parameter comes from, by what it is with the first stand-ins and with the second."""
    if _value_of(pair[0]) == _value_of(pair[1]):
        return _Place(-1, -1, pair[0])
    for number, (one, other) in enumerate(leaves):
        if pair == (one, other):
            return _Place(number, -1, None)
        if isinstance(one, list) and pair[0] in one and pair[1] == other[one.index(pair[0])]:
            return _Place(number, one.index(pair[0]), None)
    raise ValueError(f"{name} works {pair[0]!r} out of its arguments: hand over what it is")


def _value_of(param: Any) -> Any:
    """Return what a parameter is, as which it can be compared: the driver's wrapper of a document cannot."""
    return param.obj if isinstance(param, Jsonb) else param
