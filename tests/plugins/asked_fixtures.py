"""Leaves out fixtures of plugins that would see that nothing was asked of them, thousands of times.

Every test gets all that pytest-django and Playwright's plugin make for every test: a fourth of the time of a small one.
They stay where a mark or another fixture asks for what they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

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
