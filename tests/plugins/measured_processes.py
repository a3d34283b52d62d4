"""Measures coverage in those processes only that a test names.

A test run starts hundreds of processes. Measuring takes a third of a small one's time and half of the whole platform's,
and most of them run what others ran before. What is left out can only make the measured coverage smaller.
"""

import os

import pytest

VARIABLE = "COVERAGE_PROCESS_CONFIG"
_taken: dict[str, str] = {}


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take it from workers, whose own measuring would be a second one, and begin with the interpreter."""
    if not hasattr(config, "workerinput"):
        os.environ.pop(VARIABLE, None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Take coverage's word to its children out of the environment, which every process of a test inherits."""
    if VARIABLE in os.environ:
        _taken[VARIABLE] = os.environ.pop(VARIABLE)


def measured() -> dict[str, str]:
    """What a process must have in its environment to be measured; nothing where the run measures nothing."""
    return dict(_taken)
