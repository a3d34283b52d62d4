"""Ticks are round, cover what they must and reach pixels only at the end."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.charts.marks import Column
from portal.charts.scale import PAD_PX, Scale, round_ticks, x_labels
from tests.portal.charts.reading import having, said

LEVELS = st.decimals(min_value=Decimal("-1e25"), max_value=Decimal("1e25"), allow_nan=False, places=4)


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 0, False, ["0", "1"]),
        (0, 8, False, ["0", "2", "4", "6", "8"]),
        (0, 7, True, ["0", "2", "4", "6", "8"]),
        (0, 10, True, ["0", "5", "10"]),
        (0, 1, True, ["0", "1"]),
        (0, Decimal("0.9"), False, ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        (-4, 7, False, ["-5", "0", "5", "10"]),
        (-4, -1, False, ["-4", "-3", "-2", "-1", "0"]),
        (3, 4, False, ["0", "1", "2", "3", "4"]),
    ],
)
def test_ticks_are_round(low: int, high: Decimal, whole: bool, expected: list[str]) -> None:
    ticks = round_ticks(Decimal(low), Decimal(high), whole=whole)
    assert [Decimal(text) for text in expected] == list(ticks)


@given(LEVELS, LEVELS, st.booleans())
def test_ticks_cover_the_values_and_zero_in_even_steps(one: Decimal, other: Decimal, whole: bool) -> None:
    low, high = min(one, other), max(one, other)
    ticks = round_ticks(low, high, whole=whole)
    assert ticks[0] <= min(low, Decimal(0))
    assert ticks[-1] >= max(high, Decimal(0))
    assert 0 in ticks
    assert 2 <= len(ticks) <= 7
    steps = {upper - lower for lower, upper in pairwise(ticks)}
    assert len(steps) == 1
    if whole:
        assert all(tick == tick.to_integral_value() for tick in ticks)


@given(st.integers(min_value=0, max_value=10**30))
def test_every_value_lands_inside_the_plot(value: int) -> None:
    scale = Scale(round_ticks(Decimal(0), Decimal(10) ** 30), height_px=200)
    assert PAD_PX <= scale.y(Decimal(value)) <= 200


def test_the_base_line_is_stronger_than_the_others() -> None:
    scale = Scale(round_ticks(Decimal(0), Decimal(4)), height_px=110)
    assert len(having(scale.grid(), "line", "base")) == 1
    assert len(having(scale.grid(), "line", "grid")) == 4
    assert said(scale.axis(lambda tick: f"<{tick}>")) == ["<0>", "<1>", "<2>", "<3>", "<4>"]


def test_every_second_label_gives_way_on_narrow_charts() -> None:
    columns = [Column(label, "") for label in ("1", "", "3", "", "5")]
    drawn = x_labels(columns, slots=5, height_px=100)
    assert said(drawn) == ["1", "3", "5"]
    assert [node.text for node in having(drawn, "text", "alt")] == ["3"]
    assert [node.get("x") for node in having(drawn, "text")] == ["10%", "50%", "90%"]
