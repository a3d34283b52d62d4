"""Values drawn from quantiles lie between their neighbours and rise with the percentage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecourt.demo import quantiles
from forecourt.demo.quantiles import AT_PERCENT, draw

SHAPES = {
    name: value for name, value in vars(quantiles).items() if name.isupper() and name != "AT_PERCENT"
}  # every table of the module
TABLE = st.lists(st.integers(0, 10**6), min_size=len(AT_PERCENT), max_size=len(AT_PERCENT)).map(sorted).map(tuple)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_has_a_value_for_each_percentage_and_rises(name: str) -> None:
    shape = SHAPES[name]
    assert len(shape) == len(AT_PERCENT)
    assert list(shape) == sorted(shape)
    assert shape[0] > 0


def test_percentages_rise_from_none_to_all() -> None:
    assert (AT_PERCENT[0], AT_PERCENT[-1]) == (0, 100)
    assert list(AT_PERCENT) == sorted(set(AT_PERCENT))


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_at_a_known_percentage_it_is_the_known_value(name: str) -> None:
    assert tuple(draw(SHAPES[name], percent) for percent in AT_PERCENT) == SHAPES[name]


@given(TABLE, st.floats(0, 100), st.floats(0, 100))
def test_more_percent_is_never_less(table: tuple[int, ...], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert draw(table, low) <= draw(table, high)
    assert table[0] <= draw(table, low)
    assert draw(table, high) <= table[-1]


def test_between_two_it_is_on_the_line_rounded_down() -> None:
    table = tuple(range(0, 10 * len(AT_PERCENT), 10))
    assert draw(table, 0.5) == 5
    assert draw(table, 0.55) == 5
    assert draw(table, 37.5) == 45


@pytest.mark.parametrize("percent", [100.0, 100.1, 500.0])
def test_beyond_all_it_is_the_largest(percent: float) -> None:
    assert draw(SHAPES["POWER_WATTS"], percent) == SHAPES["POWER_WATTS"][-1]
