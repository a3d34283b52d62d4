"""Leaves out fixtures of plugins that would see that nothing was asked of them, thousands of times.

Every test gets all that pytest-django and Playwright's plugin make for every test: a fourth of the time of a small one.
They stay where a mark or another fixture asks for what they do. And pytest, which makes a fixture of its own for each
that takes `request`, reads its parameters out of its code instead of making a signature.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest import fixtures
from _pytest.compat import getfuncargnames

if TYPE_CHECKING:
    from collections.abc import Callable

MARKS: Final = {
    "_django_set_urlconf": "urls",
    "_django_isolate_apps": "django_isolate_apps",
    "_template_string_if_invalid_marker": "ignore_template_errors",
}
"""Which mark asks for a fixture."""
FIXTURES: Final = {"_pw_trace_api_requests": "playwright", "_live_server_helper": "live_server"}
"""Which fixture asks for a fixture."""
NEVER: Final = frozenset({"_django_clear_site_cache", "_django_setup_unittest"})
"""What is of use to Django's sites and to classes of tests: neither is here (`test_asked_fixtures`)."""


def pytest_configure(config: pytest.Config) -> None:
    """Let functions without parameters have none at once until the run's end."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setattr(fixtures, "getfuncargnames", naming(getfuncargnames))


def naming(by_pytest: Callable[..., tuple[str, ...]]) -> Callable[..., tuple[str, ...]]:
    """What names the parameters of a fixture's function as pytest does."""

    def name_parameters(function: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, ...]:
        if type(function) is FunctionType and not function.__dict__:  # else it may be signed otherwise
            code = function.__code__
            if code.co_argcount == code.co_kwonlyargcount == 0:
                return ()
        return by_pytest(function, *given, **named)

    return name_parameters


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out of each test what it asks nothing of; tests of one function share a list."""
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        names[:] = [name for name in names if is_asked(name, item, names)]


def is_asked(name: str, item: pytest.Item, names: list[str]) -> bool:
    """Whether a test may need a fixture."""
    if name in MARKS:
        return any(item.iter_markers(MARKS[name]))
    if name in FIXTURES:
        return FIXTURES[name] in names
    return name not in NEVER
