"""Charts drawn on the server: fluid SVG without script, without style attributes, without a viewBox
stretch.

Rectangles, rules and words use percentage x-coordinates, so words never stretch with the page; curves sit
in a nested SVG with ``preserveAspectRatio="none"`` and strokes that do not scale. Values are ``int`` or
``Decimal`` and become coordinates only when they are written out. Every chart is hidden from assistive
technology except for its label and its live tooltip, so the page must give the same figures as a table:
``column_table`` builds that table from the very columns the chart drew.
"""

from portal.charts.bars import Part, bar
from portal.charts.columns import stacked_columns
from portal.charts.lines import line_chart, sparkline
from portal.charts.marks import Column, ColumnState, Fact, Limit, Number, Series, Tone
from portal.charts.occupancy import Node, NodeState, Occupancy, draw_occupancy
from portal.charts.tables import Cell, Heading, Row, Table, column_table
from portal.charts.timeline import Block, BlockState, Lane, Window, draw_blocks, merge_adjacent

__all__ = [
    "Block",
    "BlockState",
    "Cell",
    "Column",
    "ColumnState",
    "Fact",
    "Heading",
    "Lane",
    "Limit",
    "Node",
    "NodeState",
    "Number",
    "Occupancy",
    "Part",
    "Row",
    "Series",
    "Table",
    "Tone",
    "Window",
    "bar",
    "column_table",
    "draw_blocks",
    "draw_occupancy",
    "line_chart",
    "merge_adjacent",
    "sparkline",
    "stacked_columns",
]
