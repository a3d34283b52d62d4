import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from forecourt.embedded.leftovers import MARK, stop_leftovers, stop_marked, stop_postgres
from forecourt.embedded.places import Places

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PLAIN = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("postgres", "broker", "run"):
        (tmp_path / name).mkdir()
    return Places(data=tmp_path, sockets=tmp_path / "run")


@contextmanager
def running(script: str, *, cwd: Path, mark: str = "") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=cwd, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_marked_processes_of_this_folder_are_stopped_and_others_stay(places: Places) -> None:
    with (
        running(PLAIN, cwd=Path("/"), mark=str(places.data)) as ours,
        running(PLAIN, cwd=Path("/"), mark=f"{places.data}-other") as other,
        running(PLAIN, cwd=places.postgres) as shell,
    ):
        assert stop_leftovers(places) == 1
        assert not psutil.pid_exists(ours.pid)
        assert other.poll() is None
        # Somebody who looks around in the folder is no server.
        assert shell.poll() is None


def test_process_that_ignores_the_request_is_killed(places: Places) -> None:
    with running(STUBBORN, cwd=Path("/"), mark=str(places.data)) as stubborn:
        assert stop_marked(places, grace_s=0.1) == 1
        assert not psutil.pid_exists(stubborn.pid)


def test_nothing_left_is_nothing_to_do(places: Places) -> None:
    assert stop_leftovers(places) == 0


def test_supervisor_that_runs_under_another_one_does_not_stop_itself(places: Places) -> None:
    script = (
        "import os, sys; from pathlib import Path; from forecourt.embedded.leftovers import stop_leftovers;"
        "from forecourt.embedded.places import Places;"
        "print(stop_leftovers(Places(Path(sys.argv[1]), Path(sys.argv[1]))))"
    )
    environ = {**os.environ, MARK: str(places.data)}
    shown = subprocess.run(
        [sys.executable, "-c", script, places.data], env=environ, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "0\n"


@pytest.mark.parametrize("holder", ["stranger", "zombie"])
def test_lock_of_a_stranger_or_a_zombie_is_dropped(holder: str, places: Places) -> None:
    zombie = subprocess.Popen(["/bin/true"])
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    pid = os.getpid() if holder == "stranger" else zombie.pid
    locks = (places.postgres / "postmaster.pid", places.sockets / ".s.PGSQL.5432.lock")
    for lock in locks:
        lock.write_text(f"{pid}\n{places.postgres}\n")
    stop_postgres(places)
    zombie.wait()
    assert not any(lock.exists() for lock in locks)


@pytest.mark.parametrize("content", ["", "garbage\n", "4194999\n"])
def test_other_locks_are_left_to_postgresql(content: str, places: Places) -> None:
    lock = places.postgres / "postmaster.pid"
    lock.write_text(content)
    stop_postgres(places)
    assert lock.read_text() == content
