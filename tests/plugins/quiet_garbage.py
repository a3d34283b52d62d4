"""Lets Python's garbage collector be while tests are collected, and look rarely, and not at them, afterwards.

Thousands of collected tests are millions of objects that stay until the end. Walking over them again and again took a
third of the time of collecting and a fifth of that of the tests.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (100_000, 50, 100)
"""Allocations before the young are looked at, and how many such looks come before a look at the older ones."""


def pytest_configure() -> None:
    """Let nothing be looked at while tests are collected."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what is collected out of every later look, with what little of it is garbage: to look costs a second."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
