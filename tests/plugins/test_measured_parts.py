"""What is measured, and what is not: seen by whether coverage's tracer is in place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import coverage
import pytest

from tests.plugins.measured_parts import not_measuring

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tracer_in_fixtures() -> Iterator[object]:
    yield sys.gettrace()
    assert sys.gettrace() is None


def measures() -> bool:
    """Whether this run measures coverage at all."""
    return coverage.Coverage.current() is not None


def test_a_test_is_measured_and_its_fixtures_are_not(tracer_in_fixtures: object) -> None:
    assert tracer_in_fixtures is None
    assert (sys.gettrace() is not None) == measures()


@pytest.mark.unmeasured
def test_a_marked_test_is_not_measured() -> None:
    assert sys.gettrace() is None


def test_after_a_pause_measuring_goes_on() -> None:
    before = sys.gettrace()
    with not_measuring():
        assert sys.gettrace() is None
    assert sys.gettrace() is before
