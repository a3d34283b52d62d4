"""How a node was watched, in words: nothing incomplete reads as the whole, nothing unknown as zero."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.clock import ClockState
from metering.node_hours import SilenceRow
from metering.pages.coverage import WHOLE, clock_facts, coverage_strip, coverage_words, silence_line

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOURS = [NOW - timedelta(hours=back) for back in range(24, 0, -1)]


def titles(shares: list[int | None]) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", coverage_strip(HOURS[: len(shares)], shares))


def test_each_hour_says_its_share() -> None:
    assert titles([1000, 0, 500, None]) == [
        "12:00 UTC: 100%",
        "13:00 UTC: 0%",
        "14:00 UTC: 50%",
        "15:00 UTC: not expected",
    ]


@given(st.integers(1, WHOLE - 1))
def test_a_part_never_reads_as_the_whole_or_as_nothing(known: int) -> None:
    (said,) = titles([known])
    assert not said.endswith((" 100%", " 0%"))


@pytest.mark.parametrize(
    ("known", "tone"), [(1000, "s-whole"), (999, "s-part"), (1, "s-part"), (0, "s-miss"), (None, "none")]
)
def test_each_kind_of_hour_has_its_own_tone(known: int | None, tone: str) -> None:
    assert re.findall(r'<rect[^>]*class="([^"]*)"', coverage_strip(HOURS[:1], [known])) == [tone]


def test_every_cell_lies_within_the_strip() -> None:
    drawn = coverage_strip(HOURS, [None, 0, 1, 999, 1000, 500] * 4)
    rows = re.findall(r'<rect[^>]*?\by="(-?\d+)"[^>]*?\bheight="(\d+)"', drawn)
    assert len(rows) == 24
    assert all(int(y) >= 0 and int(y) + int(height) <= 18 for y, height in rows)


@pytest.mark.parametrize(
    ("shares", "text", "pill"),
    [
        ([None, None], "nothing expected yet", "new"),
        ([1000], "1 of 1 hour", "complete"),
        ([1000, None, 1000], "2 of 2 hours", "complete"),
        ([1000, 999, None], "1 of 2 hours", "incomplete"),
        ([0], "0 of 1 hour", "incomplete"),
    ],
)
def test_the_hours_together(shares: list[int | None], text: str, pill: str) -> None:
    said, shown = coverage_words(shares)
    assert (said, shown.text) == (text, pill)


def silence(to_at: datetime | None, end: str) -> SilenceRow:
    return SilenceRow("node-1", "cluster", NOW - timedelta(hours=3), to_at, end, NOW - timedelta(hours=2))


def test_a_silence_says_how_it_ended() -> None:
    lasting = silence_line(silence(None, ""), NOW, "en")
    assert (lasting.to_at, lasting.pill.text) == ("", "silent")
    ended = [silence_line(silence(NOW - timedelta(hours=1), end), NOW, "en") for end in ("filled", "missed")]
    assert [one.pill.text for one in ended] == ["filled", "gap"]
    assert ended[0].lasted == ended[1].lasted != lasting.lasted
    assert "everything later" in ended[0].text
    assert "did not read" in ended[1].text


def facts(clock: ClockState | None) -> dict[str, str]:
    return dict(clock_facts(clock, "en"))


def test_a_clock_that_was_never_measured_is_no_zero() -> None:
    assert facts(None) == facts(ClockState()) == {"Clock": "not measured yet"}


def test_a_clock_says_how_far_it_is_off_and_what_is_done() -> None:
    assert facts(ClockState(least_ms=400, measured=9)) == {"Clock": "0.4 s off, measured over 9 batches"}
    moved = facts(ClockState(least_ms=5_000, before_ms=6_000, measured=9, correction_ms=5_000))
    assert moved["Corrected"] == "readings are moved by 5.0 s"
    held = facts(ClockState(least_ms=300_001, measured=9))
    assert held["Corrected"] == "no: too far off, its readings are held"
    edge = facts(ClockState(least_ms=300_000, measured=9))
    assert "Corrected" not in edge
    stepped = facts(ClockState(least_ms=0, measured=1, stepped_ms=90_000, stepped_at_ms=1_772_712_000_000))
    assert stepped["Last step"].startswith("90.0 s at Mar 5")
