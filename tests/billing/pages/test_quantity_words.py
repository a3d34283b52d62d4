"""Quantities as people read and type them: by the hour where they are stored by the second."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.pages.quantity_words import WORDS, most_words, quantity_words, stored_quantity
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
