"""The table beside a chart holds the chart's own figures."""

import pytest

from portal.charts import Cell, Column, Heading, Row, Series, Table, column_table
from portal.charts.tables import UnevenTableError

SERIES = (Series("in", "Input", "s-in"), Series("out", "Output", "s-out"))


def test_every_column_that_has_happened_is_a_row() -> None:
    columns = [
        Column("1", "Sun 1 Nov", {"in": 5, "out": 7}, url="?day=1"),
        Column("2", "Mon 2 Nov", {"in": 0}),
        Column("3", "Tue 3 Nov", state="gap"),
        Column("4", "Wed 4 Nov", state="ahead"),
    ]
    table = column_table(columns, SERIES, caption="Tokens", head="Day", form=str, unknown="not measured")
    assert [heading.title for heading in table.headings] == ["Day", "Input", "Output"]
    assert [[row.head.text, *(cell.text for cell in row.cells)] for row in table.rows] == [
        ["Sun 1 Nov", "5", "7"],
        ["Mon 2 Nov", "0", "not measured"],
        ["Tue 3 Nov", "not measured", "not measured"],
    ]
    assert table.rows[0].head.url == "?day=1"


def test_cells_know_whether_their_column_is_numeric() -> None:
    table = Table(
        "c", (Heading("A"), Heading("B"), Heading("C", numeric=True)), (Row(Cell("a"), (Cell("b"), Cell("1"))),)
    )
    assert table.body == '<tr><th scope="row">a</th><td class="">b</td><td class="r ">1</td></tr>'


def test_cells_lead_and_are_escaped_and_an_empty_one_is_a_dash() -> None:
    headings = (Heading("A"), Heading("B", numeric=True), Heading("C"))
    row = Row(Cell("<a>", url="?a=1&b=2"), (Cell("", tone="dim"), Cell("x & y", url='/"')))
    assert table_of(headings, row).body == (
        '<tr><th scope="row"><a href="?a=1&amp;b=2">&lt;a&gt;</a></th><td class="r dim">–</td>'
        '<td class=""><a href="/&quot;">x &amp; y</a></td></tr>'
    )
    assert table_of(headings[:1], Row(Cell(""), ())).body == '<tr><th scope="row"></th></tr>'


def table_of(headings: tuple[Heading, ...], row: Row) -> Table:
    return Table("c", headings, (row,))


def test_a_row_that_does_not_fill_the_table_is_refused() -> None:
    with pytest.raises(UnevenTableError):
        Table("c", (Heading("A"), Heading("B")), (Row(Cell("a"), ()),))
