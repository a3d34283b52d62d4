"""One throw-away installation for a benchmark: durable embedded PostgreSQL, and web processes where wanted.

Always embedded and in a folder of its own, whatever DATABASE_URL says, so that no benchmark can meet real data.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from forecourt.embedded.stack import (  # noqa: E402  the path
    Serving,
    beat_program,
    child_environ,
    parts,
    web_program,
    with_free_port,
    worker_program,
)
from forecourt.embedded.supervisor import Supervisor  # noqa: E402
from forecourt.env import read_environment  # noqa: E402


@dataclass(frozen=True, slots=True)
class Installation:
    """What a benchmark talks to; `port` is 0 without web processes."""

    database_url: str
    port: int


@contextmanager
def installation(*, web_processes: int = 0, static: bool = False, background: bool = False) -> Iterator[Installation]:
    """Bring up an empty, migrated installation; fsync and synchronous commit are on. Django is set up.

    `static` makes what pages need besides: fonts, texts, collected files. `background` starts worker and beat, which
    need web processes.
    """
    with tempfile.TemporaryDirectory(prefix="forecourt-bench-") as folder:
        # A .env in the checkout belongs to a real installation.
        os.chdir(folder)
        for name in ("DATABASE_URL", "BROKER_URL"):
            os.environ.pop(name, None)
        os.environ.update(FORECOURT_DATA_DIR=folder, DJANGO_SETTINGS_MODULE="forecourt.settings")
        environment = read_environment(os.environ)
        supervisor = Supervisor(say=_quiet)
        with parts(environment, supervisor) as places:
            _make_ready(static=static)
            port = 0
            if web_processes:
                serving = with_free_port(Serving(port=0, web_processes=web_processes))
                environ = child_environ(environment, os.environ, public_url=f"http://127.0.0.1:{serving.port}")
                supervisor.start(web_program(places, environ, serving))
                port = serving.port
                if background:
                    supervisor.start(worker_program(places, environ, serving))
                    supervisor.start(beat_program(places, environ, serving))
            yield Installation(environment.database_url, port)
            _close()
        os.chdir(ROOT)


def report(figures: dict[str, object]) -> None:
    """Print one JSON object."""
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def rate(count: int, seconds: Sequence[float]) -> int:
    """Return things a second in the median round of `count` things each."""
    return round(count / statistics.median(seconds))


def ratio(ours: Sequence[float], anchor: Sequence[float]) -> float:
    """Return how many times as fast ours is, as the median over rounds that lay side by side."""
    return round(statistics.median(other / own for own, other in zip(ours, anchor, strict=True)), 2)


def _make_ready(*, static: bool) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    if static:
        from forecourt.embedded.prepare import prepare

        prepare()
    else:
        call_command("migrate", interactive=False, verbosity=0)


def _close() -> None:
    from django.db import connections

    connections.close_all()


def _quiet(line: str) -> None:
    """Keep the supervisor's news out of the report."""
