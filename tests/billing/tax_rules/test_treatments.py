"""A treatment's rate fits its category."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.tax_rules.treatments import WITHOUT_TAX, Category, Source, Treatment


def test_only_the_standard_category_has_a_rate() -> None:
    assert {Category.STANDARD} == set(Category) - WITHOUT_TAX
    assert [category.value for category in Category] == ["S", "Z", "E", "AE", "K", "G", "O"]
    assert Treatment(Category.STANDARD, Decimal("25.5"), "FI", Source.BUILT_IN).percent == Decimal("25.5")


@pytest.mark.parametrize("category", sorted(WITHOUT_TAX))
def test_a_category_without_tax_has_no_rate(category: Category) -> None:
    assert Treatment(category, Decimal(0), "", Source.PROVIDER).percent == 0
    with pytest.raises(AssertionError):
        Treatment(category, Decimal(1), "", Source.PROVIDER)


@pytest.mark.parametrize("percent", ["-1", "100.01"])
def test_a_rate_is_a_percentage(percent: str) -> None:
    with pytest.raises(AssertionError):
        Treatment(Category.STANDARD, Decimal(percent), "DE", Source.PROVIDER)
