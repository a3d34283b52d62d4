"""Taxes in words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.pages.tax_words import CATEGORY_WORDS, country_words, rate_words, tax_lines
from billing.queries.invoice_taxes import RateRow
from billing.tax_rules.treatments import Category


def row(category: str, percent: str, country: str = "FI", reason: str = "") -> RateRow:
    return RateRow(1, category, Decimal(percent), country, "built_in", "", reason, Decimal(100), Decimal(5))


def test_every_category_has_words() -> None:
    assert set(CATEGORY_WORDS) == set(Category)
    assert all(str(words) for words in CATEGORY_WORDS.values())


@pytest.mark.parametrize(
    ("category", "percent", "words"),
    [
        ("S", "25.5000", "Value added tax 25.5%"),
        ("S", "19", "Value added tax 19%"),
        ("S", "8.875", "Value added tax 8.875%"),
        ("AE", "0", "Reverse charge"),
        ("", "0", "By the built-in rules"),
    ],
)
def test_a_rate_has_as_many_digits_as_it_needs(category: str, percent: str, words: str) -> None:
    assert rate_words(category, Decimal(percent)) == words


def test_a_rate_of_an_invoice_names_its_country_base_and_reason() -> None:
    standard, reverse = tax_lines([row("S", "10"), row("AE", "0", reason="the buyer owes it")], "EUR", "en")
    assert (standard.name, standard.base, standard.note) == ("Value added tax 10% (Finland)", "€100.00", "")
    assert (reverse.name, reverse.note, reverse.amount) == ("Reverse charge", "the buyer owes it", Decimal(5))


def test_nothing_is_said_of_taxes_that_are_not_charged() -> None:
    assert tax_lines([row("O", "0")], "EUR", "en") == ()


def test_a_country_without_a_name_is_shown_by_its_code() -> None:
    assert country_words("DE", "en") == "Germany"
    assert country_words("Q0", "en") == "Q0"
