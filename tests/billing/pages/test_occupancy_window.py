"""The window of the occupancy page, in its address and out of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pages.occupancy_window import (
    DAYS_OFFERED,
    FIRST_DAY,
    LAST_DAY,
    ShownWindow,
    UnreadableWindow,
    default_first,
    read_window,
)

NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
windows = st.builds(
    ShownWindow,
    first=st.dates(FIRST_DAY, LAST_DAY),
    days=st.sampled_from(DAYS_OFFERED),
    today=st.just(NOON.date()),
    cluster=st.sampled_from(("", "sample-1")),
    page=st.integers(1, 50),
)


@given(windows)
def test_a_window_is_read_back_from_its_address(window: ShownWindow) -> None:
    assert read_window(window.query(first=window.first, page=window.page), NOON) == window


@given(windows)
def test_a_window_is_whole_days(window: ShownWindow) -> None:
    assert window.to_at - window.from_at == timedelta(days=window.days)
    assert window.from_at.date() == window.first
    assert (window.to_at - timedelta(microseconds=1)).date() == window.last


@given(windows, st.sampled_from(DAYS_OFFERED))
def test_another_span_keeps_the_first_day_or_stays_around_today(window: ShownWindow, days: int) -> None:
    other = read_window(window.query(days=days), NOON)
    assert (other.days, other.cluster, other.page) == (days, window.cluster, 1)
    assert other.first == (default_first(window.today, days) if window.is_default else window.first)


def test_a_cluster_can_be_chosen_and_let_go() -> None:
    window = read_window({"cluster": "sample-1"}, NOON)
    assert window.query() == {"cluster": "sample-1"}
    assert window.query(cluster="") == {}
    assert window.query(cluster="sample-2", page=3) == {"cluster": "sample-2", "page": "3"}


def test_today_is_that_of_utc_whatever_zone_now_is_in() -> None:
    late = datetime.fromisoformat("2026-03-19T01:00:00+09:00")
    assert read_window({"days": "1"}, late).first == date(2026, 3, 18)


@pytest.mark.parametrize(
    "query",
    [{"days": "0"}, {"days": "-7"}, {"days": "week"}, {"page": "0"}, {"page": "one"},
     {"from": "2026-02-30"}, {"from": "1999-12-31"}, {"from": "2999-12-02"}],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(UnreadableWindow):
        read_window(query, NOON)
