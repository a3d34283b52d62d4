"""A sweep that a worker runs leaves a note; called as a function it leaves none, and a lost note loses no work."""

from __future__ import annotations

import logging

import pytest
from celery import Celery
from django.db import connection

from forecourt.celery import app
from forecourt.models import SweepRun
from forecourt.recorded_task import RecordedTask

pytestmark = pytest.mark.django_db


@pytest.fixture
def own() -> Celery[RecordedTask]:
    """An application of its own, whose tasks run here as a worker runs them."""
    made = Celery("sample", task_cls=RecordedTask, set_as_current=False)
    made.conf.update(task_always_eager=True, task_ignore_result=True)

    @made.task(name="sample.good", shared=False)
    def good() -> int:
        return 1

    @made.task(name="sample.bad", shared=False)
    def bad() -> None:
        raise ValueError("no such row")

    return made


def test_every_sweep_of_the_installation_is_recorded() -> None:
    app.loader.import_default_modules()
    assert isinstance(app.tasks["billing.tasks.charge_usage"], RecordedTask)


def test_a_run_in_a_worker_is_noted(own: Celery[RecordedTask]) -> None:
    for _time in range(2):
        own.tasks["sample.good"].apply()
    run = SweepRun.objects.get()
    assert (run.name, run.runs, run.failures) == ("sample.good", 2, 0)
    assert run.began_at <= run.ended_at


def test_a_run_that_fails_is_noted_with_its_reason(own: Celery[RecordedTask]) -> None:
    own.tasks["sample.bad"].apply(throw=False)
    run = SweepRun.objects.get()
    assert (run.failures, run.last_error, run.failed_at) == (1, "ValueError: no such row", run.ended_at)


def test_a_function_call_leaves_no_note(own: Celery[RecordedTask]) -> None:
    assert own.tasks["sample.good"]() == 1
    assert not SweepRun.objects.exists()


def test_a_note_that_cannot_be_kept_is_told_and_the_task_is_done(
    own: Celery[RecordedTask], caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE forecourt_sweeprun RENAME TO forecourt_elsewhere")
    with caplog.at_level(logging.WARNING):
        result = own.tasks["sample.good"].apply()
    assert result.result == 1
    assert "could not be noted" in caplog.text
