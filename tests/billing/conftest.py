"""A Stripe double for the tests of collecting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.stripe_double.fixture import StripeDouble, stripe_double

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def double() -> Iterator[StripeDouble]:
    with stripe_double() as running:
        yield running
