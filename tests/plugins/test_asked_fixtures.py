"""What asks for a plugin's fixture gets it; what is never given is of no use here."""

from __future__ import annotations

import unittest
from types import SimpleNamespace
from typing import Final, cast

import pytest
import pytest_django.fixtures
import pytest_django.plugin
from django.conf import settings
from pytest_playwright import pytest_playwright

from tests.plugins.asked_fixtures import FIXTURES, MARKS, NEVER, pytest_collection_modifyitems

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
