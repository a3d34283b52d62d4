"""The month of a list: read from its address or 404, offered with those before it, one of them chosen."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.http import Http404
from hypothesis import given
from hypothesis import strategies as st

from metering.pages.months import (
    ALL,
    EARLIEST,
    LATEST,
    MONTHS_OFFERED,
    month_at,
    month_choices,
    offered_months,
    read_month,
)
from metering.partitions import months_after

NOW = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)


def test_a_month_is_read_half_open() -> None:
    found = read_month("2026-02", "2026-01")
    assert (found.from_at, found.to_at) == (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    assert found.value == "2026-02"
    assert read_month("", "2026-01").value == "2026-01"


def test_all_months_are_all_time() -> None:
    found = read_month("", ALL)
    assert (found.first, found.from_at, found.to_at, found.value) == (None, EARLIEST, LATEST, ALL)


@pytest.mark.parametrize(
    "given", ["2026", "2026-13", "2026-00", "2026-03-01", "march", "1999-12", "3000-01", "0000-01", "-", "99999-01"]
)
def test_what_is_no_month_is_not_found(given: str) -> None:
    with pytest.raises(Http404):
        read_month(given, ALL)


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2999, 12, 31)))
def test_every_day_is_in_its_month_and_its_value_reads_back(day: date) -> None:
    month = month_at(day)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert month.from_at <= at < month.to_at
    assert read_month(month.value, ALL) == month
    assert (month.to_at.day, month.from_at.day) == (1, 1)


def test_a_year_and_a_month_are_offered_with_the_chosen_one() -> None:
    choices = month_choices(read_month("2026-03", ALL), NOW, "en")
    assert choices[0] == (ALL, "All months", False)
    assert [value for value, _, _ in choices[1:]][:3] == ["2026-03", "2026-02", "2026-01"]
    assert len(choices) == 1 + MONTHS_OFFERED
    assert [value for value, _, chosen in choices if chosen] == ["2026-03"]


def test_an_older_month_is_offered_with_the_year_before_it_while_it_is_shown() -> None:
    choices = month_choices(read_month("2019-07", ALL), NOW, "en")
    assert len(choices) == 1 + 2 * MONTHS_OFFERED
    assert choices[1 + MONTHS_OFFERED] == ("2019-07", "July 2019", True)
    assert choices[-1] == ("2018-07", "July 2018", False)
    assert [chosen for _, _, chosen in month_choices(read_month(ALL, ""), NOW, "en")].count(True) == 1


@given(months=st.integers(0, 12 * 26))
def test_any_month_is_reached_by_choosing_the_oldest_offered(months: int) -> None:
    """From the running month back to the earliest that an address may name."""
    wanted = months_after(NOW, -months).date().replace(day=1)
    offered = offered_months(NOW.date())
    assert offered[0] == NOW.date().replace(day=1)
    steps = 0
    while wanted not in offered:
        offered, steps = offered_months(NOW.date(), offered[-1]), steps + 1
    assert offered == sorted(set(offered), reverse=True)
    assert steps == max(0, (months - 1) // (MONTHS_OFFERED - 1)), "a year is gone back with each choice"


def test_a_month_ahead_is_offered_while_it_is_shown() -> None:
    assert offered_months(NOW.date(), date(2031, 2, 9))[:2] == [date(2031, 2, 1), NOW.date().replace(day=1)]


def test_nothing_before_the_earliest_is_offered() -> None:
    assert offered_months(NOW.date(), EARLIEST.date())[-1] == EARLIEST.date()
