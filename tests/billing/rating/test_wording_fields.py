"""Single fields of wordings: what a price, a percentage and a count can be."""

from decimal import Decimal

import pytest

from billing.rating.wording import WrongWording
from billing.rating.wording_fields import check_count, check_percent, check_price


@pytest.mark.parametrize("price", [None, Decimal(0), Decimal("2.35"), Decimal("0.000000000001"), Decimal("1E+3")])
def test_a_price_is_not_negative_and_has_an_end(price: Decimal | None) -> None:
    check_price("price", price)


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity", "0.0000000000001"])
def test_other_prices_are_refused_with_an_example(price: str) -> None:
    with pytest.raises(WrongWording) as refused:
        check_price("price_per_gpu_hour", Decimal(price), "1.94")
    assert (refused.value.field, refused.value.example) == ("price_per_gpu_hour", "1.94")


def test_a_percentage_lies_within_the_whole() -> None:
    check_percent("percent", Decimal(100))
    check_percent("percent", Decimal(150), most=Decimal(200))
    for value in (Decimal("100.01"), Decimal(-1)):
        with pytest.raises(WrongWording):
            check_percent("percent", value)


def test_a_count_has_a_least() -> None:
    check_count("days", 0, "30")
    with pytest.raises(WrongWording, match="at least 1"):
        check_count("days", 0, "30", least=1)
