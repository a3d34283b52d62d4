"""The beat table names tasks that exist, a task survives its worker, and the queue fits the broker."""

from __future__ import annotations

import gc
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from celery.loaders.app import AppLoader

from forecourt.celery import SWEEPS, VISIBILITY_TIMEOUT_S, QuietLoader, app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    app.loader.import_default_modules()


def test_no_garbage_is_looked_for_while_a_worker_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    on: list[bool] = []
    monkeypatch.setattr(AppLoader, "import_default_modules", lambda _: on.append(gc.isenabled()))
    assert isinstance(app.loader, QuietLoader)
    app.loader.import_default_modules()
    assert (on, gc.isenabled()) == ([False], True)


def test_a_worker_loads_nothing_that_only_pages_papers_of_the_api_and_stripe_need(tmp_path: Path) -> None:
    """A start costs what it loads; with a key of Stripe's the first sweep that asks it loads its package."""
    program = (
        "import sys; from forecourt.celery import app; app.loader.import_default_modules();"
        "print(*{n for n in sys.modules if n.partition('.')[0] not in ('billing', 'metering')}, 'billing.tasks')"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "FORECOURT_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"django.apps", "psycopg", "celery.app", "billing.tasks"} <= loaded
    assert {"stripe", "httpx", "drf_spectacular.plumbing", "forecourt.urls", "markdown_it"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_is_a_task_of_the_queue_that_tolerates_news(name: str) -> None:
    task = app.tasks[name]
    assert app.amqp.router.route({}, name)["queue"].name == "forecourt"
    parameters = inspect.signature(task.run).parameters.values()
    assert {one.kind for one in parameters} <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    assert any(one.kind == inspect.Parameter.VAR_KEYWORD for one in parameters), "a rolling deploy adds arguments"


def test_every_own_task_is_swept() -> None:
    own = {name for name in app.tasks if not name.startswith("celery.")}
    assert own == set(SWEEPS)


def test_the_beat_table_drops_hints_that_came_too_late() -> None:
    table = app.conf.beat_schedule
    assert {entry["task"] for entry in table.values()} == set(SWEEPS)
    for name, entry in table.items():
        assert entry["schedule"] == SWEEPS[name]
        assert entry["options"]["expires"] >= SWEEPS[name]


def test_a_task_is_acknowledged_when_it_is_done() -> None:
    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]


@pytest.mark.parametrize(
    ("url", "kind", "options"),
    [
        ("amqp://guest@127.0.0.1:5672//", "quorum", {}),
        ("redis://127.0.0.1:6379/0", "classic", {"visibility_timeout": VISIBILITY_TIMEOUT_S}),
    ],
)
def test_the_queue_fits_the_broker(tmp_path: Path, url: str, kind: str, options: dict[str, Any]) -> None:
    program = (
        "import json; from forecourt.celery import app; c = app.conf;"
        "print(json.dumps([c.broker_url, c.task_default_queue_type, c.broker_transport_options]))"
    )
    environ = {**os.environ, "BROKER_URL": url, "PYTHONPATH": str(ROOT), "FORECOURT_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [url, kind, options]
