"""The smallest web application and Celery application, for tests of the processes around them."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from celery import Celery

from forecourt.env import read_environment

app = Celery("sample")
app.config_from_object(
    {
        "broker_url": read_environment(os.environ).broker_url,
        "broker_transport_options": {"visibility_timeout": 5},
        "broker_connection_retry_on_startup": True,
        "task_ignore_result": True,
        "worker_hijack_root_logger": False,
        "beat_schedule": {"tick": {"task": "touch", "schedule": 1.0, "kwargs": {"name": "beat"}}},
    }
)


@app.task(name="touch")
def touch(*, name: str) -> None:
    """Leave a file that says that the worker took this task."""
    (Path(os.environ["SAMPLE_FOLDER"]) / name).touch()


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer every request with the process id."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
