"""Real processes, real signals: what an installation goes through on one machine."""

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
import pytest
import redis

from forecourt.embedded.folder import CannotStart
from forecourt.embedded.places import places_of
from forecourt.embedded.stack import Serving, address_of, child_environ, web_answers, whose_parts, with_free_port
from forecourt.env import read_environment
from tests.forecourt.embedded.stacks import DEADLINE_S, ROOT, USERS, Site, Stack, site

T = TypeVar("T")
KEY = "k3y-" * 5 + "0123456789abcdefghijklmnopqrstuvwxyz"
DATABASE = "postgresql://forecourt:sample@127.0.0.1:5999/forecourt"
BROKER = "redis://127.0.0.1:6999/0"
LONG = "x" * 200
"""The name of a folder whose path is too long for a socket."""
pytestmark = pytest.mark.stack


def write(stack: Stack, number: int) -> None:
    with psycopg.connect(stack.facts["database_url"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS reading (number int PRIMARY KEY)")
        connection.execute("INSERT INTO reading VALUES (%s)", [number])
    with redis.Redis(unix_socket_path=stack.facts["broker_socket"]) as broker:
        broker.rpush("queue", number)


def written(stack: Stack) -> tuple[list[int], list[int]]:
    with psycopg.connect(stack.facts["database_url"]) as connection:
        rows = [row[0] for row in connection.execute("SELECT number FROM reading ORDER BY number")]
    with redis.Redis(unix_socket_path=stack.facts["broker_socket"]) as broker:
        return rows, [int(item) for item in broker.lrange("queue", 0, -1)]


def eventually(look: Callable[[], T]) -> T:
    """The first true answer; errors of a server that is coming back count as not yet."""
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            found = look()
        except (OSError, psycopg.OperationalError, redis.ConnectionError, http.client.HTTPException):
            found = None
        if found:
            return found
        assert time.monotonic() < deadline_s, "it did not come back"
        time.sleep(0.05)


def servers_of(stack: Stack) -> list[psutil.Process]:
    """PostgreSQL and broker as they run now."""
    found: list[psutil.Process] = psutil.Process(stack.process.pid).children()
    assert {server.name() for server in found} == {"postgres", "valkey-server"}
    return found


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """A stack for the tests that leave it as it was, in a folder whose path is too long for a socket."""
    with site(name=LONG) as place:
        stack = place.up(STRIPE_SECRET_KEY="sk_test_1234567890")
        write(stack, 1)
        yield place
        assert written(stack) == ([1], [1])
        assert stack.stop() == 0
        assert not places_of(place.folder).sockets.exists()


@pytest.mark.parametrize(("user", "name"), list(zip(USERS, ("data", LONG), strict=False)))
def test_what_was_acknowledged_is_there_however_it_ended(user: int, name: str) -> None:
    """1. All killed at once, 2. the same, and the lock file names a stranger, 3. the supervisor alone, 4. Ctrl-C.

    A path that is too long for a socket changes nothing but where the sockets are.
    """
    with site(user, name=name) as place:
        stack = place.up()
        sockets = places_of(place.folder, uid=user).sockets
        assert Path(stack.facts["broker_socket"]).parent == sockets
        assert name != LONG or not sockets.is_relative_to(place.folder)
        for number in range(20):
            write(stack, number)
        place.kill_everything()
        stack = place.up()
        assert written(stack) == (list(range(20)), list(range(20)))
        write(stack, 20)
        place.kill_everything()
        lock = places_of(place.folder).postgres / "postmaster.pid"
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
        stack = place.up()
        assert written(stack) == (list(range(21)), list(range(21)))
        write(stack, 21)
        stack.process.kill()
        stack.process.communicate()
        orphans = {process.pid for process in place.processes()}
        assert set(stack.facts["pids"].values()) <= orphans
        stack = place.up()
        assert written(stack) == (list(range(22)), list(range(22)))
        assert orphans.isdisjoint(process.pid for process in place.processes())
        assert stack.stop(signal.SIGINT) == 0
        assert place.processes() == []
        assert sockets.is_relative_to(place.folder) or not sockets.exists()


def test_killed_servers_come_back_under_a_living_supervisor(shared: Site) -> None:
    stack = shared.stacks[0]
    killed = servers_of(stack)
    for server in killed:
        server.kill()
    assert eventually(lambda: written(stack)) == ([1], [1])
    assert {server.pid for server in killed}.isdisjoint(server.pid for server in servers_of(stack))


def test_second_supervisor_of_a_folder_is_refused_and_the_first_goes_on(shared: Site) -> None:
    first, second = shared.stacks[0], shared.launch("parts")
    assert f"in use by process {first.process.pid}" in second.error()
    assert second.process.returncode == 1
    assert written(first) == ([1], [1])


def test_database_is_durable_checked_and_closed_to_others(shared: Site) -> None:
    stack = shared.stacks[0]
    with psycopg.connect(stack.facts["superuser_url"]) as connection:
        names = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums", "listen_addresses")
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in names]
    assert settings == [("on",), ("on",), ("on",), ("on",), ("",)]
    with psycopg.connect(stack.facts["database_url"]) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False,)
    sockets = places_of(shared.folder).sockets
    assert Path(stack.facts["broker_socket"]).parent == sockets
    assert sockets.stat().st_mode & 0o777 == 0o700
    with redis.Redis(unix_socket_path=stack.facts["broker_socket"]) as broker:
        assert broker.config_get("append*")["appendonly"] == "yes"


