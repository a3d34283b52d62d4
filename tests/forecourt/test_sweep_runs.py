"""Runs of sweeps: the latest stays, failures are counted, and one that stopped is late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from forecourt.models import SweepRun
from forecourt.sweep_runs import ERROR_CHARACTERS_MAX, SweepState, note_run, sweeps

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NAME = "sample.sweep"


def ran(at: datetime, *, took: timedelta = SECOND, error: str | None = None, name: str = NAME) -> None:
    note_run(name=name, began_at=at - took, ended_at=at, error=error)


def state(now: datetime, every_s: float = 10) -> SweepState:
    [one] = sweeps({NAME: every_s}, now)
    return one.state


def test_a_run_is_kept_and_the_next_one_takes_its_place() -> None:
    ran(NOON, took=1500 * timedelta(milliseconds=1))
    ran(NOON + 10 * SECOND)
    run = SweepRun.objects.get()
    assert (run.name, run.ended_at, run.took_ms) == (NAME, NOON + 10 * SECOND, 1000)
    assert (run.runs, run.failures, run.failed_at, run.last_error) == (2, 0, None, "")
    assert str(run) == "sample.sweep 2026-03-05 12:00:10"


def test_a_failure_stays_known_after_the_next_good_run() -> None:
    ran(NOON, error="ValueError: " + "x" * 400)
    assert state(NOON) is SweepState.FAILED
    ran(NOON + 10 * SECOND)
    assert state(NOON + 10 * SECOND) is SweepState.RUNNING
    run = SweepRun.objects.get()
    assert (run.runs, run.failures, run.failed_at, len(run.last_error)) == (2, 1, NOON, ERROR_CHARACTERS_MAX)


def test_of_two_at_once_the_one_that_ended_last_stays() -> None:
    ran(NOON + SECOND)
    ran(NOON, error="ValueError: late to tell")
    run = SweepRun.objects.get()
    assert (run.ended_at, run.failures) == (NOON + SECOND, 0)


def test_a_clock_that_went_back_makes_no_negative_time() -> None:
    note_run(name=NAME, began_at=NOON + SECOND, ended_at=NOON, error=None)
    assert SweepRun.objects.get().took_ms == 0


@pytest.mark.parametrize(
    ("every_s", "age_s", "expected"),
    [
        (2, 124, SweepState.RUNNING),
        (2, 125, SweepState.LATE),
        (600, 1320, SweepState.RUNNING),
        (600, 1321, SweepState.LATE),
    ],
)
def test_a_sweep_is_late_after_two_intervals_and_some_slack(every_s: float, age_s: int, expected: SweepState) -> None:
    ran(NOON)
    assert state(NOON + age_s * SECOND, every_s) is expected


def test_those_in_trouble_come_first_and_others_of_the_table_are_not_forgotten() -> None:
    ran(NOON, name="b.fine")
    ran(NOON, name="c.failed", error="ValueError")
    ran(NOON - timedelta(days=1), name="d.late")
    ran(NOON, name="not.in.the.table")
    found = sweeps({"a.never": 1, "b.fine": 1, "c.failed": 1, "d.late": 1}, NOON)
    assert [(one.name, one.state) for one in found] == [
        ("c.failed", SweepState.FAILED),
        ("d.late", SweepState.LATE),
        ("a.never", SweepState.NEVER),
        ("b.fine", SweepState.RUNNING),
    ]
