"""What asks for a plugin's fixture gets it; what is never given is of no use here."""

from __future__ import annotations

import functools
import unittest
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

import pytest
import pytest_django.fixtures
import pytest_django.plugin
from _pytest.compat import getfuncargnames
from django.conf import settings
from pytest_playwright import pytest_playwright

from tests.plugins.asked_fixtures import FIXTURES, MARKS, NEVER, naming, pytest_collection_modifyitems

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY: Final = [*MARKS, *FIXTURES, *NEVER, "_django_db_marker"]


def left(*fixtures: str, mark: str = "") -> set[str]:
    """Which of a test's fixtures it keeps."""
    item = SimpleNamespace(fixturenames=[*EVERY, *fixtures], iter_markers=lambda name: iter([name] * (name == mark)))
    pytest_collection_modifyitems([cast("pytest.Item", item)])
    return set(item.fixturenames)


def test_what_nothing_asks_for_is_left_out() -> None:
    assert left("db") == {"_django_db_marker", "db"}


@pytest.mark.parametrize(("fixture", "mark"), MARKS.items())
def test_a_mark_asks(fixture: str, mark: str) -> None:
    assert left(mark=mark) == {"_django_db_marker", fixture}


@pytest.mark.parametrize(("fixture", "asking"), FIXTURES.items())
def test_another_fixture_asks(fixture: str, asking: str) -> None:
    assert left(asking) == {"_django_db_marker", fixture, asking}


def test_the_plugins_name_them_so() -> None:
    plugins = (pytest_django.plugin, pytest_django.fixtures, pytest_playwright)
    assert all(any(hasattr(plugin, name) for plugin in plugins) for name in EVERY)


def test_what_is_never_given_is_of_no_use(request: pytest.FixtureRequest) -> None:
    assert "django.contrib.sites" not in settings.INSTALLED_APPS
    classes = {item.cls for item in request.session.items if isinstance(item, pytest.Function) and item.cls}
    assert not [one for one in classes if issubclass(one, unittest.TestCase)]


def one_by_place(first: int) -> int:
    return first


def one_by_name(*, first: int) -> int:
    return first


@functools.wraps(one_by_place)
def wrapping_one() -> int:
    return one_by_place(1)


@pytest.mark.parametrize(
    ("function", "names"),
    [(lambda: 1, ()), (one_by_place, ("first",)), (one_by_name, ("first",)), (wrapping_one, ("first",))],
)
def test_parameters_are_named_as_pytest_names_them(function: Callable[..., int], names: tuple[str, ...]) -> None:
    asked: list[object] = []

    def by_pytest(one: Callable[..., int], name: str) -> tuple[str, ...]:
        asked.append(one)
        return getfuncargnames(one, name=name)

    assert naming(by_pytest)(function, name="some") == getfuncargnames(function, name="some") == names
    assert bool(asked) == bool(names)
