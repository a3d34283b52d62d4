"""Stacked columns: what stands where, and what is never drawn as zero."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.charts import Column, Fact, Series, stacked_columns
from tests.portal.charts.reading import having, number_of, said, share_of

SERIES = (Series("in", "Input", "s-in"), Series("out", "Output", "s-out"))


def drawn(columns: list[Column], height_px: int = 110) -> str:
    return stacked_columns(columns, SERIES, label="Tokens", form=str, height_px=height_px)


def test_layers_stand_on_each_other_in_the_order_of_the_series() -> None:
    chart = drawn([Column("1", "Day 1", {"in": 60, "out": 40})])
    (below,) = having(chart, "rect", "s-in")
    above = having(chart, "rect", "s-out")[0]
    assert number_of(below, "y") + number_of(below, "height") == 110
    assert number_of(above, "y") < number_of(below, "y")
    assert number_of(below, "y") - number_of(above, "y") - number_of(above, "height") == Decimal("1.5")


def test_heights_are_in_proportion_to_the_values() -> None:
    chart = drawn([Column("1", "Day 1", {"in": 25}), Column("2", "Day 2", {"in": 100})])
    small, _square, large, _square = having(chart, "rect", "s-in")
    assert [number_of(node, "height") for node in (small, large)] == [Decimal(25), Decimal(100)]


def test_a_credit_hangs_below_the_base_line() -> None:
    chart = drawn([Column("1", "Day 1", {"in": 10, "out": -10})])
    (base,) = having(chart, "line", "base")
    charge, credit = having(chart, "rect", "s-in")[0], having(chart, "rect", "s-out")[0]
    assert number_of(charge, "y") < number_of(base, "y1") < number_of(credit, "y")


def test_two_credits_hang_on_each_other() -> None:
    chart = drawn([Column("1", "Day 1", {"in": Decimal(-4), "out": Decimal(-4)})])
    first, second = having(chart, "rect", "s-in")[0], having(chart, "rect", "s-out")[0]
    assert number_of(second, "y") >= number_of(first, "y") + number_of(first, "height")


def test_a_gap_is_an_outline_and_never_a_zero() -> None:
    chart = drawn([Column("1", "Day 1", {"in": 5}), Column("2", "Day 2", state="gap", facts=(Fact("Gap", "3 h"),))])
    (slot,) = having(chart, "rect", "slot-gap")
    assert number_of(slot, "height") > 3
    assert "Day 2, Gap 3 h" in "".join(node.text or "" for node in having(chart, "title"))


def test_days_ahead_are_a_rule_without_a_tooltip() -> None:
    chart = drawn([Column("1", "Day 1", state="ahead")])
    assert len(having(chart, "rect", "slot-empty")) == 1
    assert having(chart, "g", "col") == []


@pytest.mark.parametrize("state", ["partial", "estimated"])
def test_what_is_not_final_says_so_in_its_class(state: str) -> None:
    column = Column("1", "Day 1", {"in": 5}, state="partial" if state == "partial" else "estimated")
    assert len(having(drawn([column]), "g", state)) == 1


def test_a_column_with_an_address_is_a_link() -> None:
    (link,) = having(drawn([Column("1", "Day 1", {"in": 5}, url="?day=1")]), "a", "col")
    assert link.get("href") == "?day=1"


def test_one_column_is_a_column_and_not_a_wall() -> None:
    chart = drawn([Column("1", "Day 1", {"in": 5})])
    assert share_of(having(chart, "rect", "s-in")[0], "width") < 15


def test_no_columns_and_all_zeros_draw_an_empty_frame() -> None:
    for columns in ([], [Column("1", "Day 1", {"in": 0, "out": 0})]):
        chart = drawn(columns)
        assert having(chart, "rect", "s-in") == []
        assert said(chart)[:2] == ["0", "1"]


def test_a_tiny_value_is_still_seen() -> None:
    chart = drawn([Column("1", "Day 1", {"in": 1}), Column("2", "Day 2", {"in": 10**18})])
    assert number_of(having(chart, "rect", "s-in")[0], "height") >= Decimal("0.6")


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["in", "out"]), st.integers(min_value=-(10**24), max_value=10**24)),
        max_size=40,
    )
)
def test_no_mark_leaves_the_plot(values: list[dict[str, int]]) -> None:
    chart = drawn([Column(str(index), f"Day {index}", each) for index, each in enumerate(values)])
    for node in having(chart, "rect"):
        assert 0 <= share_of(node, "x") <= 100
        assert share_of(node, "x") + share_of(node, "width") <= Decimal("100.01")
        assert number_of(node, "y") >= -1
        assert number_of(node, "y") + number_of(node, "height") <= 112
