"""Factors multiply; windows are told by the clock on the wall."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.multiplying import NO_FACTOR, Factors, window_edges
from tests.billing.rating.priced import BOOK, wording
from tests.examples import examples

NIGHT = {"name": "night", "from_local": "22:00", "to_local": "06:00", "factor": "0.75"}
NEW_YORK = Factors(wording(off_peak=[NIGHT], multipliers=[{"mark": "batch", "factor": "0.6"}]), "America/New_York")
NOON = datetime(2025, 3, 5, 17, tzinfo=UTC)


def test_the_contract_says_what_a_mark_costs_and_else_the_book_does() -> None:
    assert NEW_YORK.of("batch", NOON, "small", BOOK).value == Fraction("0.6")
    assert NEW_YORK.of("priority", NOON, "small", BOOK).value == 2
    assert NEW_YORK.of("priority", NOON, "small", None) == NO_FACTOR
    assert NEW_YORK.of("", NOON, "small", BOOK) == NO_FACTOR


def test_all_that_applies_is_multiplied_and_named() -> None:
    found = NEW_YORK.of("batch+priority", NOON + timedelta(hours=12), "small", BOOK)
    assert (found.value, found.names) == (Fraction("0.9"), "batch+priority+night")


def test_an_hour_that_the_clock_repeats_is_in_the_window_twice_and_a_skipped_one_never() -> None:
    late = {"name": "late", "from_local": "01:00", "to_local": "03:00", "factor": "0.5"}
    factors = Factors(wording(off_peak=[late]), "America/New_York")

    def inside(day: datetime) -> int:
        return sum(factors.of("", day + timedelta(hours=hour), "small", None).names == "late" for hour in range(24))

    assert inside(datetime(2025, 3, 9, 5, tzinfo=UTC)) == 1
    assert inside(datetime(2025, 11, 2, 4, tzinfo=UTC)) == 3
    assert inside(datetime(2025, 7, 2, 4, tzinfo=UTC)) == 2


@settings(max_examples=examples(25))
@given(
    st.integers(0, 365 * 24 * 60).map(lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.sampled_from(["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.sets(st.sampled_from(["mon", "sat", "sun"])),
)
def test_between_two_edges_the_factor_is_one(start: datetime, zone: str, days: set[str]) -> None:
    agreed = wording(off_peak=[NIGHT | {"days": sorted(days)}])
    factors = Factors(agreed, zone)
    edges = [*window_edges(agreed, zone, start, start + timedelta(days=4)), start + timedelta(days=4)]
    for edge in edges:
        minutes = int((edge - start).total_seconds()) // 60
        found = {factors.of("", start + timedelta(minutes=n), "small", None).names for n in range(0, minutes, 17)}
        assert len(found) <= 1
        start = edge
