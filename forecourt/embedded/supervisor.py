"""The parent of every process of the stack: starts in order, waits for health, restarts, stops in reverse.

Being the parent matters: a killed postmaster that nobody reaps keeps its lock file valid, and PostgreSQL
would never start again.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from forecourt.embedded.folder import Account, CannotStart

LOG_BYTES_MAX = 10 * 1024 * 1024
LOG_TAIL_LINES = 15
RESTART_DELAY_S_MAX = 30.0
# One that ran this long was healthy: its next death is a new trouble, and it starts again at once.
HEALTHY_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Program:
    """How to run one long-lived process and how to know that it serves."""

    name: str
    argv: Sequence[str]
    log: Path
    environ: Mapping[str, str]
    ready: Callable[[], bool]
    cwd: Path | None = None
    account: Account | None = None
    """None: as the supervisor's own user."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 20.0
    ready_timeout_s: float = 60.0
    clear: Callable[[], object] = field(default=lambda: None)
    """Called before each start and after each stop: removes what a killed one left behind."""


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at_s: float = 0.0
    """On the monotonic clock, like `due_at_s`."""
    due_at_s: float = 0.0
    delay_s: float = 0.0


class Supervisor:
    """Owns processes from `start` to `stop`; usable from one thread for `start` and another for `watch`."""

    def __init__(self, *, say: Callable[[str], None], reaps_orphans: bool | None = None) -> None:
        """`say` is told what happens; orphans are reaped by default where this is a container's first process."""
        self._reaps_orphans = os.getpid() == 1 if reaps_orphans is None else reaps_orphans
        self._say = say
        self._children: list[_Child] = []
        self._guard = threading.RLock()
        # Plain flags, read every POLL_S: a signal handler may set them at any instruction, where a lock could hang.
        self._asked = False
        self._ending = False

    @property
    def stop_was_asked(self) -> bool:
        """Whether `request_stop` was called."""
        return self._asked

    def pids(self) -> dict[str, int]:
        """The process id of each program that runs now."""
        with self._guard:
            return {c.program.name: c.process.pid for c in self._children if c.process is not None}

    def request_stop(self) -> None:
        """Make `watch`, and any waiting `start` or `run`, end soon; safe in a signal handler."""
        self._asked = True
        self._ending = True

    def start(self, program: Program) -> None:
        """Start `program` and return when it is ready. Raises `CannotStart` with the end of its log."""
        child = _Child(program)
        with self._guard:
            self._children.append(child)
            self._spawn(child)
        deadline_s = time.monotonic() + program.ready_timeout_s
        while not program.ready():
            # `tend` in another thread may be restarting it; only an exit that it has not seen counts here.
            process = child.process
            if process is not None and process.poll() is not None and not self._ending:
                raise CannotStart(f"{program.name} ended with status {process.returncode}.{_tail(program.log)}")
            if self._ending:
                raise CannotStart(f"Stopped while {program.name} was starting.")
            if time.monotonic() > deadline_s:
                waited = f"{program.ready_timeout_s:.0f} s"
                raise CannotStart(f"{program.name} was not ready within {waited}.{_tail(program.log)}")
            self._tend_others(child)
            time.sleep(POLL_S)

    def run(self, name: str, argv: Sequence[str], *, environ: Mapping[str, str], log: Path) -> None:
        """Run a program to its end. Raises `CannotStart` unless it succeeds; a stop ends it too."""
        with _opened(log) as output:
            process = subprocess.Popen(
                argv,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while process.poll() is None and not self._ending:
            self.tend()
            time.sleep(POLL_S)
        _kill_group(process)
        process.wait()
        if self._ending:
            raise CannotStart(f"Stopped during {name}.")
        if process.returncode != 0:
            raise CannotStart(f"{name} ended with status {process.returncode}.{_tail(log)}")

    def tend(self) -> None:
        """One look at every process: the dead are reaped, and started again after a growing delay."""
        self._tend_others(None)

    def watch(self) -> None:
        """Tend until a stop is asked for."""
        while not self._ending:
            self.tend()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop every process in reverse order, with its whole group; a stubborn one is killed."""
        self._ending = True
        with self._guard:
            while self._children:
                child = self._children[-1]
                self._stop_one(child)
                self._children.pop()

    def _tend_others(self, starting: _Child | None) -> None:
        with self._guard:
            for child in self._children:
                if self._ending:
                    return
                if child is not starting:
                    self._tend_one(child)
            if self._reaps_orphans:
                _reap_orphans({child.process.pid for child in self._children if child.process is not None})

    def _tend_one(self, child: _Child) -> None:
        now_s = time.monotonic()
        process = child.process
        if process is not None:
            if process.poll() is None:
                return
            child.process = None
            _kill_group(process)
            healthy = now_s - child.started_at_s >= HEALTHY_S
            child.delay_s = 0.0 if healthy else min(RESTART_DELAY_S_MAX, child.delay_s * 2 + 0.5)
            child.due_at_s = now_s + child.delay_s
            ended = f"{child.program.name} ended with status {process.returncode}"
            self._say(f"{ended}, starts again in {child.delay_s:.1f} s")
        if now_s >= child.due_at_s:
            try:
                self._spawn(child)
            except (CannotStart, OSError) as error:
                child.delay_s = min(RESTART_DELAY_S_MAX, child.delay_s * 2 + 0.5)
                child.due_at_s = now_s + child.delay_s
                self._say(f"{child.program.name} cannot start: {error}")

    def _spawn(self, child: _Child) -> None:
        program = child.program
        program.clear()
        options = program.account.spawn_options() if program.account else {}
        with _opened(program.log) as output:
            child.process = subprocess.Popen(
                program.argv,
                env=program.environ,
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **options,
            )
        child.started_at_s = time.monotonic()

    def _stop_one(self, child: _Child) -> None:
        process = child.process
        if process is not None:
            process.send_signal(child.program.stop_signal)
            try:
                process.wait(child.program.stop_timeout_s)
            except subprocess.TimeoutExpired:
                self._say(f"{child.program.name} did not stop in time and is killed")
            _kill_group(process)
            process.wait()
        child.program.clear()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group that the process led; its id is not reused while a member lives."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody left; macOS says EPERM for a group of zombies


def _reap_orphans(own: set[int]) -> None:
    """Reap children that were given to this process when their own parent died."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in own:
            return
        os.waitpid(found.si_pid, 0)


def _opened(log: Path) -> IO[bytes]:
    """The log for appending; one that has grown large becomes `….1`."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "".join([f" The end of {log}:", *(f"\n  {line}" for line in lines)])
