"""Lines: they stop where knowledge stops, and never bridge a gap."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portal.charts import Column, Fact, Limit, Series, line_chart, sparkline
from tests.portal.charts.reading import having, number_of, said, share_of

COST = (Series("cost", "Cost", "k-line"),)


def columns(*values: int | None) -> list[Column]:
    return [
        Column(str(index), f"Day {index}", {} if value is None else {"cost": value}, facts=(Fact("Cost", str(value)),))
        for index, value in enumerate(values)
    ]


def drawn(*values: int | None, limit: Limit | None = None) -> str:
    return line_chart(columns(*values), COST, label="Cost", form=str, limit=limit, height_px=110)


def test_a_line_stops_at_the_last_known_value() -> None:
    chart = drawn(10, 20, None, None)
    (line,) = having(chart, "path", "line")
    assert (line.get("d") or "").count(" L") == 1
    (dot,) = having(chart, "circle", "dot")
    assert share_of(dot, "cx") == Decimal("37.5")


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    assert len(having(drawn(1, 2, None, 4, 5), "path", "line")) == 2


def test_a_value_between_two_gaps_is_a_dot() -> None:
    chart = drawn(1, 2, None, 4, None, 6, 7)
    assert [share_of(dot, "cx") for dot in having(chart, "circle", "dot")] == [Decimal(50), Decimal("92.857")]


def test_the_only_measured_series_is_filled_and_several_are_not() -> None:
    assert len(having(drawn(1, 2), "path", "area")) == 1
    both = [Column("1", "", {"a": 1, "b": 2}), Column("2", "", {"a": 2, "b": 1})]
    for dashed, areas in ((False, []), (True, ["m0"])):
        two = (Series("a", "A", "m0"), Series("b", "B", "m1", dashed=dashed))
        chart = line_chart(both, two, label="Two", form=str)
        assert [(area.get("class") or "").split()[-1] for area in having(chart, "path", "area")] == areas
        assert len(having(chart, "path", "dashed")) == dashed


def test_a_limit_is_inside_the_plot_and_says_its_words() -> None:
    chart = drawn(10, 20, limit=Limit(40, "Budget $40"))
    (rule,) = having(chart, "line", "budget")
    assert number_of(rule, "y1") == 10
    assert "Budget $40" in said(chart)
    (text,) = having(chart, "text", "budget-t")
    assert number_of(text, "y") > number_of(rule, "y1"), "at the top of the plot the words stand below the rule"
    lower = drawn(10, 40, limit=Limit(20, "Budget"))
    assert number_of(having(lower, "text", "budget-t")[0], "y") < number_of(having(lower, "line", "budget")[0], "y1")


def test_only_columns_that_say_something_can_be_pointed_at() -> None:
    silent = [Column("1", "Day 1", {"cost": 1}), Column("2", "Day 2", {"cost": 2}, url="?day=2")]
    chart = line_chart(silent, COST, label="Cost", form=str)
    assert [node.get("href") for node in having(chart, "a", "pt")] == ["?day=2"]
    assert having(chart, "g", "pt") == []


def test_no_columns_draw_an_empty_frame() -> None:
    chart = line_chart([], COST, label="Cost", form=str)
    assert having(chart, "path") == []
    assert having(chart, "circle") == []
    assert said(chart) == ["0", "1"]


def test_one_column_is_a_dot_in_the_middle() -> None:
    chart = drawn(7)
    assert having(chart, "path") == []
    assert share_of(having(chart, "circle", "dot")[0], "cx") == 50


def test_a_spark_runs_from_its_lowest_to_its_highest_value() -> None:
    (line,) = having(sparkline([1, 3, 2], height_px=30), "path", "s-line")
    assert line.get("d") == "M0 27 L50 3 L100 15"


def test_a_flat_a_single_and_an_empty_spark_are_drawn_calmly() -> None:
    for values in ([5, 5], [5]):
        (line,) = having(sparkline(values, height_px=30), "path", "s-line")
        assert line.get("d") == "M0 15 L100 15"
    assert having(sparkline([]), "path") == []


def test_a_spark_takes_its_size_and_colour_from_its_class() -> None:
    (svg,) = having(sparkline([1, 2], small=True, tone="bad", filled=True), "svg", "spark")
    assert svg.get("class") == "spark sm bad"
    assert len(having(sparkline([1, 2], filled=True), "path", "s-area")) == 1
    assert having(sparkline([1], tone=""), "svg")[0].get("class") == "spark"


@given(st.lists(st.one_of(st.none(), st.integers(-(10**20), 10**20)), max_size=30))
def test_no_dot_leaves_the_plot(values: list[int | None]) -> None:
    for dot in having(drawn(*values), "circle", "dot"):
        assert 0 <= share_of(dot, "cx") <= 100
        assert 0 <= number_of(dot, "cy") <= 110
