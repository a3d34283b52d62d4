"""Counts of what came in: they add up, by hour and reporter, however often they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from metering.control_models import IngestCount
from metering.ingest_counts import UNKNOWN_REPORTER, count_outcomes

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
HOUR_AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def counted() -> dict[tuple[str, str, str, int], int]:
    """Counts by reporter, kind, outcome and hours after HOUR_AT."""
    hours = timedelta(hours=1)
    return {
        (row.reporter, row.kind, row.outcome, (row.hour_at - HOUR_AT) // hours): row.count
        for row in IngestCount.objects.all()
    }


def test_the_same_outcome_of_an_hour_adds_up_in_one_row() -> None:
    for minutes in (0, 30, 59):
        count_outcomes(reporter="a", counts={("event", "accepted"): 2}, now=HOUR_AT + minutes * MINUTE)
    assert counted() == {("a", "event", "accepted", 0): 6}


def test_the_next_hour_begins_at_its_first_instant() -> None:
    for at in (HOUR_AT + 60 * MINUTE - timedelta(microseconds=1), HOUR_AT + 60 * MINUTE):
        count_outcomes(reporter="a", counts={("event", "accepted"): 1}, now=at)
    assert counted() == {("a", "event", "accepted", 0): 1, ("a", "event", "accepted", 1): 1}


def test_reporters_kinds_and_outcomes_are_counted_apart() -> None:
    count_outcomes(reporter="a", counts={("event", "accepted"): 1, ("event", "invalid"): 2}, now=HOUR_AT)
    count_outcomes(reporter="a", counts={("batch", "accepted"): 3}, now=HOUR_AT)
    count_outcomes(reporter=UNKNOWN_REPORTER, counts={("event", "accepted"): 4}, now=HOUR_AT)
    assert sorted(counted().values()) == [1, 2, 3, 4]


@pytest.mark.parametrize("counts", [{}, {("event", "accepted"): 0}])
def test_nothing_counted_asks_nothing(
    counts: dict[tuple[str, str], int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        count_outcomes(reporter="a", counts=counts, now=HOUR_AT)  # type: ignore[arg-type]  # kinds as above


def test_any_number_of_outcomes_takes_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        count_outcomes(reporter="a", counts={("event", f"reason-{one}"): one for one in range(50)}, now=HOUR_AT)
    assert sum(counted().values()) == sum(range(50))
    assert len(counted()) == 49


def test_outcomes_that_are_alike_in_what_is_kept_of_them_are_one() -> None:
    long = "x" * 48
    count_outcomes(reporter="a", counts={("event", f"{long}1"): 2, ("event", f"{long}2"): 3}, now=HOUR_AT)
    assert counted() == {("a", "event", long, 0): 5}
