"""Keeps when each sweep ran last, so that a sweep that stopped is seen; and reads it beside the beat table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from forecourt.models import SweepRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ERROR_CHARACTERS_MAX: Final = 300
SLACK: Final = timedelta(minutes=2)
"""A sweep may take a minute, and a worker may be busy with another."""
WRITE: Final = """
    INSERT INTO forecourt_sweeprun AS kept (name, began_at, ended_at, took_ms, runs, failures, failed_at, last_error)
    VALUES (%(name)s, %(began_at)s, %(ended_at)s, %(took_ms)s, 1, %(failed)s, %(failed_at)s, %(error)s)
    ON CONFLICT (name) DO UPDATE SET
        began_at = EXCLUDED.began_at, ended_at = EXCLUDED.ended_at, took_ms = EXCLUDED.took_ms,
        runs = kept.runs + 1, failures = kept.failures + EXCLUDED.failures,
        failed_at = COALESCE(EXCLUDED.failed_at, kept.failed_at),
        last_error = CASE WHEN EXCLUDED.failed_at IS NULL THEN kept.last_error ELSE EXCLUDED.last_error END
    WHERE kept.ended_at <= EXCLUDED.ended_at
"""


class SweepState(StrEnum):
    """How a sweep stands."""

    RUNNING = "running"
    FAILED = "failed"
    LATE = "late"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A line of the beat table with its latest run; None where it never ran."""

    name: str
    every_s: float
    state: SweepState
    run: SweepRun | None


def note_run(*, name: str, began_at: datetime, ended_at: datetime, error: str | None) -> None:
    """Keep a run; `error` is None where it ended well. Of two at once the one that ended last stays."""
    took = ended_at - began_at
    values: dict[str, Any] = {
        "name": name,
        "began_at": began_at,
        "ended_at": ended_at,
        "took_ms": max(0, took // timedelta(milliseconds=1)),
        "failed": 0 if error is None else 1,
        "failed_at": None if error is None else ended_at,
        "error": "" if error is None else error[:ERROR_CHARACTERS_MAX],
    }
    with connection.cursor() as cursor:
        cursor.execute(WRITE, values)


def sweeps(table: Mapping[str, float], now: datetime) -> list[Sweep]:
    """Return every sweep of a beat table (name to seconds between runs), those in trouble first; one query."""
    runs = {run.name: run for run in SweepRun.objects.filter(name__in=list(table))}
    found = [
        Sweep(name, every_s, _state(runs.get(name), every_s, now), runs.get(name)) for name, every_s in table.items()
    ]
    order = [SweepState.FAILED, SweepState.LATE, SweepState.NEVER, SweepState.RUNNING]
    return sorted(found, key=lambda one: (order.index(one.state), one.name))


def _state(run: SweepRun | None, every_s: float, now: datetime) -> SweepState:
    if run is None:
        return SweepState.NEVER
    if now - run.ended_at > 2 * timedelta(seconds=every_s) + SLACK:
        return SweepState.LATE
    return SweepState.FAILED if run.failed_at == run.ended_at else SweepState.RUNNING
