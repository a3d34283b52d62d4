"""Lets the worlds of `tests.kept` stand before a test's own transaction begins, and orders tests by them."""

from __future__ import annotations

from itertools import count, groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from tests.kept import Copies, NotKept, Pile, Wanted, is_transactional, wanted_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import DjangoDbBlocker

_pile = pytest.StashKey[Pile]()


@pytest.fixture(scope="session")
def kept_pile(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Pile]:
    pile = Pile(django_db_blocker)
    request.config.stash[_pile] = pile
    yield pile
    pile.end()


@pytest.fixture
def kept_copies(request: pytest.FixtureRequest, kept_pile: Pile) -> Copies:
    return Copies(kept_pile, wanted_by(request.node), is_transactional(request.node))


@pytest.fixture
def _django_db_helper(request: pytest.FixtureRequest, kept_pile: Pile) -> None:
    """Let what a test begins with stand before pytest-django begins the test's own transaction."""
    if not is_transactional(request.node):
        kept_pile.become(list(wanted_by(request.node).values()))
    request.getfixturevalue("_django_db_helper")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave no transaction open beside a test that does not need it; a browser's tests have another connection."""
    pile = item.config.stash.get(_pile, None)
    if pile is not None and (not wanted_by(item) or is_transactional(item)):
        pile.become([])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of a module that begin with the same worlds follow each other."""
    numbers: dict[Wanted, int] = {}
    following = count()

    def rank(item: pytest.Item) -> list[int]:
        try:
            wanted = [] if is_transactional(item) else list(wanted_by(item).values())
        except NotKept:
            return []  # told when the test begins
        return [numbers.setdefault(one, next(following)) for one in wanted]

    items[:] = [item for _, tests in groupby(items, key=attrgetter("path")) for item in sorted(tests, key=rank)]
