"""The window and filters of pages that share an address: what is offered, what is kept, what is no page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.http import Http404
from django.test import RequestFactory

from metering.pages.windows import DAYS, TEXT_CHARS_MAX, Shown, shown

NOW = datetime(2026, 3, 10, 12, 34, 56, 789, tzinfo=UTC)
HOUR = datetime(2026, 3, 10, 12, tzinfo=UTC)


def asked(query: str, *names: str, now: datetime = NOW) -> Shown:
    return shown(RequestFactory().get(f"/p/gaps/?{query}"), now, names)


@pytest.mark.parametrize("days", DAYS)
def test_the_window_ends_at_the_full_hour_and_is_whole_days_long(days: int) -> None:
    found = asked(f"days={days}")
    assert (found.days, found.to_at, found.to_at - found.from_at) == (days, HOUR, timedelta(days=days))


def test_a_full_hour_is_its_own_end_and_a_week_is_shown_unless_asked() -> None:
    assert asked("", now=HOUR).to_at == HOUR
    assert asked("").days == 7


@pytest.mark.parametrize("days", ["", "0", "2", "-1", "07", "7.0", " 7", "\u0667", "all", "999999999999"])
def test_a_window_that_is_not_offered_is_not_found(days: str) -> None:
    with pytest.raises(Http404):
        asked(f"days={days}")


@pytest.mark.parametrize(("value", "found"), [("x" * TEXT_CHARS_MAX, True), ("x" * (TEXT_CHARS_MAX + 1), False),
                                               ("a%00b", False), ("", True), ("%E6%B7%B1", True)])  # fmt: skip
def test_a_filter_is_a_short_text_without_a_null(value: str, *, found: bool) -> None:
    if found:
        assert set(asked(f"node={value}", "node").chosen) == {"node"}
        return
    with pytest.raises(Http404):
        asked(f"node={value}", "node")


def test_only_the_named_filters_are_read() -> None:
    assert asked("node=a&model=b&days=1", "node", "kind").chosen == {"node": "a", "kind": ""}


def test_the_address_keeps_what_was_chosen_and_leaves_out_what_is_empty() -> None:
    found = asked("days=31&node=a%20%26b&kind=", "node", "kind")
    assert found.url("/p/gaps/") == "/p/gaps/?days=31&node=a+%26b"
    assert found.url("/p/gaps/", node="") == "/p/gaps/?days=31"
    assert found.url("/p/gaps/", kind="late", days="1") == "/p/gaps/?days=1&node=a+%26b&kind=late"


def test_one_choice_is_the_present_one_and_each_keeps_the_filters() -> None:
    choices = asked("days=1&node=a", "node").choices("/p/gaps/")
    assert [choice.current for choice in choices] == [True, False, False]
    assert all("node=a" in choice.url for choice in choices)
    assert [choice.title for choice in choices] == ["24 hours", "7 days", "31 days"]
