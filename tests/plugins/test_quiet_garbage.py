"""While tests run, the collector works, rarely, and leaves what was collected alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Final

from tests.plugins.quiet_garbage import THRESHOLDS

CONFIGURED: Final = """
import gc
from tests.plugins import quiet_garbage

quiet_garbage.pytest_configure()
print(gc.isenabled())
kept = [[] for _ in range(1_000)]
quiet_garbage.pytest_collection_finish()
print(gc.isenabled(), gc.get_freeze_count() > 1_000)
"""


class Node:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_the_collector_works_rarely_and_leaves_the_tests_alone() -> None:
    assert gc.isenabled()
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 10_000


def test_what_a_test_leaves_in_a_circle_still_goes() -> None:
    gone = weakref.ref(Node())
    gc.collect(0)  # the youngest: to look at all that thousands of tests left takes two seconds
    assert gone() is None


def test_nothing_is_looked_at_while_tests_are_collected() -> None:
    said = subprocess.run([sys.executable, "-c", CONFIGURED], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True", "True"]
