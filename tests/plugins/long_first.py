"""Lets the tests that take long begin first, shared evenly by the workers, so that none is left over at the end.

Workers begin with equal stretches of the list and then take from each other's ends.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

Test = TypeVar("Test")
LONG: Final = ("stack", "browser")
"""Marks of tests that start the whole platform or a browser."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the list; every worker comes to the same order, which the shuffle before it gave."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 0)) or config.option.forks or 1
    modules = [list(tests) for _, tests in groupby(items, key=attrgetter("path"))]
    is_long = [any(test.get_closest_marker(mark) for mark in LONG for test in tests) for tests in modules]
    items[:] = spread(
        [tests for tests, long in zip(modules, is_long, strict=True) if long],
        [tests for tests, long in zip(modules, is_long, strict=True) if not long],
        workers,
    )


def spread(long: Sequence[Sequence[Test]], short: Sequence[Sequence[Test]], workers: int) -> list[Test]:
    """Return all tests of all modules: one stretch a worker, each with its share of long modules at its beginning."""
    stretches: list[list[Test]] = [
        [test for tests in long[number::workers] for test in tests] for number in range(workers)
    ]
    size = -(-(sum(map(len, long)) + sum(map(len, short))) // workers)
    waiting = [test for tests in short for test in tests]
    for stretch in stretches:
        room = max(0, size - len(stretch))
        stretch += waiting[:room]
        waiting = waiting[room:]
    return [*(test for stretch in stretches for test in stretch), *waiting]
