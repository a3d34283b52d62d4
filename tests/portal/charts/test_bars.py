"""Bars: parts add up, never beyond the end."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portal.charts import Part, bar
from tests.portal.charts.reading import having, share_of


def test_parts_follow_each_other() -> None:
    drawn = bar([Part("m0", 25), Part("m1", 50)], whole=100)
    first, second = having(drawn, "rect", "m0")[0], having(drawn, "rect", "m1")[0]
    assert [share_of(node, "x") for node in (first, second)] == [Decimal(0), Decimal(25)]
    assert share_of(second, "width") == Decimal("49.6")


def test_what_overflows_is_cut_off_at_the_end() -> None:
    drawn = bar([Part("m0", 80), Part("m1", 80), Part("m2", 1)], whole=100)
    assert share_of(having(drawn, "rect", "m1")[0], "width") == Decimal("19.6")
    assert having(drawn, "rect", "m2") == []


def test_a_whole_of_zero_is_an_empty_track() -> None:
    drawn = bar([Part("m0", 5)], whole=0, mark=3)
    assert len(having(drawn, "rect")) == 1
    assert having(drawn, "rect", "mk") == []


def test_a_negative_part_takes_no_room() -> None:
    assert having(bar([Part("m0", -5)], whole=10), "rect", "m0") == []


def test_a_mark_stays_inside_the_bar() -> None:
    for mark in (0, 50, 100, 900):
        (tick,) = having(bar([], whole=100, mark=mark), "rect", "mk")
        assert share_of(tick, "x") >= 0
        assert share_of(tick, "x") + share_of(tick, "width") <= 100


def test_a_tall_mark_stands_out_above_and_below() -> None:
    drawn = bar([Part("c-gpu", 5)], whole=10, mark=4, mark_tone="k-price", tall_mark=True, height_px=10)
    (tick,) = having(drawn, "line", "k-price")
    assert (tick.get("y1"), tick.get("y2"), tick.get("x1")) == ("0", "22", "40%")
    assert having(drawn, "rect", "track")[0].get("y") == "6"


def test_a_bar_with_a_label_is_an_image_and_one_without_is_decoration() -> None:
    assert having(bar([], whole=1, label="Used"), "svg")[0].get("aria-label") == "Used"
    assert having(bar([], whole=1), "svg")[0].get("aria-hidden") == "true"


@given(st.lists(st.integers(0, 10**20), max_size=6), st.integers(0, 10**20))
def test_no_part_leaves_the_bar(values: list[int], whole: int) -> None:
    for node in having(bar([Part("m0", value) for value in values], whole=whole), "rect", "m0"):
        assert share_of(node, "x") + share_of(node, "width") <= Decimal("100.2")
