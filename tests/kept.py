"""Keeps a world of rows for all tests that begin with it, each of which changes it in a savepoint of its own.

`march = kept(make_march)` declares a fixture. Its maker runs once, in a transaction that stays open; a test that names
`march` gets a copy of what the maker returned, over rows that the tests before it left as they were. A maker's
parameters without a default name other kept fixtures:

    @kept
    def march(cast: Cast) -> Month:
        return make_march(cast)

What stands is a pile: the next test keeps what it begins with too, and the rest is undone. So a test finds the worlds
that it names, and no others. Tests of a module that name the same ones run one after another. A transactional test
finds an empty database, and a world that it names is made for it alone.

Numbers from sequences are not given back, and the transaction's time (`now()` in SQL) is that of the world's making.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.db import connection, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_django import DjangoDbBlocker

MANY: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class NotKept(Exception):
    """A kept world was to begin with what lasts for one test only."""


@dataclass(frozen=True)
class Wanted:
    """A world by how it is made; two modules that make one alike may follow each other in the same."""

    make: Callable[..., Any]
    needs: tuple[tuple[str, Wanted], ...] = ()


@dataclass(frozen=True)
class Standing:
    """A world whose rows are there, with what it and the worlds below it are: its maker may have changed those."""

    wanted: Wanted
    transaction: transaction.Atomic
    values: tuple[Any, ...]


@dataclass
class Pile:
    """The worlds that stand, each in a savepoint within that of the one before."""

    blocker: DjangoDbBlocker
    standing: list[Standing] = field(default_factory=list)

    def become(self, wanted: Sequence[Wanted]) -> None:
        """Undo what is not `wanted`, last things first, and make what is missing."""
        with self.blocker.unblock():
            pairs = zip(wanted, self.standing, strict=False)
            common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1].wanted, pairs))
            if self.standing and connection.connection is None:
                common = 0  # a test closed it, and with it went everything
            while len(self.standing) > common:
                _end(self.standing.pop().transaction)
            for one in wanted[common:]:
                self._make(one)

    def end(self) -> None:
        """Undo everything; what stands on a connection that went with Playwright's loop, the database's end undoes."""
        if connection.in_atomic_block:
            self.become([])

    def _make(self, wanted: Wanted) -> None:
        begun: Any = transaction.atomic()
        # A use case may ask for the outermost transaction: within tests Django lets it have any.
        begun._from_testcase = True
        begun.__enter__()
        try:
            below = deepcopy(self._values())  # so that what it does to them ends with it, as in the database
            value = wanted.make(**{name: below[self._place(of)] for name, of in wanted.needs})
            # What is checked when a transaction ends is checked here, and not again at the end of each test.
            connection.check_constraints()
        except BaseException:
            _end(begun)
            raise
        self.standing.append(Standing(wanted, begun, (*below, value)))

    def value(self, wanted: Wanted) -> Any:
        """What the maker of a world that stands returned, as the makers after it left it."""
        return self._values()[self._place(wanted)]

    def _values(self) -> tuple[Any, ...]:
        return self.standing[-1].values if self.standing else ()

    def _place(self, wanted: Wanted) -> int:
        return next(place for place, one in enumerate(self.standing) if one.wanted == wanted)


@contextmanager
def undone() -> Iterator[None]:
    """Undo at its end what is written within, use cases that ask for the outermost transaction among it."""
    begun: Any = transaction.atomic()
    begun._from_testcase = True
    begun.__enter__()
    try:
        yield
    finally:
        _end(begun)


def _end(begun: Any) -> None:
    transaction.set_rollback(True)
    begun.__exit__(None, None, None)


@dataclass(frozen=True)
class Copies:
    """What one test is given: parts that two worlds share are the same in both copies."""

    pile: Pile
    wanted: dict[str, Wanted]
    is_transactional: bool
    memo: dict[int, Any] = field(default_factory=dict)

    def give(self, name: str, make: Callable[..., Any], needs: dict[str, Any]) -> Any:
        """Return a copy of the world `name`, or a new one."""
        if self.is_transactional:
            return make(**needs)
        return deepcopy(self.pile.value(self.wanted[name]), self.memo)


def kept(make: Callable[..., Any]) -> Any:
    """Declare a fixture for a world that `make` makes and that is kept; see above."""
    parameters = inspect.signature(make).parameters.values()
    needs = [one.name for one in parameters if one.default is one.empty and one.kind not in MANY]

    def give(**given: Any) -> Any:
        copies: Copies = given.pop("kept_copies")
        request: pytest.FixtureRequest = given.pop("request")
        del given["db"]
        assert request.fixturename is not None
        return copies.give(request.fixturename, make, given)

    asked = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("request", "db", "kept_copies", *needs)
    ]
    signed: Any = give
    signed.__signature__ = inspect.Signature(asked)
    signed.__name__ = getattr(make, "__name__", "kept")
    signed.kept = (make, needs)
    return pytest.fixture(signed)


def wanted_by(item: pytest.Item) -> dict[str, Wanted]:
    """The kept worlds that a test names, itself or by its fixtures, each after those that it needs."""
    found: dict[str, Wanted] = {}
    # Alike for all tests, whatever order they name them in, so that more is common to them.
    for name in sorted(getattr(item, "fixturenames", ()), key=lambda name: (name != "cast", name)):
        _want(item, name, found)
    return found


def _want(item: pytest.Item, name: str, found: dict[str, Wanted]) -> Wanted | None:
    if name not in found:
        defined = item._fixtureinfo.name2fixturedefs.get(name)  # type: ignore[attr-defined]
        make, needs = getattr(defined[-1].func, "kept", (None, ())) if defined else (None, ())
        if make is None:
            return None
        found_needs = [(need, _want(item, need, found)) for need in needs]
        for need, of in found_needs:
            if of is None:
                raise NotKept(f"{name} is kept for several tests and needs {need}, which is not.")
        found[name] = Wanted(make, tuple(found_needs))  # type: ignore[arg-type]
    return found[name]


def is_transactional(item: pytest.Item) -> bool:
    """Whether a test commits, as pytest-django decides it."""
    mark = item.get_closest_marker("django_db")
    if mark is not None and (
        any(mark.args[:2]) or mark.kwargs.get("transaction") or mark.kwargs.get("reset_sequences")
    ):
        return True
    asked = {"transactional_db", "django_db_reset_sequences", "live_server", "lasting_rows"}
    return not asked.isdisjoint(getattr(item, "fixturenames", ()))
