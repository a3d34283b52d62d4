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


def test_nodes_stand_below_each_other_with_what_is_known_of_them() -> None:
    lanes = (
        Lane("<GPU 0>", used=Decimal("0.5")),
        Lane("1", thin=True),
        Lane("2", used=Decimal("0.9"), fault="fault & off"),
    )
    nodes = (
        Node("n<1>", lanes, (), facts=("A & B", "8 GPUs"), state="good", state_text="well", url="/n/?a=1&b=2"),
        Node("n2", (), (), notice="<gone>"),
    )
    shown = draw_occupancy(nodes, window=VIEW, locale=EN, head="GPU", label="Leases")
    first, second = shown.nodes
    assert shown.body == (
        '  <div class="tl-node"><span class="hd good" aria-hidden="true"></span>'
        '<b><a href="/n/?a=1&amp;b=2">n&lt;1&gt;</a><span class="vh">, well</span></b>'
        '<span class="dim">A &amp; B</span><span class="dim">8 GPUs</span></div>\n'
        '  <div class="tl-row"><div class="tl-ls"><span class="tl-l"><span class="gi">&lt;GPU 0&gt;</span>'
        f'{first.lanes[0].used_bar}<span class="gu">50%</span></span>'
        '<span class="tl-l thin"><span class="gi">1</span></span>'
        '<span class="tl-l"><span class="gi">2</span><span class="pill bad xs">fault &amp; off</span></span></div>'
        f"{first.svg}</div>\n"
        '  <div class="tl-node"><span class="hd unknown" aria-hidden="true"></span><b>n2</b>'
        '<span class="pill bad">&lt;gone&gt;</span></div>\n'
        f'  <div class="tl-row"><div class="tl-ls"></div>{second.svg}</div>'
    )


def test_an_empty_fleet_still_has_its_ruler() -> None:
    shown = draw_occupancy([], window=VIEW, locale=EN, head="GPU", label="Leases")
    assert shown.nodes == ()
    assert shown.body == ""
    assert len(having(shown.ruler, "svg", "ruler")) == 1
