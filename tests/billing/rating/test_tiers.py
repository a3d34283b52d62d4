"""Tables, packages and allowances divide lots at exactly the unit at which they end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.lots import Lot, Piece, Positions
from billing.rating.tiers import allowed_units, fill_packages, fill_tiers, free_units, in_turn, unit_price
from tests.billing.rating.priced import table, wording
from tests.billing.rating.test_lots import lot
from tests.examples import examples

PACK = {"name": "pack", "quantities": ["output"], "units": 10, "amount_per_package": "5"}
FREE = {"name": "free", "quantities": ["output"], "units_per_period": 10}


def counted(pieces: list[Piece]) -> list[tuple[int, Any]]:
    return [(sum(piece.mix.values()), piece.price.amount) for piece in pieces]


@pytest.mark.parametrize(
    ("count", "found"),
    [(9, [(9, 4)]), (10, [(10, 4)]), (11, [(10, 4), (1, 2)]), (30, [(10, 4), (10, 2), (10, 1)])],
)
def test_a_graduated_table_ends_a_tier_with_its_last_unit(count: int, found: list[tuple[int, int]]) -> None:
    words = wording(tiers=[table((10, "100"), (20, "50"), (None, "25"))])
    pieces, left = fill_tiers([lot(count, words=words)], "main", Positions({}))
    assert counted(pieces) == found
    assert left == []


@pytest.mark.parametrize(("count", "price"), [(10, 4), (11, 2)])
def test_a_volume_table_prices_all_at_the_tier_of_the_last_unit(count: int, price: int) -> None:
    words = wording(tiers=[table((10, "100"), (None, "50"), mode="volume")])
    pieces, _ = fill_tiers([lot(5, words=words), lot(count - 5, words=words, moment=1)], "main", Positions({}))
    assert counted(pieces) == [(5, price), (count - 5, price)]


def test_a_table_of_a_life_goes_on_from_the_period_before() -> None:
    words = wording(tiers=[table((10, "100"), (None, "50"), span="life")])
    positions = Positions({"tier_position|main|small|output": 8})
    pieces, _ = fill_tiers([lot(5, words=words)], "main", positions)
    assert counted(pieces) == [(2, 4), (3, 2)]
    assert positions.at_end() == {"tier_position|main|small|output": 13}


@settings(max_examples=examples(25))
@given(st.integers(0, 40), st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_an_allowance_gives_its_units_to_the_dearest_and_no_more(units: int, counts: list[int]) -> None:
    words = wording(allowances=[FREE])
    lots = [lot(count, price=str(place + 1), words=words) for place, count in enumerate(counts)]
    free, left = free_units(lots, "free", units)
    assert sum(count for count, _ in counted(free)) == min(units, sum(counts))
    assert sum(each.count for each in left) == max(0, sum(counts) - units)
    assert all(price == 0 for _, price in counted(free))
    if free and left:
        assert min(piece.lot.worth for piece in free) >= max(each.worth for each in left)


@pytest.mark.parametrize(("room", "count", "begun", "left"), [(0, 1, 1, 9), (0, 10, 1, 0), (0, 11, 2, 9), (3, 3, 0, 0)])
def test_a_package_is_begun_by_the_first_unit_that_the_last_has_no_room_for(
    room: int, count: int, begun: int, left: int
) -> None:
    words = wording(packages=[{**PACK, "span": "life"}])
    positions = Positions({"package_left|pack": room})
    pieces, packages, rest = fill_packages([lot(count, words=words)], "pack", positions)
    assert counted(pieces) == [(count, 0)]
    assert sum(each.count for each in packages) == begun
    assert positions.at_end() == {"package_left|pack": left}
    assert rest == []


def test_packages_of_one_wording_are_counted_together() -> None:
    words = wording(packages=[PACK])
    _, [begun], _ = fill_packages([lot(8, words=words), lot(8, words=words, price="1")], "pack", Positions({}))
    assert begun.count == 2
    assert (begun.first.price_amount, begun.last.price_amount) == (Decimal(4), Decimal(1))


def test_a_price_is_rounded_once_after_its_factor_and_percentage() -> None:
    third = lot(factor="1/3")
    assert unit_price(third, Decimal(1)).amount == Decimal("0.333333333333333333")
    assert unit_price(third, Decimal(1), Decimal(50)).amount == Decimal("0.166666666666666667")
    assert unit_price(lot(), Decimal("0.1")).amount == Decimal("0.1")


def test_lots_go_through_every_name_once() -> None:
    def step(lots: list[Lot], name: str) -> tuple[list[Piece], list[Lot]]:
        taken = Piece(lots[0], lots[0].mix, unit_price(lots[0], Decimal(0)), name)
        return [taken], lots[1:]

    pieces, left = in_turn(["a", "b"], [lot(1), lot(2), lot(3)], step)
    assert [(piece.rule, piece.lot.count) for piece in pieces] == [("a", 1), ("b", 2)]
    assert [each.count for each in left] == [3]


def test_an_allowance_is_prorated_over_its_wordings_and_rounded_down_once() -> None:
    [ten], [twenty] = (wording(allowances=[{**FREE, "units_per_period": units}]).allowances for units in (10, 20))
    assert allowed_units([(50, [ten]), (50, [twenty])], "free", 100) == 15
    assert allowed_units([(33, [ten]), (33, [ten])], "free", 100) == 6
    assert allowed_units([(100, [ten])], "other", 100) == 0
