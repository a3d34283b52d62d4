"""Query parameters of reading usage: each boundary, and that all that is wrong is named at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from metering.api_parameters import (
    TEXT_CHARS_MAX,
    WINDOW_MAX,
    UsageQuery,
    WrongParameters,
    read_gaps_query,
    read_residuals_query,
    read_usage_query,
    window_of,
)
from tenants.listing.answers import LIMIT_MAX
from tenants.listing.cursors import write_cursor
from tenants.listing.paging import Page
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable

FROM = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-08T00:00:00Z"}


def asked(given: dict[str, str], read: Callable[[Request], UsageQuery] = read_usage_query) -> UsageQuery:
    return read(Request(APIRequestFactory().get(f"/?{urlencode(given)}")))


def wrong(given: dict[str, str], read: Callable[[Request], UsageQuery] = read_usage_query) -> list[str]:
    """The fields that are refused."""
    with pytest.raises(WrongParameters) as refused:
        asked(given, read)
    assert (refused.value.status, refused.value.code) == (400, "invalid")
    errors: Any = refused.value.extra["errors"]
    assert all(f"{one['field']}: {one['detail']}" in str(refused.value) for one in errors)
    return [one["field"] for one in errors]


def test_what_is_left_out_is_by_day_and_model_in_utc() -> None:
    found = asked(SPAN)
    assert (found.from_at, found.to_at, found.granularity, found.zone) == (FROM, FROM + 7 * DAY, "day", "UTC")
    assert (found.group_by, found.filters, found.page) == (("model",), {}, Page(100))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-01T00:00:00Z", FROM),
        ("2026-03-01T02:00:00+02:00", FROM),
        ("2026-03-01T02:00:00 02:00", FROM),
        ("2026-02-28T19:30:00-04:30", FROM),
        ("2026-03-01T00:00:00.000001Z", FROM + timedelta(microseconds=1)),
    ],
)
def test_an_instant_has_an_offset_which_may_come_as_a_blank(text: str, at: datetime) -> None:
    assert asked({**SPAN, "from": text}).from_at == at


@pytest.mark.parametrize(
    "text",
    ["", "2026-03-01", "2026-03-01T00:00:00", "now", "1772323200", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59",
     "0001-01-01T00:00:00+01:00"],
)  # fmt: skip
def test_what_is_no_instant_is_refused(text: str) -> None:
    assert wrong({**SPAN, "from": text}) == ["from"]


@pytest.mark.parametrize("granularity", list(WINDOW_MAX))
def test_a_window_is_as_long_as_its_granularity_allows_and_no_second_longer(granularity: str) -> None:
    longest = WINDOW_MAX[granularity]  # type: ignore[index]  # its own keys
    given = {"from": FROM.isoformat(), "granularity": granularity}
    assert asked({**given, "to": (FROM + longest).isoformat()}).to_at == FROM + longest
    assert wrong({**given, "to": (FROM + longest + SECOND).isoformat()}) == ["to"]


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_window_ends_after_it_begins(seconds: int) -> None:
    assert wrong({"from": FROM.isoformat(), "to": (FROM + seconds * SECOND).isoformat()}) == ["to"]
    assert asked({"from": FROM.isoformat(), "to": (FROM + SECOND).isoformat()}).to_at == FROM + SECOND


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", str(LIMIT_MAX + 1)), ("limit", "-1"), ("limit", "1e2"), ("limit", "\u0661"),
        ("limit", ""), ("limit", "9" * 5000), ("cursor", "?"), ("cursor", "LTE="), ("cursor", "MTAwMDAwMQ=="),
        ("cursor", ""), ("cursor", "w6k="), ("tz", "Mars/Base"), ("tz", ""), ("tz", "../etc/passwd"), ("tz", "a\0b"),
        ("granularity", "minute"), ("granularity", ""), ("group_by", "model,price"), ("group_by", "Model"),
        ("class", "tokens"), ("witness", "nobody"), ("model", ""), ("model", "x" * (TEXT_CHARS_MAX + 1)),
        ("tenant", "a\0b"), ("deployment", ""), ("colour", "red"),
    ],
)  # fmt: skip
def test_one_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    assert wrong({**SPAN, name: value}) == [name]


def test_everything_wrong_is_named_at_once() -> None:
    given = {"to": "soon", "limit": "0", "colour": "red", "tz": "Mars"}
    assert sorted(wrong(given)) == ["colour", "from", "limit", "to", "tz"]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", ()),
        ("model", ("model",)),
        ("node,model", ("node", "model")),
        ("model,model,tenant", ("model", "tenant")),
        ("class,witness", ()),
        (",model,", ("model",)),
    ],
)
def test_groups_stand_once_and_in_the_order_asked_for(text: str, groups: tuple[str, ...]) -> None:
    assert asked({**SPAN, "group_by": text}).group_by == groups


def test_filters_are_kept_by_name() -> None:
    given = {"model": "深", "class": "output", "witness": "engine", "tenant": "t", "deployment": "d"}
    assert asked({**SPAN, **given}).filters == given


def test_each_address_reads_its_own_parameters_alone() -> None:
    assert wrong({**SPAN, "granularity": "hour"}, read_gaps_query) == ["granularity"]
    assert wrong({**SPAN, "granularity": "day"}, read_residuals_query) == ["granularity"]
    assert wrong({**SPAN, "witness": "engine"}, read_residuals_query) == ["witness"]
    assert asked(SPAN, read_gaps_query).granularity == "total"
    assert asked({**SPAN, "granularity": "hour"}, read_residuals_query).granularity == "hour"


@settings(max_examples=examples(25))
@given(place=st.lists(st.none() | st.integers(0, 9) | st.text("ab", max_size=3), max_size=5).map(tuple))
def test_a_cursor_leads_to_the_row_after_its_place(place: tuple[str | int | None, ...]) -> None:
    found = asked({**SPAN, "cursor": write_cursor(place), "limit": "7"})
    assert found.page == Page(7, place or None)
    assert window_of(found) == {"from": FROM, "to": FROM + 7 * DAY}
