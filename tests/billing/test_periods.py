"""Billing periods: local calendars, cut contracts, days that have 23 or 25 hours or do not exist."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.periods import (
    OutsideContract,
    Period,
    PeriodKind,
    PeriodSpec,
    day_edges,
    day_starts,
    iter_periods,
    next_period,
    period_containing,
)
from tests.examples import examples

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spec(kind: PeriodKind, zone: str, starts_at: str, ends_at: str | None = None) -> PeriodSpec:
    return PeriodSpec(kind, zone, utc(starts_at), None if ends_at is None else utc(ends_at))


def bounds(period: Period) -> tuple[datetime, datetime]:
    return period.from_at, period.to_at


def test_a_calendar_month_is_the_local_one() -> None:
    monthly = spec(PeriodKind.CALENDAR_MONTH, BERLIN, "2026-01-10T00:00")
    march = period_containing(monthly, utc("2026-03-15T12:00"))
    assert bounds(march) == (utc("2026-02-28T23:00"), utc("2026-03-31T22:00"))
    assert march.whole_seconds == (31 * 24 - 1) * 3_600
    assert march.is_whole


def test_the_last_local_instant_of_a_month_belongs_to_it() -> None:
    monthly = spec(PeriodKind.CALENDAR_MONTH, BERLIN, "2026-01-10T00:00")
    last = utc("2026-03-31T22:00") - timedelta(microseconds=1)
    assert period_containing(monthly, last).to_at == utc("2026-03-31T22:00")
    assert period_containing(monthly, utc("2026-03-31T22:00")).from_at == utc("2026-03-31T22:00")


def test_the_first_and_last_period_are_cut_at_the_contract() -> None:
    monthly = spec(PeriodKind.CALENDAR_MONTH, "UTC", "2026-01-10T06:00", "2026-03-05T12:00")
    periods = list(iter_periods(monthly, before=utc("2030-01-01T00:00")))
    assert [bounds(period) for period in periods] == [
        (utc("2026-01-10T06:00"), utc("2026-02-01T00:00")),
        (utc("2026-02-01T00:00"), utc("2026-03-01T00:00")),
        (utc("2026-03-01T00:00"), utc("2026-03-05T12:00")),
    ]
    assert [period.is_whole for period in periods] == [False, True, False]
    assert periods[0].whole_from_at == utc("2026-01-01T00:00")
    assert next_period(monthly, periods[2]) is None


def test_an_anniversary_month_falls_back_to_the_last_day_and_recovers() -> None:
    monthly = spec(PeriodKind.ANNIVERSARY_MONTH, "UTC", "2026-01-31T09:30")
    starts = [period.from_at for period in iter_periods(monthly, before=utc("2026-06-01T00:00"))]
    assert starts == [
        utc("2026-01-31T09:30"),
        utc("2026-02-28T09:30"),
        utc("2026-03-31T09:30"),
        utc("2026-04-30T09:30"),
        utc("2026-05-31T09:30"),
    ]


def test_an_anniversary_month_keeps_its_local_hour_over_a_change_of_clocks() -> None:
    monthly = spec(PeriodKind.ANNIVERSARY_MONTH, BERLIN, "2026-03-10T11:00")
    april = period_containing(monthly, utc("2026-04-20T00:00"))
    assert april.from_at == utc("2026-04-10T10:00")


def test_a_week_begins_on_monday() -> None:
    weekly = spec(PeriodKind.WEEK, BERLIN, "2026-03-12T08:00")
    first = period_containing(weekly, utc("2026-03-12T08:00"))
    assert bounds(first) == (utc("2026-03-12T08:00"), utc("2026-03-15T23:00"))
    assert first.whole_from_at == utc("2026-03-08T23:00")
    shorter = period_containing(weekly, utc("2026-03-29T12:00"))
    assert shorter.whole_seconds == (7 * 24 - 1) * 3_600


@pytest.mark.parametrize(
    ("instant", "hours"), [("2025-03-08T18:00", 23), ("2025-03-09T18:00", 24), ("2025-11-01T18:00", 25)]
)
def test_a_day_has_the_hours_it_has(instant: str, hours: int) -> None:
    daily = spec(PeriodKind.DAY, "America/New_York", "2025-03-01T17:00")
    assert period_containing(daily, utc(instant)).whole_seconds == hours * 3_600


def test_a_fixed_length_runs_on_whatever_the_clocks_do() -> None:
    fixed = PeriodSpec(PeriodKind.FIXED_LENGTH, BERLIN, utc("2026-03-28T12:00"), length_s=86_400)
    assert bounds(period_containing(fixed, utc("2026-03-29T12:00"))) == (
        utc("2026-03-29T12:00"),
        utc("2026-03-30T12:00"),
    )


def test_a_day_that_the_zone_skipped_is_no_period() -> None:
    daily = spec(PeriodKind.DAY, "Pacific/Apia", "2011-12-29T10:00")
    periods = list(iter_periods(daily, before=utc("2012-01-01T10:00")))
    apia = ZoneInfo("Pacific/Apia")
    assert [period.from_at.astimezone(apia).day for period in periods] == [29, 31, 1]
    assert all(left.to_at == right.from_at for left, right in pairwise(periods))


@pytest.mark.parametrize("instant", ["2026-01-09T23:59", "2026-03-05T12:00"])
def test_an_instant_outside_the_contract_has_no_period(instant: str) -> None:
    monthly = spec(PeriodKind.CALENDAR_MONTH, "UTC", "2026-01-10T06:00", "2026-03-05T12:00")
    with pytest.raises(OutsideContract):
        period_containing(monthly, utc(instant))


def test_a_spec_without_the_length_it_needs_is_refused() -> None:
    with pytest.raises(AssertionError):
        PeriodSpec(PeriodKind.FIXED_LENGTH, "UTC", utc("2026-01-01T00:00"))
    with pytest.raises(AssertionError):
        PeriodSpec(PeriodKind.WEEK, "UTC", utc("2026-01-01T00:00"), length_s=5)


def test_local_days_cut_a_span_at_midnights_strictly_inside() -> None:
    edges = day_edges(BERLIN, utc("2026-03-28T23:00"), utc("2026-03-30T22:00"))
    assert edges == (utc("2026-03-29T22:00"),)
    assert day_edges(BERLIN, utc("2026-03-28T08:00"), utc("2026-03-28T09:00")) == ()


ZONES = ["UTC", BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago"]
WALL_KINDS = [kind for kind in PeriodKind if kind is not PeriodKind.FIXED_LENGTH]
INSTANTS = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001 - made aware at once
    lambda naive: naive.replace(tzinfo=UTC)
)


@settings(max_examples=examples(25))
@given(st.sampled_from(WALL_KINDS), st.sampled_from(ZONES), INSTANTS, st.timedeltas(timedelta(0), timedelta(days=900)))
def test_every_instant_has_one_period_and_periods_leave_no_gap(
    kind: PeriodKind, zone: str, starts_at: datetime, after: timedelta
) -> None:
    contract = PeriodSpec(kind, zone, starts_at, starts_at + after + timedelta(days=50))
    instant = starts_at + after
    period = period_containing(contract, instant)
    assert period.from_at <= instant < period.to_at
    assert period_containing(contract, period.from_at) == period
    assert period_containing(contract, period.to_at - timedelta(microseconds=1)) == period
    following = next_period(contract, period)
    assert following is None or following.from_at == period.to_at
    assert (following is None) == (period.to_at == contract.ends_at)


@settings(max_examples=examples(25))
@given(st.integers(1, 10**7), INSTANTS, st.integers(0, 10**9))
def test_fixed_periods_are_all_of_one_length(length_s: int, starts_at: datetime, after_s: int) -> None:
    fixed = PeriodSpec(PeriodKind.FIXED_LENGTH, "UTC", starts_at, length_s=length_s)
    period = period_containing(fixed, starts_at + timedelta(seconds=after_s))
    assert period.whole_seconds == length_s
    assert (period.from_at - starts_at) % timedelta(seconds=length_s) == timedelta(0)


# Hypothesis wants bounds without a zone.
FIRST, LAST = datetime(2020, 3, 1), datetime(2030, 3, 1)  # noqa: DTZ001


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)])
def test_days_have_the_hours_they_have(day: date, hours: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("America/New_York"))
    first, second = day_starts(start, start + timedelta(days=1, hours=3), "America/New_York")[:2]
    assert (second - first) / timedelta(hours=1) == hours


@settings(max_examples=examples(25))
@given(
    st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC)),
    st.integers(0, 40 * 24 * 3600),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]),
)
def test_day_starts_divide_any_window_into_its_local_days(from_at: datetime, seconds: int, zone: str) -> None:
    to_at = from_at + timedelta(seconds=seconds)
    starts = day_starts(from_at, to_at, zone)
    assert starts == sorted(set(starts))
    assert all(from_at <= at < to_at for at in starts)
    days = [at.astimezone(ZoneInfo(zone)).date() for at in starts]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
