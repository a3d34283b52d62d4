"""A server whose clock is off stores nothing by it, and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import pytest
from celery import Celery

from billing.adjusting.late_usage import STORED_WITHIN
from forecourt import health, recorded_task
from forecourt.clock import OFF_MOST, ClockOff, clock_off, off_words, require_clock
from forecourt.models import SweepRun
from forecourt.recorded_task import RecordedTask

if TYPE_CHECKING:
    from django.test import Client

DAY = timedelta(days=1)


def test_two_servers_off_to_both_sides_are_no_further_apart_than_late_usage_is_looked_for() -> None:
    assert 2 * OFF_MOST <= STORED_WITHIN


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (timedelta(0), ""),
        (OFF_MOST, ""),
        (-OFF_MOST, ""),
        (OFF_MOST + timedelta(seconds=1), "301 s ahead of the database's clock"),
        (-26 * timedelta(hours=1), "93600 s behind the database's clock"),
    ],
)
def test_how_far_a_clock_is_off_is_said(off: timedelta, said: str) -> None:
    assert off_words(off) == said


@pytest.mark.django_db
def test_the_clock_is_compared_with_the_databases() -> None:
    now = datetime.now(UTC)
    assert abs(clock_off(now)) < OFF_MOST
    assert clock_off(now - 2 * DAY) < -DAY
    require_clock(now)
    for wrong in (now - DAY, now + DAY):
        with pytest.raises(ClockOff, match="set it by NTP"):
            require_clock(wrong)


class Behind(datetime):
    """A clock a day and two hours behind."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # as it is called here
        return datetime.now(tz) - 26 * timedelta(hours=1)


@pytest.mark.django_db
def test_no_sweep_runs_by_a_clock_that_is_off_and_the_note_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_task, "datetime", Behind)
    own = Celery("behind", task_cls=RecordedTask, set_as_current=False)
    own.conf.update(task_always_eager=True, task_ignore_result=True)
    ran: list[int] = []

    @own.task(name="sample.stores", shared=False)
    def stores() -> None:
        ran.append(1)

    own.tasks["sample.stores"].apply(throw=False)
    assert ran == []
    run = SweepRun.objects.get()
    assert run.last_error.startswith("ClockOff: This server's clock is 936")
    assert "behind the database's clock" in run.last_error


@pytest.mark.django_db
def test_a_server_whose_clock_is_off_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "datetime", Behind)
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "behind the database's clock" in answer.json()["checks"]["clock"]
