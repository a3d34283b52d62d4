"""Pages of rows by the key of the last one: what is there throughout a walk comes once, whatever arrives meanwhile.

An offset would not do: one row that is added before it shifts every later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Model, Q

from tenants.listing.cursors import Place, WrongCursor, scalar, write_cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db.models import QuerySet

Row = TypeVar("Row")
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Page:
    """What of a list is asked for: at most `limit` rows after a place, from the beginning without one."""

    limit: int
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Paged(Generic[Row]):
    """The rows of a page; `next_cursor` is None after the last one."""

    rows: list[Row]
    next_cursor: str | None


def page_rows(found: QuerySet[M], page: Page, order: Sequence[str]) -> Paged[M]:
    """Return a page of a query in an order of columns that never change and together name one row.

    A column with "-" before it falls; names may lead through relations ("term__ref"). None of them may be null. One
    query. Raises WrongCursor.
    """
    if page.after is not None:
        found = found.filter(_beyond(found.model, order, page.after))
    rows = list(found.order_by(*order)[: page.limit + 1])
    kept = rows[: page.limit]
    if len(rows) <= page.limit:
        return Paged(kept, None)
    return Paged(kept, write_cursor(tuple(scalar(_value(kept[-1], name)) for name in order)))


def page_of(
    rows: Sequence[Row], page: Page, key: Callable[[Row], Sequence[object]], *, falling: bool = False
) -> Paged[Row]:
    """Return a page of rows that were worked out, in the order of a key that names each; the last first if `falling`.

    For lists that are small by nature. Values of the key at one position are all of one type, None before the others.
    Raises WrongCursor.
    """
    keyed = sorted(((place_of(key(row)), row) for row in rows), key=lambda one: _sortable(one[0]), reverse=falling)
    if page.after is not None:
        end = _sortable(page.after)
        try:
            keyed = [one for one in keyed if _sortable(one[0]) != end and (_sortable(one[0]) > end) != falling]
        except TypeError as error:
            raise WrongCursor from error
    kept = keyed[: page.limit]
    more = len(keyed) > page.limit
    return Paged([row for _, row in kept], write_cursor(kept[-1][0]) if more else None)


def place_of(values: Sequence[object]) -> Place:
    """Return a sort key as a cursor holds it."""
    return tuple(scalar(value) for value in values)


def _sortable(place: Place) -> list[tuple[bool, Any]]:
    return [(value is not None, "" if value is None else value) for value in place]


def page_values(
    found: QuerySet[Any, Any], page: Page, order: Sequence[str], columns: Sequence[str]
) -> Paged[tuple[Any, ...]]:
    """Return a page of a query as tuples of columns, some of which may be annotated; else like `page_rows`."""
    if page.after is not None:
        found = found.filter(_beyond(found.model, order, page.after))
    names = [name.removeprefix("-") for name in order]
    rows = list(found.order_by(*order).values(*dict.fromkeys([*columns, *names]))[: page.limit + 1])
    kept = [tuple(row[name] for name in columns) for row in rows[: page.limit]]
    if len(rows) <= page.limit:
        return Paged(kept, None)
    return Paged(kept, write_cursor(place_of([rows[page.limit - 1][name] for name in names])))


def beyond(order: Sequence[str], values: Sequence[object]) -> Q:
    """Rows after those values, compared column by column as PostgreSQL sorts: a null is after everything."""
    (name, value), rest = (order[0], values[0]), Q()
    column = name.removeprefix("-")
    if len(order) > 1:
        rest = Q(**{column: value} if value is not None else {f"{column}__isnull": True}) & beyond(
            order[1:], values[1:]
        )
    if name.startswith("-"):
        further = Q(**{f"{column}__isnull": False}) if value is None else Q(**{f"{column}__lt": value})
    elif value is None:
        return rest if len(order) > 1 else Q(pk__in=[])
    else:
        further = Q(**{f"{column}__gt": value}) | Q(**{f"{column}__isnull": True})
    return further | rest if len(order) > 1 else further


def _beyond(model: type[Model], order: Sequence[str], after: Place) -> Q:
    """Rows after a place in an order of columns; the first bound stands alone too, for the index."""
    if len(after) != len(order):
        raise WrongCursor
    names = [name.removeprefix("-") for name in order]
    values = [_parsed(model, name, value) for name, value in zip(names, after, strict=True)]
    sign = "lte" if order[0].startswith("-") else "gte"
    return Q(**{f"{names[0]}__{sign}": values[0]}) & beyond(order, values)


def _parsed(model: type[Model], name: str, value: object) -> object:
    field = _field(model, name)
    assert not field.null, f"{name} may be null; a list cannot be ordered by it"
    if value is None or isinstance(value, bool):
        raise WrongCursor
    try:
        return field.to_python(value)
    except (ValidationError, ValueError, OverflowError, TypeError) as error:
        raise WrongCursor from error


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    *steps, last = name.split("__")
    for step in steps:
        related = model._meta.get_field(step).related_model
        assert isinstance(related, type), f"{step} of {name} is no relation"
        model = related
    try:
        found = model._meta.pk if last == "pk" else model._meta.get_field(last)
    except FieldDoesNotExist as error:
        raise AssertionError(f"{name} is no column") from error
    assert isinstance(found, Field)
    return found


def _value(row: Model, name: str) -> object:
    value: object = row
    for step in name.removeprefix("-").split("__"):
        value = getattr(value, step)
    return value