def test_servers_do_not_inherit_secrets(shared: Site) -> None:
    stack = shared.stacks[0]
    assert "STRIPE_SECRET_KEY" in psutil.Process(stack.process.pid).environ()
    for server in servers_of(stack):
        assert "STRIPE_SECRET_KEY" not in server.environ()


def test_platform_stops_while_it_starts_serves_recovers_from_kills_and_stops_without_a_rest() -> None:
    """1. A start is stopped, 2. web, worker, beat work, 3. each is killed and comes back, 4. SIGTERM leaves nothing."""
    with site() as place:
        stack = place.launch("platform", "0")
        eventually((place.folder / "log" / "postgres.log").exists)
        assert stack.stop() == 0
        assert place.processes() == []
        stack = place.launch("platform", "0")
        lines = [stack.next_line()["says"], stack.next_line()["says"]]
        port = int(lines[1].split("http://127.0.0.1:")[1].split()[0])

        def page() -> bytes:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/")
                return connection.getresponse().read()
            finally:
                connection.close()

        first = page()
        eventually((place.folder / "beat").exists)
        assert place.kill("granian", "celery")
        (place.folder / "beat").unlink(missing_ok=True)
        assert eventually(page) != first
        eventually((place.folder / "beat").exists)
        assert stack.stop() == 0
        assert place.processes() == []


def test_port_zero_chooses_a_free_one() -> None:
    port = with_free_port(Serving(port=0)).port
    assert 0 < port < 2**16


def test_address_that_cannot_be_bound_is_refused() -> None:
    with pytest.raises(CannotStart, match=r"Port 80 of 192\.0\.2\.1 cannot be used"):
        with_free_port(Serving(host="192.0.2.1", port=80))


@pytest.mark.parametrize(
    ("host", "public_url", "address"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8090"),
        ("0.0.0.0", "", "http://127.0.0.1:8090"),
        ("::", "", "http://[::1]:8090"),
        ("0.0.0.0", "https://forecourt.example", "https://forecourt.example"),
    ],
)
def test_address_is_the_public_one_or_what_is_served(host: str, public_url: str, address: str, tmp_path: Path) -> None:
    environment = read_environment(
        {"FORECOURT_PUBLIC_URL": public_url, "FORECOURT_SECRET_KEY": KEY, "FORECOURT_DATA_DIR": str(tmp_path)}, tmp_path
    )
    assert address_of(environment, Serving(host=host, port=8090)) == address


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Database and broker are up; data in {data}"),
        ({"BROKER_URL": BROKER}, "The database is up, data in {data}; the broker is that of BROKER_URL"),
        ({"DATABASE_URL": DATABASE}, "The database is that of DATABASE_URL; the broker is up, data in {data}"),
        (
            {"DATABASE_URL": DATABASE, "BROKER_URL": BROKER},
            "Database and broker are those of DATABASE_URL and BROKER_URL",
        ),
    ],
)
def test_a_start_says_which_parts_are_its_own(given: dict[str, str], said: str, tmp_path: Path) -> None:
    environment = read_environment({**given, "FORECOURT_SECRET_KEY": KEY}, tmp_path)
    assert whose_parts(environment) == said.format(data=environment.data_dir)


def test_children_find_code_and_data_wherever_they_start(tmp_path: Path) -> None:
    environment = read_environment({}, tmp_path)
    environ = child_environ(environment, {"PYTHONPATH": "mine", "X": "1"}, public_url="http://localhost:1")
    assert environ["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "mine"]
    assert environ["FORECOURT_DATA_DIR"] == str(tmp_path / ".forecourt")
    assert environ["X"] == "1"
    assert read_environment(environ, tmp_path / "elsewhere").data_dir == environment.data_dir


def test_nobody_answers_on_a_closed_port() -> None:
    assert not web_answers("127.0.0.1", with_free_port(Serving(port=0)).port)
