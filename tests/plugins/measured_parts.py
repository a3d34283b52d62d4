"""Measures coverage of what a test does, not of what prepares for it, and not where a test only repeats others.

Measuring makes Python a third slower. Fixtures build the same worlds a thousand times; tests marked `unmeasured` go
through the same code hundreds of times or run none of the product's; of the workers, which all import the same
modules, one is measured while it does. What is left out can only make the measured coverage smaller.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

MARK = "unmeasured"
FIRST_WORKER = "gw0"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{MARK}: repeats what other tests do, so that its coverage is not measured")


@contextmanager
def not_measuring() -> Iterator[None]:
    """Put coverage aside in this thread; it has written down everything up to here."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None]:
    """Measure imports in one of the workers."""
    worker = getattr(session.config, "workerinput", {}).get("workerid", FIRST_WORKER)
    if worker == FIRST_WORKER:
        return (yield)
    with not_measuring():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Leave out what fixtures do."""
    with not_measuring():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Leave out the whole test where it says so."""
    if item.get_closest_marker(MARK) is None:
        return (yield)
    with not_measuring():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Leave out what fixtures do."""
    with not_measuring():
        return (yield)
