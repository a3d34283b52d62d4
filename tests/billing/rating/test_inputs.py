"""Inputs of rating refuse what cannot be, and find what was carried."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used, facts_of

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 3, 15, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


class Other(Fact, frozen=True, kw_only=True, tag="other"):
    """A fact of the tests."""


def test_a_window_is_whole_at_the_end_of_its_period() -> None:
    assert RatingWindow("USD", "UTC", MARCH, APRIL, APRIL).is_whole
    assert not RatingWindow("USD", "UTC", MARCH, MIDDLE, APRIL).is_whole
    with pytest.raises(AssertionError):
        RatingWindow("USD", "UTC", MARCH, APRIL, MIDDLE)


def test_amounts_per_period_are_prorated_by_the_uncut_period() -> None:
    assert RatingWindow("USD", "UTC", MARCH, MIDDLE, APRIL).seconds_per_period == 31 * 86_400
    assert RatingWindow("USD", "UTC", MIDDLE, APRIL, APRIL, (), 31 * 86_400).seconds_per_period == 31 * 86_400


def test_what_was_carried_is_found_by_name_and_else_nothing() -> None:
    facts = (Other(), Carried(name="shortfall_amount", value=Decimal("12.5")))
    term = TermInput("S-1", "sample", MARCH, None, (), facts=facts)
    assert term.carried("shortfall_amount") == Decimal("12.5")
    assert term.carried("other") == 0
    assert facts_of(facts, Other) == [Other()]


def test_counts_are_never_negative() -> None:
    assert Used("d", "m", "input", "A", MARCH, APRIL, 0).marks == ""
    with pytest.raises(AssertionError):
        Used("d", "m", "input", "A", MARCH, APRIL, -1)
