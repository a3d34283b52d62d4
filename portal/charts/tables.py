"""Tables as data, so that a chart and the table beside it are made of the same figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString

from portal.charts.marks import Column, Number, Series
from portal.figures import DASH


class UnevenTableError(ValueError):
    """A row has more or fewer cells than the table has headings."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a table column; ``numeric`` columns are right-aligned in equal-width digits."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text ("" is shown as a dash), where it leads, and how it is said (a class of the style
    sheet).
    """

    text: str
    url: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The row's head and its other cells, as many as the table has headings less one."""

    head: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption for those who cannot see the chart."""

    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        if any(len(row.cells) + 1 != len(self.headings) for row in self.rows):
            raise UnevenTableError(self.caption)

    @property
    def body(self) -> SafeString:
        """The rows as they stand in the table's body: hundreds of cells, each ten times dearer in a template."""
        classes = ["r " if heading.numeric else "" for heading in self.headings[1:]]
        return SafeString("".join(_row(row, classes) for row in self.rows))


def _row(row: Row, classes: Sequence[str]) -> str:
    cells = (
        f'<td class="{side}{escape(cell.tone)}">{_said(cell, DASH)}</td>'
        for cell, side in zip(row.cells, classes, strict=True)
    )
    return f'<tr><th scope="row">{_said(row.head)}</th>{"".join(cells)}</tr>'


def _said(cell: Cell, nothing: str = "") -> str:
    if cell.url:
        return f'<a href="{escape(cell.url)}">{conditional_escape(cell.text)}</a>'
    return conditional_escape(cell.text or nothing)


def column_table(
    columns: Sequence[Column],
    series: Sequence[Series],
    *,
    caption: str,
    head: str,
    form: Callable[[Number], str],
    unknown: str = "",
) -> Table:
    """The chart's own columns as rows, with one numeric column per series, in the order that the chart is
    stacked.

    Columns that lie ahead are left out; a value that is not known says ``unknown``, and is never written as
    zero.
    """
    rows = [
        Row(
            head=Cell(column.title, url=column.url),
            cells=tuple(
                Cell(form(column.values[layer.key]))
                if layer.key in column.values
                else Cell(unknown, tone="dim" if unknown else "")
                for layer in series
            ),
        )
        for column in columns
        if column.state != "ahead"
    ]
    headings = (Heading(head), *(Heading(layer.name, numeric=True) for layer in series))
    return Table(caption=caption, headings=headings, rows=tuple(rows))
