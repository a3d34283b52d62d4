"""Years of a term end at anniversaries, by the clock of its zone."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.years import anniversary, year_of
from tests.examples import examples

INSTANTS = st.integers(0, 60 * 365 * 24).map(lambda hours: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


@settings(max_examples=examples(25))
@given(INSTANTS, st.integers(0, 20 * 366 * 24), st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]))
def test_every_instant_lies_in_one_year(start: datetime, hours: int, zone: str) -> None:
    at = start + timedelta(hours=hours)
    begin, end = year_of(start, zone, at)
    assert begin <= at < end
    assert timedelta(days=364) < end - begin < timedelta(days=367)
    assert year_of(start, zone, end)[0] == end


def test_a_leap_day_has_its_anniversary_on_the_28th() -> None:
    start = datetime(2024, 2, 29, 9, tzinfo=UTC)
    assert anniversary(start, "UTC", 1) == datetime(2025, 2, 28, 9, tzinfo=UTC)
    assert anniversary(start, "UTC", 4) == datetime(2028, 2, 29, 9, tzinfo=UTC)


def test_the_clock_shows_the_same_time_whatever_its_offset() -> None:
    start = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert anniversary(start, "Europe/Berlin", 1) == datetime(2027, 3, 28, 23, 30, tzinfo=UTC)
