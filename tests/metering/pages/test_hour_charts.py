"""Hours as charts, tables and strips: an hour without samples is a gap, never a zero."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from metering.pages.hour_charts import STRIP_PX, HourFigures, hour_charts, shares_of, strip

if TYPE_CHECKING:
    from portal.charts import Table

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def drawn(*shares: str | None) -> list[tuple[str, str, float, float]]:
    """Each mark of a strip: its class, x, and from where to where it reaches in px."""
    found = []
    for attributes in re.findall(
        r"<rect([^>]*)", strip([None if one is None else Decimal(one) for one in shares], "u-hi")
    ):
        named = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
        top = float(named["y"])
        found.append((named.get("class", ""), named["x"], top, top + float(named["height"])))
    return found


def test_a_strip_has_a_mark_for_every_hour() -> None:
    marks = drawn("0.5", None, "1", "0")
    assert [kind for kind, *_ in marks] == ["", "none", "", ""]
    assert len({x for _, x, *_ in marks}) == 4


def test_the_height_of_a_mark_is_its_share() -> None:
    (half, whole, over) = drawn("0.5", "1", "1.7")
    assert half[2:] == (STRIP_PX / 2, STRIP_PX)
    assert whole[2:] == over[2:] == (0, STRIP_PX)


def test_a_mark_is_of_whole_pixels_and_no_heavier_than_it_has_to_be() -> None:
    assert drawn("0.7101")[0][2:] == (STRIP_PX - 17, STRIP_PX)
    assert len(strip([Decimal("0.7101")] * 24, "u-hi")) < 24 * 60


def test_nothing_used_is_seen_and_is_not_the_mark_of_the_unknown() -> None:
    nothing, unknown = drawn("0", None)
    assert nothing[3] - nothing[2] == 1.5
    assert nothing[0] != unknown[0]


def test_a_strip_of_no_hours_is_empty() -> None:
    assert drawn() == []


def test_shares_are_of_the_largest_and_the_unknown_stays_unknown() -> None:
    assert shares_of([50, None, 200, 0]) == [Decimal("0.25"), None, 1, 0]
    assert shares_of([None, None]) == [None, None]
    assert shares_of([0, None]) == [0, None]
    assert shares_of([]) == []


@given(st.lists(st.none() | st.integers(0, 10**12)))
def test_every_known_share_lies_between_nothing_and_all(values: list[int | None]) -> None:
    shares = shares_of(values)
    assert [one is None for one in shares] == [value is None for value in values]
    known = [one for one in shares if one is not None]
    assert all(0 <= one <= 1 for one in known)
    assert not any(values) or max(known) == 1


def hours(*figures: tuple[str | None, int | None]) -> list[HourFigures]:
    first = NOW - timedelta(hours=len(figures) - 1)
    return [
        HourFigures(first + timedelta(hours=place), None if used is None else Decimal(used), power)
        for place, (used, power) in enumerate(figures)
    ]


def test_the_tables_say_what_the_charts_draw() -> None:
    charts = hour_charts(hours(("0.8125", 612_000), (None, None), ("0", 0)), "en")
    assert said(charts.used_table) == [
        ("10 Tue 10:00 UTC", "81.2%"),
        ("10 Tue 11:00 UTC", "unknown"),
        ("10 Tue 12:00 UTC", "0.0%"),
    ]
    assert [value for _, value in said(charts.power_table)] == ["612 W", "unknown", "0 W"]


def said(table: Table) -> list[tuple[str, str]]:
    return [(row.head.text, row.cells[0].text) for row in table.rows]
