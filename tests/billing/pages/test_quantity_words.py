"""Quantities as people read and type them: by the hour where they are stored by the second."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.pages.quantity_words import WORDS, billed_number, most_words, quantity_words, stored_quantity
from billing.rating.rated import Unit


def test_every_unit_but_an_amount_has_words() -> None:
    assert set(WORDS) == set(Unit) - {Unit.AMOUNT}
    assert quantity_words(Decimal(5), Unit.AMOUNT) == most_words(Decimal(5), Unit.AMOUNT) == ""


@pytest.mark.parametrize(
    ("quantity", "unit", "words", "most"),
    [
        ("15033600", Unit.GPU_SECONDS, "4,176 GPU-h", "4,176 GPU-h"),
        ("2594693.880", Unit.GPU_SECONDS, "720.75 GPU-h", "720.74 GPU-h"),
        ("250000", Unit.TOKENS, "250,000 tokens", "250,000 tokens"),
        ("5400", Unit.GB_SECONDS, "1.50 GB-h", "1.50 GB-h"),
    ],
)
def test_seconds_are_said_by_the_hour_and_the_most_is_never_more_than_there_is(
    quantity: str, unit: Unit, words: str, most: str
) -> None:
    assert quantity_words(Decimal(quantity), unit) == words
    assert most_words(Decimal(quantity), unit) == most
    typed = Decimal(most.split()[0].replace(",", ""))
    assert stored_quantity(typed, unit) <= Decimal(quantity)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [("5011200", "1,392"), ("5400", "1.50"), ("2245380", "623.7167"), ("1", "0.0003"), ("-5400", "−1.50")],
)
def test_a_bill_says_a_quantity_so_finely_that_the_price_times_it_is_the_amount(seconds: str, said: str) -> None:
    """623.72 hours at 2.35 would be 1,465.74, and the line comes to 1,465.73."""
    assert billed_number(Decimal(seconds), Unit.GPU_SECONDS) == said
