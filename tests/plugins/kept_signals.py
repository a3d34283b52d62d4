"""Fails a test that leaves a signal with another handler than it found.

What comes after it in its process would do at the signal what the test's code did, and so would every process that is
made from there: a pool that ends its processes by SIGTERM waited for one that only took note of it.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Look at them before a test and after it."""
    with signals_kept():
        return (yield)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Put back what ends a process after the block, and fail if there was anything to put back."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    changed = [number for number in ENDING if signal.getsignal(number) is not before[number]]
    for number in changed:
        signal.signal(number, before[number])
    assert not changed, f"the test left other handlers at {', '.join(number.name for number in changed)}"
