"""A Stripe double for the tests of collecting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.stripe_double.fixture import StripeDouble, shared_double

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def double_process() -> Iterator[StripeDouble]:
    with shared_double() as running:
        yield running


@pytest.fixture
def double(double_process: StripeDouble) -> Iterator[StripeDouble]:
    """A double that knows nothing yet; the process serves all tests of a run."""
    with double_process.anew() as double:
        yield double
