"""PostgreSQL, Redis and RabbitMQ as the system's packages bring them, each on a free port and in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from forecourt.embedded.folder import service_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POSTGRES_MAJOR = 15
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
PLACES = [
    f"/usr/lib/postgresql/{POSTGRES_MAJOR}/bin",
    "/usr/lib/rabbitmq/bin",
    "/usr/local/bin",
    "/usr/bin",
    "/usr/sbin",
]


def program(name: str, package: str) -> str:
    """The path of a server's program; where it is missing, the test fails and says what to install."""
    found = shutil.which(name, path=os.pathsep.join(PLACES))
    if found is None:
        pytest.fail(f"{name} is missing; it comes with the system's package: apt-get install {package}")
    return found


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Ports that nobody has, each another: all are held until the last is known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def running(argv: list[str], folder: Path, answers: Callable[[], bool], **options: Any) -> Iterator[None]:
    """Run a server in a process group of its own until it is no longer needed."""
    log = folder / f"{Path(argv[0]).name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, start_new_session=True, **options)
    try:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline_s:
                pytest.fail(f"{argv[0]} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT if "postgres" in argv[0] else signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL 15; yields the URL of an empty database. `folder` must be one that other accounts can reach."""
    package = f"postgresql-{POSTGRES_MAJOR}"
    server, initdb = program("postgres", package), program("initdb", package)
    account = service_account()
    data, port = folder / "data", free_port()
    data.mkdir()
    os.chown(data, account.uid, account.gid)
    options = {**account.spawn_options(), "cwd": folder}
    folder.chmod(0o755)  # a server that runs as another account starts inside it
    subprocess.run(
        [initdb, "-D", str(data), "-U", "forecourt", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
        check=True,
        capture_output=True,
        **options,
    )
    url = f"postgresql://forecourt@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        try:
            psycopg.connect(url, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    argv = [server, "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    with running([*argv, "-c", "unix_socket_directories=", "-c", "fsync=off"], folder, answers, **options):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE forecourt")
        yield url.replace("/postgres", "/forecourt")


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis; yields its URL."""
    port = free_port()
    argv = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    url = f"redis://127.0.0.1:{port}/0"
    with running([*argv, "--dir", str(folder)], folder, lambda: broker_answers(url)):
        yield url


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """A RabbitMQ with a port mapper of its own; yields its URL."""
    server, mapper = program("rabbitmq-server", "rabbitmq-server"), program("epmd", "rabbitmq-server")
    port, mapper_port = free_port(), free_port()
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    environ = {
        **os.environ,
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"forecourt{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILES": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        # Its threads sleep while they have nothing to do; at their own choice they go round in a circle for a while.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
    }
    (folder / "plugins").write_text("[].\n")
    with (
        running([mapper], folder, lambda: port_answers(mapper_port), env=environ),
        running([server], folder, lambda: broker_answers(url), env=environ, cwd=folder),
    ):
        yield url


def port_answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def broker_answers(url: str) -> bool:
    """Whether a broker takes a connection with its sign-in."""
    try:
        with Connection(url, connect_timeout=1) as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
    except (OperationalError, OSError):
        return False
    return True
