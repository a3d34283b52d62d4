"""The occupancy timeline: where blocks lie, what is cut, and days as long as they are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.charts import Block, BlockState, Lane, Window, draw_blocks, merge_adjacent
from portal.charts.timeline import EmptyWindowError, UnknownLaneError, draw_ruler, rules, text_px
from portal.figures import EN, ZH
from tests.portal.charts.reading import having, number_of, said, share_of

START = datetime(2026, 11, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
LANES = (Lane("GPU 0"), Lane("GPU 1"), Lane("1g", thin=True), Lane("1g", thin=True))


def window(days: int = 10, now: datetime = NOW) -> Window:
    return Window(START, START + timedelta(days=days), now, UTC)


def block(first: int, last: int, begin_d: int, end_d: int | None, state: BlockState = "running", **more: str) -> Block:
    return Block(
        first_lane=first,
        last_lane=last,
        from_at=START + timedelta(days=begin_d),
        to_at=None if end_d is None else START + timedelta(days=end_d),
        state=state,
        title=more.get("title", "Acme"),
        reference=more.get("reference", ""),
        detail=more.get("detail", ""),
        url=more.get("url", ""),
    )


def drawn(*blocks: Block, days: int = 10, now: datetime = NOW) -> str:
    return draw_blocks(LANES, blocks, window=window(days, now), locale=EN)


def test_a_block_lies_over_its_lanes_and_its_time() -> None:
    (body,) = having(drawn(block(0, 1, 2, 5)), "rect", "lb")
    assert number_of(body, "y") == 3
    assert number_of(body, "height") == 54
    assert share_of(body, "x") == Decimal("20.06")
    assert share_of(body, "width") == Decimal("29.88")


def test_a_slice_has_a_thinner_row() -> None:
    (body,) = having(drawn(block(2, 2, 0, 1)), "rect", "lb")
    assert [number_of(body, name) for name in ("y", "height")] == [Decimal(63), Decimal(14)]


def test_a_block_that_goes_on_has_a_cut_edge_outside_the_view() -> None:
    (body,) = having(drawn(block(0, 0, -3, 30)), "rect", "lb")
    assert share_of(body, "x") < 0
    assert share_of(body, "x") + share_of(body, "width") > 100


def test_a_block_without_an_end_reaches_past_the_view() -> None:
    (body,) = having(drawn(block(0, 0, 5, None)), "rect", "lb")
    assert share_of(body, "x") + share_of(body, "width") > 100


@pytest.mark.parametrize(("begin", "end"), [(-5, 0), (-5, -1), (10, 12), (11, None)])
def test_a_block_outside_the_view_is_left_out(begin: int, end: int | None) -> None:
    assert having(drawn(block(0, 0, begin, end)), "rect", "lb") == []


def test_a_very_short_block_is_still_seen() -> None:
    short = Block(0, 0, START, START + timedelta(minutes=1), "running", "Acme")
    (body,) = having(drawn(short), "rect", "lb")
    assert share_of(body, "width") > 0


def test_a_block_links_to_its_lease_and_says_its_state() -> None:
    chart = drawn(block(0, 0, 1, 2, "reserved", url="/leases/1/", reference="L-1"))
    (link,) = having(chart, "a", "reserved")
    assert link.get("href") == "/leases/1/"


def test_a_block_on_a_lane_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownLaneError):
        drawn(block(0, 4, 1, 2))


def test_words_that_do_not_fit_are_left_out_instead_of_cut() -> None:
    wide = drawn(block(0, 1, 0, 9, reference="L-2041", detail="2 GPUs at $1.12/h"))
    assert said(wide) == ["AcmeL-2041", "2 GPUs at $1.12/h"]
    narrow = drawn(block(0, 1, 0, 1, reference="L-2041", detail="2 GPUs at $1.12/h"))
    assert said(narrow) == ["Acme"]
    assert text_px("ab") < text_px("\N{CJK UNIFIED IDEOGRAPH-6DF1}\N{CJK UNIFIED IDEOGRAPH-89C6}")


def test_now_is_drawn_only_when_it_is_in_view() -> None:
    (line,) = having(drawn(), "line", "now")
    assert share_of(line, "x1") == 65
    assert having(drawn(now=START - timedelta(hours=1)), "line", "now") == []
    assert having(drawn(now=START + timedelta(days=10)), "line", "now") == []


def test_weekends_are_shaded_where_they_are() -> None:
    shaded = having(drawn(days=14), "rect", "we")
    assert [share_of(node, "x") for node in shaded] == [
        Decimal("14.286"),
        Decimal("21.429"),
        Decimal("64.286"),
        Decimal("71.429"),
    ]


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(EmptyWindowError):
        Window(START, START, NOW, UTC)


def test_the_ruler_names_days_and_marks_the_present_one() -> None:
    chart = draw_ruler(window(7), locale=EN)
    assert said(chart)[:3] == ["12Thu", "13Fri", "14Sat"]
    assert ["".join(node.itertext()) for node in having(chart, "text", "tn")] == ["18Wed"]
    assert said(draw_ruler(window(7), locale=ZH))[0].startswith("12")


def test_many_days_lose_their_weekdays_and_then_their_numbers() -> None:
    assert said(draw_ruler(window(31), locale=EN))[0] == "12"
    assert said(draw_ruler(window(120), locale=EN)) == []


def test_a_day_is_ruled_by_hours_in_the_readers_zone() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    made = rules(Window(START, START + timedelta(days=1), NOW, kolkata), locale=EN)
    assert [rule.strong for rule in made[:3]] == ["05:30", "06:00", "08:00"]
    assert "Fri 13" in [rule.strong for rule in made]


@pytest.mark.parametrize(("hours", "divisions"), [(1, 1), (12, 12), (16, 16), (24, 12), (48, 16)])
def test_hours_are_ruled_at_a_step_that_can_be_read(hours: int, divisions: int) -> None:
    assert len(rules(Window(START, START + timedelta(hours=hours), NOW, UTC), locale=EN)) == divisions


def test_a_day_of_25_hours_is_drawn_longer() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 10, 24, tzinfo=berlin).astimezone(UTC)
    end = datetime(2026, 10, 27, tzinfo=berlin).astimezone(UTC)
    made = rules(Window(begin, end, NOW, berlin), locale=EN)
    assert [rule.strong for rule in made] == ["24", "25", "26"]
    assert [rule.to_at - rule.from_at for rule in made] == [timedelta(hours=hours) for hours in (24, 25, 24)]


@given(
    st.integers(1, 60 * 24 * 40),
    st.integers(0, 60 * 24 * 400),
    st.sampled_from(["UTC", "Asia/Kathmandu", "Europe/Berlin"]),
)
def test_rules_cover_the_window_without_overlap(length_min: int, offset_min: int, zone: str) -> None:
    begin = START + timedelta(minutes=offset_min)
    view = Window(begin, begin + timedelta(minutes=length_min), NOW, ZoneInfo(zone))
    made = rules(view, locale=EN)
    assert made[0].from_at == view.from_at
    assert made[-1].to_at == view.to_at
    assert all(one.to_at == other.from_at for one, other in pairwise(made))
    assert all(rule.from_at < rule.to_at for rule in made)


def test_the_same_holding_on_neighbouring_lanes_becomes_one_block() -> None:
    blocks = [block(3, 3, 0, 5), block(0, 0, 0, 5), block(1, 1, 0, 5), block(0, 0, 6, 8), block(1, 1, 6, 9)]
    assert [(one.first_lane, one.last_lane) for one in merge_adjacent(blocks)] == [(0, 1), (0, 0), (1, 1), (3, 3)]


@given(st.sets(st.integers(0, 30)))
def test_merging_keeps_every_lane_exactly_once(lanes: set[int]) -> None:
    merged = merge_adjacent([block(lane, lane, 0, 1) for lane in lanes])
    covered = [lane for one in merged for lane in range(one.first_lane, one.last_lane + 1)]
    assert covered == sorted(lanes)
    assert all(one.last_lane + 1 < other.first_lane for one, other in pairwise(merged))
