"""With DATABASE_URL and BROKER_URL set nothing is embedded: the platform works on servers that the operator runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Connection

from tests.servers import packaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
SECRET_KEY = "own-servers-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ"
WAIT_S = 60
INPUT_TOKENS, OUTPUT_TOKENS = 1200, 345


@dataclass
class Platform:
    """A platform on servers of its own."""

    database_url: str
    broker_url: str
    data: Path
    environ: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        foreign = ("FORECOURT_", "STRIPE_", "DJANGO_")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "FORECOURT_SECRET_KEY": SECRET_KEY,
            "FORECOURT_DATA_DIR": str(self.data),
            "DJANGO_SETTINGS_MODULE": "forecourt.settings",
        }

    def manage(self, *argv: str) -> str:
        """What a command of the command line answers."""
        done = subprocess.run(
            [sys.executable, "-m", "forecourt.cli", "manage", *argv],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query).fetchall()

    @contextmanager
    def process(self, name: str, *argv: str) -> Iterator[None]:
        """A part of the platform, with its output in a file."""
        log = self.data.with_name(f"{name}.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *argv],
                cwd=ROOT,
                env=self.environ,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            if process.poll() is None:
                # Not to its children: a worker lets them end what they took, and then says that it is taken.
                process.terminate()
            process.wait(WAIT_S)

    @contextmanager
    def web(self) -> Iterator[str]:
        """The web server; yields its address."""
        port = packaged.free_port()
        with self.process("web", "granian", "--interface", "wsgi", "--port", str(port), "forecourt.wsgi:application"):
            wait_until(lambda: packaged.port_answers(port))
            yield f"http://127.0.0.1:{port}"

    def worker(self) -> AbstractContextManager[None]:
        celery = ("celery", "--app", "forecourt.celery:app", "worker", "--concurrency", "1")
        return self.process("worker", *celery, "--without-gossip", "--without-mingle")

    def hint(self, task: str) -> None:
        """Send a sweep's hint as beat does."""
        code = f"from forecourt.celery import app; app.send_task({task!r})"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=self.environ, check=True)


def wait_until(so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not so():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.05)


def ask(url: str, body: object = None, key: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data, headers), timeout=WAIT_S) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    # Pytest's own folders are their owner's alone, and PostgreSQL does not run as root.
    with tempfile.TemporaryDirectory(prefix="forecourt-test-") as folder, packaged.postgres(Path(folder)) as url:
        yield url


@pytest.fixture(scope="module")
def seeded(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the platform's own commands say of the database that they migrated and filled; no broker is asked."""
    platform = Platform(database_url, "redis://127.0.0.1:1", tmp_path_factory.mktemp("filled") / "data")
    platform.manage("migrate", "--no-input", "--skip-checks")
    said: dict[str, str] = json.loads(platform.manage("seed", "--json", "--skip-checks"))
    assert_nothing_is_embedded(platform)
    return said


def meter_an_event(platform: Platform, address: str, seeded: dict[str, str], number: int) -> None:
    """Post an event, and have a worker make usage of it, which joins that of the events before."""
    event = {
        "id": f"r-{number}",
        "source": "sample",
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "model": seeded["model"],
        "deployment": seeded["deployment"],
        "input": INPUT_TOKENS,
        "output": OUTPUT_TOKENS,
    }
    assert ask(f"{address}/api/v1/events", [event], seeded["tenant_api_key"])["accepted"] == 1
    assert platform.rows("SELECT count(*) FROM metering_waitingevents") == [(1,)]
    with platform.worker():
        platform.hint("metering.tasks.rollup_events")
        wait_until(lambda: platform.rows("SELECT count(*) FROM metering_waitingevents") == [(0,)])
    # By quantity, as an hour may have begun between two events.
    used = "SELECT quantity, sum(value) FROM metering_usagehour WHERE quantity IN ('input', 'output') GROUP BY 1"
    assert sorted(platform.rows(used)) == [("input", number * INPUT_TOKENS), ("output", number * OUTPUT_TOKENS)]


def assert_nothing_is_embedded(platform: Platform) -> None:
    kept = {path.name for path in platform.data.iterdir()} if platform.data.exists() else set()
    assert kept & {"postgres", "broker", "run", "secret-key"} == set()


def test_the_database_server_is_the_packaged_one(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        version = connection.info.server_version
    assert version // 10_000 == packaged.POSTGRES_MAJOR


def test_sweeps_work_through_a_quorum_queue_of_rabbitmq_and_then_through_redis(
    database_url: str, seeded: dict[str, str], tmp_path: Path
) -> None:
    """1. Web and worker with RabbitMQ, whose queue is looked at, 2. a worker with Redis beside the same web server."""
    with packaged.rabbitmq(tmp_path) as broker_url:
        platform = Platform(database_url, broker_url, tmp_path / "data")
        with platform.web() as address:
            ready = ask(f"{address}/health/ready")
            assert ready["checks"] == {"database": "ok", "migrations": "ok", "broker": "ok", "clock": "ok"}
            meter_an_event(platform, address, seeded, 1)
            with packaged.redis(tmp_path) as redis_url:
                other = Platform(database_url, redis_url, tmp_path / "data")
                meter_an_event(other, address, seeded, 2)
        with Connection(broker_url) as broker:
            channel: Any = broker.default_channel
            queue = {"queue": "forecourt", "durable": True, "auto_delete": False}
            _, hints, _ = channel.queue_declare(**queue, arguments={"x-queue-type": "quorum"})
            assert hints == 0, "taken by the first worker, and the second's went elsewhere"
            with pytest.raises(PreconditionFailed, match="x-queue-type"):
                channel.queue_declare(**queue, arguments={"x-queue-type": "classic"})
    assert_nothing_is_embedded(platform)


def test_a_missing_server_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "PLACES", ["/nowhere"])
    with pytest.raises(pytest.fail.Exception, match="apt-get install rabbitmq-server"):
        packaged.program("rabbitmq-server", "rabbitmq-server")
