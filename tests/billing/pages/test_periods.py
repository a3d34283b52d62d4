from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.pages.periods import (
    DAYS_MAX,
    UnreadablePeriod,
    day_start,
    previous_month,
    read_period,
    with_query,
)

NOW = datetime(2026, 11, 18, 14, 32, tzinfo=UTC)


def test_without_a_query_it_is_the_running_month_up_to_now() -> None:
    period = read_period({}, "UTC", NOW)
    assert (period.first, period.last) == (date(2026, 11, 1), date(2026, 11, 30))
    assert (period.from_at, period.to_at) == (datetime(2026, 11, 1, tzinfo=UTC), NOW)
    assert period.shown_last == date(2026, 11, 18)
    assert period.runs
    assert period.query == {}


def test_a_month_is_its_whole_days_in_the_zone() -> None:
    period = read_period({"month": "2026-03"}, "Europe/Berlin", NOW)
    assert period.from_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert period.to_at == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert len(period.days()) == 31
    assert period.query == {"month": "2026-03"}
    assert not period.runs


def test_the_running_day_is_that_of_the_zone() -> None:
    late = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert read_period({}, "Asia/Shanghai", late).first == date(2026, 12, 1)
    assert read_period({}, "UTC", late).first == date(2026, 11, 1)


def test_two_days_are_both_included() -> None:
    period = read_period({"from": "2026-03-30", "to": "2026-04-02"}, "UTC", NOW)
    assert [each.day for each in period.days()] == [30, 31, 1, 2]
    assert period.to_at == datetime(2026, 4, 3, tzinfo=UTC)
    assert period.query == {"from": "2026-03-30", "to": "2026-04-02"}
    assert period.before() is None


def test_days_chosen_the_wrong_way_round_are_the_days_between_them() -> None:
    period = read_period({"from": "2026-04-02", "to": "2026-03-30"}, "UTC", NOW)
    assert period.query == {"from": "2026-03-30", "to": "2026-04-02"}
    assert read_period({"from": "2026-12-24"}, "UTC", NOW).query == {"from": "2026-11-18", "to": "2026-12-24"}


def test_days_that_make_a_month_are_that_month() -> None:
    assert read_period({"from": "2026-02-01", "to": "2026-02-28"}, "UTC", NOW).query == {"month": "2026-02"}


NO_DAYS = "It names no month (2026-03) and no days (2026-03-01) of the calendar."
NO_YEAR = "Years from 2000 to 2999 can be shown."


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"month": "2026-13"}, NO_DAYS),
        ({"month": "soon"}, NO_DAYS),
        ({"month": "2026"}, NO_DAYS),
        ({"from": "2026-02-30", "to": "2026-03-01"}, NO_DAYS),
        ({"from": "0001-01-01", "to": "2026-01-01"}, NO_YEAR),
        ({"from": "2015-01-01", "to": "2026-01-01"}, "It has 4,019 days; at most 1,831 are shown at once."),
        ({"month": "9999-11"}, NO_YEAR),
        ({"month": "9999-12"}, NO_YEAR),
    ],
)
def test_days_that_make_no_sense_are_refused_in_words(query: dict[str, str], words: str) -> None:
    with pytest.raises(UnreadablePeriod) as refused:
        read_period(query, "UTC", NOW)
    assert refused.value.words == words


def test_the_longest_range_is_read() -> None:
    last = date(2026, 1, 1)
    first = last - timedelta(days=DAYS_MAX)
    assert len(read_period({"from": str(first), "to": str(last)}, "UTC", NOW).days()) == DAYS_MAX + 1


def test_a_running_month_is_compared_with_the_same_time_of_the_month_before() -> None:
    compared = read_period({}, "UTC", NOW).before()
    assert compared is not None
    assert (compared.first, compared.shown_last) == (date(2026, 10, 1), date(2026, 10, 18))
    assert compared.to_at == datetime(2026, 10, 18, 14, 32, tzinfo=UTC)


def test_the_last_day_of_a_long_month_is_compared_with_the_whole_short_month_before() -> None:
    compared = read_period({}, "UTC", datetime(2026, 3, 31, 12, tzinfo=UTC)).before()
    assert compared is not None
    assert compared.last == date(2026, 2, 28)
    assert compared.to_at <= datetime(2026, 3, 1, tzinfo=UTC)


def test_a_finished_month_is_compared_with_the_whole_month_before() -> None:
    compared = read_period({"month": "2026-03"}, "UTC", NOW).before()
    assert compared is not None
    assert (compared.from_at, compared.to_at) == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


def test_the_month_before_january_is_december() -> None:
    assert previous_month(date(2026, 1, 31)) == date(2025, 12, 1)


def test_a_day_of_a_changed_clock_starts_at_its_midnight() -> None:
    assert day_start(date(2026, 3, 29), "Europe/Berlin") == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert day_start(date(2026, 3, 30), "Europe/Berlin") == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_links_leave_empty_values_out_and_escape_the_rest() -> None:
    assert with_query("/t/usage/", {"model": ""}) == "/t/usage/"
    assert with_query("/t/usage/", {"month": "2026-03"}, {"model": "a&b c"}) == "/t/usage/?month=2026-03&model=a%26b+c"
