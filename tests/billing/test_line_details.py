"""What a line goes by stands in its description: of packages how many, of what size and at what price."""

from __future__ import annotations

from typing import Any

from billing.basis import PeriodBasis, rate
from billing.line_details import detail_of
from billing.rating.inputs import RatingWindow
from billing.rating.lines import make_bill
from billing.rating.token_price_wording import TokenPriceWording
from tests.billing.rating.priced import BOOK, FROM, TO, table, term, used, wording

MEGA = {
    "name": "mega",
    "models": ["small"],
    "quantities": ["input", "output"],
    "units": 1_000_000,
    "amount_per_package": "5.00",
}
SMALL = {"name": "small %", "models": ["large"], "quantities": ["output"], "units": 10, "amount_per_package": "0.125"}


def details(*wordings: TokenPriceWording, usage: list[Any] | None = None) -> dict[tuple[str, str], str]:
    """What each line of the bill of the month goes by, by rule and model."""
    counted = usage or [used("input", 1_200_000), used("output", 300_000)]
    window = RatingWindow("USD", "UTC", FROM, TO, TO, (BOOK,))
    basis = PeriodBasis("C-1", 1, window, (term(counted, *wordings),))
    bill = make_bill(rate(basis).lines, "USD")
    return {(line.sublines[0].rule, line.model): detail_of(line, basis) for line in bill.lines}


def test_packages_are_named_with_how_many_of_what_size_at_what_price() -> None:
    assert details(wording(packages=[MEGA])) == {
        ("token_price_package", ""): "mega: 2 × 1,000,000 → 2 × 5.00 USD",
        ("token_price_packaged", "small"): "mega",
    }


def test_packages_of_several_names_and_of_a_year_stand_beside_each_other() -> None:
    usage = [used("input", 900_000), used("output", 25, model="large")]
    assert details(wording(packages=[SMALL, MEGA | {"span": "year"}]), usage=usage) == {
        ("token_price_package", ""): "mega: 1 × 1,000,000 → 1 × 5.00 USD + small %: 3 × 10 → 3 × 0.125 USD",
        ("token_price_packaged", "large"): "small %",
        ("token_price_packaged", "small"): "mega",
    }


def test_a_package_that_an_amendment_made_dearer_is_named_at_both_prices() -> None:
    before, after = wording(packages=[MEGA]), wording(packages=[MEGA | {"amount_per_package": "6.50"}])
    usage = [used("input", 1_000_000), used("input", 1_000_001, at=TO.replace(month=3, day=20))]
    assert details(before, after, usage=usage)["token_price_package", ""] == (
        "mega: 1 × 1,000,000 → 1 × 5.00 USD + mega: 2 × 1,000,000 → 2 × 6.50 USD"
    )


def test_other_lines_go_by_their_rule_alone() -> None:
    tiers = [table((10, "100"), (None, "50"))]
    assert set(details(wording(tiers=tiers)).values()) == {""}
