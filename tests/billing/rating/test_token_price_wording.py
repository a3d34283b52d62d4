"""A price that contradicts itself is refused, with the field, the reason and an example."""

from typing import Any

import pytest

from billing.rating.token_price_wording import TokenPriceWording, minutes_of_week
from billing.rating.wording import WrongWording, read_wording, write_wording
from tests.billing.rating.priced import table, wording

PRICE = {"model": "small", "quantity": "output", "price": "1", "price_unit": "per_mtok"}
NIGHT = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.75"}
PACKAGE = {"name": "pack", "quantities": ["input"], "units": 10, "amount_per_package": "5"}
FREE = {"name": "free", "quantities": ["input"], "units_per_period": 10}


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"prices": [PRICE | {"price": "NaN"}]}, "prices[0].price"),
        ({"prices": [PRICE | {"price": "0.0000000000001"}]}, "prices[0].price"),
        ({"prices": [PRICE | {"model": ""}]}, "prices[0].model"),
        ({"prices": [PRICE | {"context_over": 1}]}, "prices[0].context_over"),
        ({"prices": [PRICE | {"context_over": 200_000}]}, "prices[0].context_over"),
        ({"prices": [PRICE, PRICE]}, "prices[1]"),
        ({"prices": [PRICE | {"colour": "red"}]}, "prices[0].colour"),
        ({"tiers": [table()]}, "tiers[0].tiers"),
        ({"tiers": [table((5, "50"))]}, "tiers[0].tiers[0].up_to"),
        ({"tiers": [table((None, "50"), (None, "40"))]}, "tiers[0].tiers[0].up_to"),
        ({"tiers": [table((5, "50"), (4, "40"), (None, "1"))]}, "tiers[0].tiers[1].up_to"),
        ({"tiers": [table((0, "50"), (None, "1"))]}, "tiers[0].tiers[0].up_to"),
        ({"tiers": [table((None, "-1"))]}, "tiers[0].tiers[0].percent"),
        ({"tiers": [table((None, "1"), name="")]}, "tiers[0].name"),
        ({"tiers": [table((None, "1"), quantities=[])]}, "tiers[0].quantities"),
        ({"tiers": [table((None, "1"), quantities=["words"])]}, "tiers[0].quantities[0]"),
        ({"tiers": [table() | {"tiers": [{"price": "1"}]}]}, "tiers[0].price_unit"),
        ({"tiers": [table() | {"tiers": [{"up_to": 1, "price": "1"}, {"percent": "1"}]}]}, "tiers[0].tiers[1]"),
        ({"tiers": [table((None, "1")), table((None, "2"), name="again")]}, "tiers"),
        ({"tiers": [table((None, "1"))], "packages": [PACKAGE | {"quantities": ["output"]}]}, "tiers"),
        ({"packages": [PACKAGE | {"amount_per_package": "-5"}]}, "packages[0].amount_per_package"),
        ({"allowances": [FREE | {"units_per_period": -1}]}, "allowances[0].units_per_period"),
        ({"allowances": [FREE, FREE | {"name": "other"}]}, "allowances"),
        ({"multipliers": [{"mark": "batch", "factor": "0.0000001"}]}, "multipliers[0].factor"),
        ({"multipliers": [{"mark": "batch", "factor": "1"}, {"mark": "batch", "factor": "2"}]}, "multipliers[1]"),
        ({"off_peak": [NIGHT | {"from_local": "24:00"}]}, "off_peak[0].from_local"),
        ({"off_peak": [NIGHT | {"to_local": "6"}]}, "off_peak[0].to_local"),
        ({"off_peak": [NIGHT | {"days": ["someday"]}]}, "off_peak[0].days[0]"),
        ({"off_peak": [NIGHT, NIGHT | {"name": "dawn", "from_local": "05:00"}]}, "off_peak"),
        ({"not_billed": ["words"]}, "not_billed[0]"),
    ],
)
def test_a_wrong_part_is_refused_by_its_name(parts: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongWording) as raised:
        wording(**parts)
    assert raised.value.field == field
    assert raised.value.reason.endswith(".")


def test_a_wording_comes_back_from_its_document() -> None:
    agreed = wording(
        prices=[PRICE], tiers=[table((5, "50"), (None, "1"))], packages=[PACKAGE], allowances=[FREE], off_peak=[NIGHT]
    )
    assert read_wording(TokenPriceWording, write_wording(agreed)) == agreed


def test_a_window_over_the_end_of_the_week_goes_on_at_its_beginning() -> None:
    window = wording(off_peak=[NIGHT | {"days": ["sun"]}]).off_peak[0]
    assert minutes_of_week(window) == [(6 * 1440 + 22 * 60, 7 * 1440), (0, 6 * 60)]
    whole = wording(off_peak=[NIGHT | {"from_local": "00:00", "to_local": "24:00", "days": ["sat"]}]).off_peak[0]
    assert minutes_of_week(whole) == [(5 * 1440, 6 * 1440)]
