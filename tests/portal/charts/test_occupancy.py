"""A fleet on one ruler."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from portal.charts import Lane, Node, Window, draw_occupancy
from portal.figures import EN
from tests.portal.charts.reading import having

START = datetime(2026, 11, 12, tzinfo=UTC)
VIEW = Window(START, START + timedelta(days=14), START, UTC)


def test_each_lane_says_what_is_known_of_it() -> None:
    lanes = (
        Lane("GPU 0", used=Decimal("0.94")),
        Lane("GPU 1", used=Decimal("0.5")),
        Lane("GPU 2", used=Decimal(0)),
        Lane("GPU 3"),
        Lane("GPU 4", used=Decimal("0.9"), fault="fault"),
    )
    shown = draw_occupancy([Node("n1", lanes, ())], window=VIEW, locale=EN, head="GPU", label="Leases")
    (node,) = shown.nodes
    assert [lane.used_text for lane in node.lanes] == ["94%", "50%", "0%", "", ""]
    assert len(having(node.lanes[0].used_bar, "rect", "u-hi")) == 1
    assert len(having(node.lanes[1].used_bar, "rect", "u-mid")) == 1
    assert len(having(node.lanes[2].used_bar, "rect")) == 1
    assert node.lanes[3].used_bar == ""


def test_an_empty_fleet_still_has_its_ruler() -> None:
    shown = draw_occupancy([], window=VIEW, locale=EN, head="GPU", label="Leases")
    assert shown.nodes == ()
    assert len(having(shown.ruler, "svg", "ruler")) == 1
