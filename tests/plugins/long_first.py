"""Lets the tests that take long begin first, so that none is left over at the end.

Those that start the whole platform wait for its processes most of their time, and are one worker's, while the others
keep the machine busy; those with a browser are shared by the others. Workers begin with equal stretches of the list and
then take from each other's ends.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

Test = TypeVar("Test")
WAITING, BUSY = "stack", "browser"
"""Marks of tests that start the whole platform, and a browser."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the list; every worker comes to the same order, which the shuffle before it gave."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 0)) or config.option.forks or 1
    modules = [list(tests) for _, tests in groupby(items, key=attrgetter("path"))]
    marked = [next((mark for mark in (WAITING, BUSY) if _has(tests, mark)), "") for tests in modules]
    of_mark = {
        wanted: [tests for tests, mark in zip(modules, marked, strict=True) if mark == wanted]
        for wanted in (WAITING, BUSY, "")
    }
    items[:] = spread(of_mark[WAITING], of_mark[BUSY], of_mark[""], workers)


def _has(tests: Sequence[pytest.Item], mark: str) -> bool:
    return any(test.get_closest_marker(mark) for test in tests)


def spread(
    waiting: Sequence[Sequence[Test]], busy: Sequence[Sequence[Test]], short: Sequence[Sequence[Test]], workers: int
) -> list[Test]:
    """Return all tests of all modules: one stretch a worker. The first begins with the modules that wait, each of the
    others with its share of the busy ones."""
    sharing = max(1, workers - 1)
    shares = [[test for tests in busy[number::sharing] for test in tests] for number in range(sharing)]
    stretches = [[test for tests in waiting for test in tests], *shares]
    if workers == 1:
        stretches = [[*stretches[0], *shares[0]]]
    size = -(-sum(map(len, (*waiting, *busy, *short))) // workers)
    rest = [test for tests in short for test in tests]
    for stretch in stretches:
        room = max(0, size - len(stretch))
        stretch += rest[:room]
        rest = rest[room:]
    return [*(test for stretch in stretches for test in stretch), *rest]
