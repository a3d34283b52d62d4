"""Processes that outlived a killed supervisor: found by what they are, not by remembered ids, and stopped.

Only to be called while holding the folder's lock: then no living supervisor owns them.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from forecourt.embedded.places import Places

# Set for every child of a supervisor, to the data folder. The underscore keeps it out of the settings' names.
MARK = "_FORECOURT_STACK"
POSTGRES_PROCESS_NAME = "postgres"
BROKER_PROCESS_NAME = "valkey-server"
GRACE_S = 10
POSTGRES_GRACE_S = 30


def stop_leftovers(places: Places) -> int:
    """Stop everything that an earlier supervisor of this folder left behind; clients first, PostgreSQL last.

    Returns how many processes there were.
    """
    return stop_marked(places) + stop_broker(places) + stop_postgres(places)


def stop_marked(places: Places, *, grace_s: float = GRACE_S) -> int:
    """Stop web, worker, beat and whatever else carries this folder's mark, together with their children."""
    mark = str(places.data)
    servers = (POSTGRES_PROCESS_NAME, BROKER_PROCESS_NAME)
    marked = [p for p in _others() if _environment(p).get(MARK) == mark and _name(p) not in servers]
    return _end(marked, signal.SIGTERM, grace_s)


def stop_broker(places: Places) -> int:
    """Stop a broker that works in this folder."""
    return _end(_working_in(places.broker, BROKER_PROCESS_NAME), signal.SIGTERM)


def stop_postgres(places: Places) -> int:
    """Stop a PostgreSQL that works in this folder: an orderly stop if its first process lives, else at once.

    Backends whose postmaster was killed hold its shared memory, and a new one would refuse to start.
    """
    processes = _working_in(places.postgres, POSTGRES_PROCESS_NAME)
    ids = {process.pid for process in processes}
    postmasters = [process for process in processes if _parent_id(process) not in ids]
    if len(postmasters) == 1:
        _signal(postmasters, signal.SIGINT)
        psutil.wait_procs(processes, timeout=POSTGRES_GRACE_S)
    _end(processes, signal.SIGQUIT)
    _drop_false_lock(places.postgres / "postmaster.pid")
    _drop_false_lock(places.sockets / f"{places.postgres_socket.name}.lock")
    return len(processes)


def _drop_false_lock(lock: Path) -> None:
    """Remove a lock file whose process id now belongs to somebody else, or to a zombie that nobody reaps.

    PostgreSQL itself removes a lock of a process that is gone.
    """
    try:
        pid = int(lock.read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if psutil.pid_exists(pid):
        lock.unlink()


def _working_in(folder: Path, name: str) -> list[psutil.Process]:
    return [process for process in _others() if _name(process) == name and _works_in(process, folder)]


def _others() -> Iterator[psutil.Process]:
    """Every living process that is neither this one nor one of its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return (process for process in psutil.process_iter() if process.pid not in own)


def _end(processes: Iterable[psutil.Process], first: signal.Signals, grace_s: float = GRACE_S) -> int:
    processes = list(processes)
    _signal(processes, first)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=GRACE_S)
    return len(processes)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _name(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else str(process.name())
    except psutil.Error:
        return ""


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(process.cwd()) == str(folder)
    except (psutil.Error, OSError):
        return False


def _parent_id(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0
