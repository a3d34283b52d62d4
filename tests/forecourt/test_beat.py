"""The clock sends what the workers know, and starts without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from celery.beat import Scheduler
from celery.schedules import schedule

from forecourt import beat, celery
from forecourt.embedded.stack import Serving

ROOT = Path(__file__).parents[2]
LOADED = "import sys; import forecourt.beat; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def test_it_sends_the_whole_table_as_the_workers_are_told_it() -> None:
    table = Scheduler(beat.app, lazy=False).schedule
    own = {name: entry for name, entry in table.items() if not name.startswith("celery.")}
    assert set(own) == set(celery.SWEEPS)
    for name, entry in own.items():
        assert entry.task == name
        assert isinstance(entry.schedule, schedule)
        assert entry.schedule.seconds == celery.SWEEPS[name]
        assert entry.options == celery.app.conf.beat_schedule[name]["options"]


def test_its_messages_come_to_the_queue_that_workers_read() -> None:
    for name in celery.SWEEPS:
        assert beat.app.amqp.router.route({}, name)["queue"].name == "forecourt"
    for setting in ("broker_url", "broker_transport_options", "task_default_queue_type", "task_serializer"):
        assert beat.app.conf[setting] == celery.app.conf[setting]


def test_it_starts_without_the_apps(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "FORECOURT_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert {"billing", "metering", "tenants", "rest_framework", "psycopg"}.isdisjoint(done.stdout.split())


def test_the_platform_runs_it_as_its_beat() -> None:
    assert Serving().beat == f"{beat.__name__}:app"
    assert Serving().celery == f"{celery.__name__}:app"
    compose = (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
    assert f'"{Serving().beat}", beat,' in compose
    assert f'"{Serving().celery}", worker,' in compose
